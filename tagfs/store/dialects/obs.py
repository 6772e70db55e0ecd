"""The dialect of Huawei Cloud OBS: its numbers, words and signature.

Pure. "Manual" is the OBS API reference (support.huaweicloud.com, obs_04_xxxx); the signature is
proved with vectors of the vendor's SDK in `tests/referees/store/test_obs_signing.py`.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal
from urllib.parse import quote

from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.credentials.values import Credentials, EnvironmentNames
from tagfs.store.dialects.dialect import (
    HEADER_NAME,
    Dialect,
    EmptyTagging,
    ListKeys,
    MetadataEdit,
    MetadataText,
    Signable,
    Signer,
    WriteKind,
)
from tagfs.store.dialects.header_names import ENCRYPTION, REDIRECT
from tagfs.store.dialects.tag_escape import TagEscape
from tagfs.store.http_dates import render_http_date
from tagfs.store.tags import TagRules

TagProfile = Literal["narrow", "wide"]
"""Which of the limits that Huawei documents for bucket tags: 10 tags of 36 and 43 characters (the
API pages), or 20 of 128 and 255 (the newest pages)."""

SIGNED_PARAMETERS: Final = frozenset(
    # What of a query is signed, as far as tagfs may send it (manual, "Authentication of Signature
    # in a Header"; symlink: the vendor's Java SDK). prefix, marker, delimiter, max-keys and
    # encoding-type are not.
    {
        "acl",
        "append",
        "delete",
        "length",
        "location",
        "metadata",
        "modify",
        "name",
        "partNumber",
        "position",
        "rename",
        "restore",
        "storageClass",
        "symlink",
        "tagging",
        "truncate",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
    }
)


def sign(request: Signable, credentials: Credentials, now: float) -> dict[str, str]:
    """Sign with HMAC-SHA1 of selected headers and parameters; no region is needed."""
    added = {} if "x-obs-date" in request.headers else {"date": render_http_date(now)}
    if credentials.session_token is not None:
        added["x-obs-security-token"] = credentials.session_token
    text = string_to_sign(request, {**request.headers, **added})
    digest = hmac.digest(credentials.secret_access_key.encode(), text.encode(), "sha1")
    signature = base64.b64encode(digest).decode()
    return {**added, "authorization": f"OBS {credentials.access_key_id}:{signature}"}


def string_to_sign(request: Signable, headers: Mapping[str, str]) -> str:
    """Return what is signed; `headers` are all that are sent, with a date among them."""
    own = sorted(item for item in headers.items() if item[0].startswith("x-obs-"))
    parameters = sorted(
        f"{name}={value}" if value else name
        for name, value in request.query.items()
        if name in SIGNED_PARAMETERS
    )
    return "\n".join(
        [
            request.method,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            "" if "x-obs-date" in headers else headers.get("date", ""),
            *(f"{name}:{value.strip(' ')}" for name, value in own),
            _resource(request) + ("?" + "&".join(parameters) if parameters else ""),
        ]
    )


def _resource(request: Signable) -> str:
    if not request.bucket:
        return "/"
    bucket = f"/{request.bucket}"
    # In path style the bucket itself may be asked for without a slash, and is signed as asked for.
    if not request.key and request.path == bucket:
        return bucket
    return f"{bucket}/{quote(request.key, safe='/~')}"


def _signer(region: str | None) -> Signer:  # noqa: ARG001  one signature serves all regions
    return sign


def _endpoint(region: str) -> str:
    return f"obs.{region}.myhuaweicloud.com"


def _region(host: str) -> str | None:
    found = re.fullmatch(
        r"obs\.([a-z0-9-]+)\.(?:myhuaweicloud\.(?:com|eu)|otc\.t-systems\.com)", host
    )
    return found[1] if found else None


_FORBIDDEN: Final = ",*|/<>=\\"
_NARROW: Final = TagRules(
    kind="bucket",
    max_tags=10,
    max_key=36,
    max_value=43,
    forbidden=_FORBIDDEN,
    edge_blanks=False,
    source="https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0049.html",
)
_WIDE: Final = replace(_NARROW, max_tags=20, max_key=128, max_value=255)


def choose_tags(dialect: Dialect, escape: TagEscape, profile: TagProfile) -> Dialect:
    """Return the dialect with what a user knows of his region's tags."""
    rules = _WIDE if profile == "wide" else _NARROW
    return replace(dialect, tag_escape=escape, bucket_tag_rules=rules)


