"""Hosts of Amazon S3 and of services like it: which region is in a name, what serves no path.

Pure. AWS: "Amazon S3 endpoints and quotas"; the others: the pages of each service on its S3 API.
"""

import re
from typing import Final

ANY_REGION: Final = "us-east-1"

_OWN: Final = re.compile(
    r"s3(?:-fips)?(?:\.dualstack)?[.-]"
    r"(?!accelerate|external-|website|control|outposts|accesspoint|global)"
    r"([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
)
_GLOBAL: Final = frozenset({"s3.amazonaws.com", "s3-external-1.amazonaws.com"})
_WEBSITE: Final = re.compile(r"(?:.+\.)?s3-website[.-].+|.+\.(?:oss|obs)-website[.-].+")

DIRECTORY_BUCKET: Final = re.compile(r"--x-s3$")
"""The end of the names of S3 Express One Zone."""

VIRTUAL: Final = re.compile(
    r"s3-accelerate(?:\.dualstack)?\.amazonaws\.com"
    r"|(?:s3\.)?oss-[a-z0-9-]+\.aliyuncs\.com"  # 403 SecondLevelDomainForbidden
    r"|cos\.[a-z0-9-]+\.myqcloud\.com"  # PathStyleDomainForbidden, since 2024
    r"|tos-s3-[a-z0-9-]+\.i?volces\.com"  # InvalidPathAccess
    r"|obs\.[a-z0-9-]+\.myhuaweicloud\.com"  # VirtualHostDomainRequired
)
"""Hosts that serve a bucket by a host of its own alone."""

_LIKELY: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # An interface endpoint of a VPC: bucket.vpce-ID.s3.REGION.vpce.amazonaws.com
        r"(?:.+\.)?vpce-[a-z0-9-]+\.s3\.([a-z0-9-]+)\.vpce\.amazonaws\.com",
        r"cos\.([a-z0-9-]+)\.myqcloud\.com",
        r"obs\.([a-z0-9-]+)\.myhuaweicloud\.com",
        r"tos-s3-([a-z0-9-]+)\.i?volces\.com",
        r"s3\.([a-z0-9-]+)\.(?:backblazeb2|wasabisys)\.com",
        r"s3\.([a-z0-9-]+)\.scw\.cloud",
        r"s3\.([a-z0-9-]+)\.(?:io\.)?cloud\.ovh\.(?:net|us)",
        r"s3\.([a-z0-9-]+)\.cloud-object-storage\.appdomain\.cloud",
        r"[a-z0-9]+\.compat\.objectstorage\.([a-z0-9-]+)\.(?:oraclecloud|oci\.customer-oci)\.com",
    )
)


def endpoint(region_name: str) -> str:
    """Return the host of a region of AWS."""
    suffix = ".cn" if region_name.startswith("cn-") else ""
    return f"s3.{region_name}.amazonaws.com{suffix}"


def region(host: str) -> str | None:
    """Return the region that a host of AWS is of; None for all others, and those of all regions."""
    found = _OWN.fullmatch(host)
    if found:
        return found[1]
    return ANY_REGION if host in _GLOBAL else None


def likely_region(host: str) -> str | None:
    """Return the region that stands in a host, where requests must be signed for it."""
    if host.endswith(".r2.cloudflarestorage.com"):
        return "auto"
    return next((found[1] for one in _LIKELY if (found := one.fullmatch(host))), None)


def no_endpoint(host: str) -> str:
    """Say what a host is that serves no API; "" for all others."""
    return "it serves web sites; take the one for the API" if _WEBSITE.fullmatch(host) else ""
