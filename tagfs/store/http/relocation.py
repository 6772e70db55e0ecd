"""Where a bucket is after all, as a refusal tells it: its region, or that no path has its name.

Pure. Nothing that the user chose is changed; then the error says what to choose.
"""

import re
from dataclasses import replace
from typing import Final

from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http.endpoints import ADDRESSING, REGION, Endpoint, is_label
from tagfs.store.http.messages import Response

PATH_FORBIDDEN: Final = frozenset(
    {
        "SecondLevelDomainForbidden",  # OSS, and its S3 interface
        "PathStyleDomainForbidden",  # Tencent COS
        "InvalidPathAccess",  # Volcengine TOS
        "VirtualHostDomainRequired",  # OBS
    }
)
"""Codes of services that want a bucket's name in the host."""

_WRONG_REGION: Final = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "AuthorizationQueryParametersError",
        "PermanentRedirect",
        "TemporaryRedirect",
        "IllegalLocationConstraintException",
    }
)
_EXPECTED: Final = re.compile(
    r"expecting '([a-z0-9-]+)'|expected:? ?['\"`]?\d{8}/([a-z0-9-]+)/s3/aws4_request", re.IGNORECASE
)
"""How AWS, MinIO and Ceph say it in words, and how Garage does."""

_REDIRECTS: Final = range(300, 400)
_BAD_REQUEST: Final = 400


def relocated(at: Endpoint, dialect: Dialect, answer: Response) -> Endpoint | None:
    """Return the address that an answer asks for; None where it asks for none, or may not."""
    if answer.code in PATH_FORBIDDEN:
        may_move = ADDRESSING in at.undecided and at.path_style and is_label(at.bucket)
        return replace(at, host=f"{at.bucket}.{at.host}", path_style=False) if may_move else None
    region = named_region(answer)
    if not region or region == at.region or REGION not in at.undecided:
        return None
    own = dialect.region(at.service_host)
    if own is None:  # another server's, or one that serves every region: only signatures change
        return replace(at, region=region)
    if own in at.service_host:  # the user named a region's own endpoint
        return None
    host = dialect.endpoint(region)
    return replace(at, region=region, host=host if at.path_style else f"{at.bucket}.{host}")


def named_region(answer: Response) -> str:
    """Return the region that a refusal names as the bucket's; "" for none."""
    named = answer.headers.get("x-amz-bucket-region", "")
    if answer.error is None:
        return ""
    if answer.status in _REDIRECTS or (named and answer.status == _BAD_REQUEST):
        return named
    if answer.code not in _WRONG_REGION:
        return ""
    found = _EXPECTED.search(answer.error.message)
    return answer.error.region or named or (found[1] or found[2] if found else "")