OBS: Final = Dialect(
    service="obs",
    title="Huawei Cloud OBS",
    header_prefix="x-obs-",
    environment=EnvironmentNames(
        "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY", "OBS_SECURITY_TOKEN"
    ),
    signer=_signer,
    endpoint=_endpoint,
    region=_region,
    signs_domain=True,
    # The manual counts 1024 characters of a key; in bytes that is safe whatever is meant.
    limits=Limits(max_key=1024),
    capabilities=Capabilities(),
    # Manual, obs_04_0172 (2025-11); the user manual and a partner's cloud say 36 and 43, but a
    # refused tag is an error that can be read, and one that is not tried is a loss.
    object_tag_rules=TagRules(
        kind="object",
        max_tags=10,
        max_key=128,
        max_value=255,
        forbidden=_FORBIDDEN,
        edge_blanks=False,
        source="https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0172.html",
    ),
    bucket_tag_rules=_NARROW,
    tag_escape=TagEscape.AUTO,
    # Not documented: whether x-obs-tagging is read with links and appends, and whether a change of
    # metadata leaves tags alone.
    tag_carriers=frozenset(
        {WriteKind.PUT, WriteKind.UPLOAD, WriteKind.COPY, WriteKind.RETAGGED_COPY}
    ),
    # The count is sent only where tags may be read, and for none perhaps as 0, perhaps not at all.
    edits_show=False,  # what PUT ?metadata does to Last-Modified is not documented
    counts_tags=False,
    empty_tagging=frozenset({EmptyTagging.NOT_FOUND, EmptyTagging.EMPTY_SET}),
    # Version 2 does not exist on parallel file systems, where encoded listings break markers, too
    # (rclone, HuaweiOBS.yaml).
    list_version=1,
    list_keys=ListKeys.PLAIN_FIRST,
    plus_is_blank=True,
    # No manual has it; independent tools use it and expect 409 ObjectAlreadyExists.
    exclusive=("x-obs-forbid-overwrite", "true"),
    exclusive_operations=frozenset(
        {"PutObject", "PutSymlink", "CopyObject", "CompleteMultipartUpload"}
    ),
    taken_codes=frozenset({"ObjectAlreadyExists", "FileAlreadyExists"}),
    # A copy gets the bucket's class unless it is named (manual, obs_04_0082).
    copy_names_class=True,
    # Nothing is copied, so parts, ETag and appendability stay.
    metadata_edit=MetadataEdit.SUBRESOURCE,
    # Manual, obs_04_0090; directories by keys that end in a slash, as the vendor's Java SDK has it.
    hierarchical="a parallel file system",
    renames=True,
    probes_tags=True,
    # Links came in 2025; an older region would make an empty object.
    probes_links=True,
    copies_links=False,
    # The vendor's Java SDK sends the target raw.
    plain_targets=True,
    # The status is proved by the vendor's tests, the code is not.
    not_a_link=frozenset({"NotSymlink", 400}),
    md5_etags=True,
    single_copy=5 * 1024**3,
    expired_codes=frozenset(
        {
            "InvalidAccessKeyId",
            "InvalidSecurityToken",
            "SecurityTokenExpired",
            # Not in its manual, but of the protocol that OBS speaks as well.
            "ExpiredToken",
            "InvalidToken",
        }
    ),
    metadata_name=HEADER_NAME,
    # The manual allows ASCII only, and both SDKs of the vendor encode and decode so.
    metadata_text=MetadataText.PERCENT,
    content_type="binary/octet-stream",
    encryptions=("AES256", "kms"),
    customer_keys=True,
    uncopied={
        ENCRYPTION: "x-obs-server-side-encryption",
        f"{ENCRYPTION}-key-id": "x-obs-server-side-encryption-kms-key-id",
        REDIRECT: "x-obs-website-redirect-location",
    },
    archived=frozenset({"COLD", "DEEP_ARCHIVE"}),
    default_storage_class="STANDARD",
)
