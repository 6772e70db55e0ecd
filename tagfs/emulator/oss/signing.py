"""What OSS clients sign, as pure functions of a request: V1 and V4, in headers or in the URL.

V1: "Add a signature to the header/URL" of the manual; V4: "Signature version 4". Both are checked
against the vendors' published vectors in tests/emulator/test_signing.py.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote

_V1_NAMES = """
    response-content-type response-content-language response-cache-control
    response-content-encoding response-expires response-content-disposition logging acl
    uploadId uploads partNumber group link delete website location objectInfo objectMeta cors
    lifecycle restore qos referer stat bucketInfo append position security-token live comp
    status vod startTime endTime x-oss-process symlink callback callback-var tagging
    encryption versions versioning versionId policy requestPayment x-oss-traffic-limit qosInfo
    asyncFetch x-oss-request-payer sequential inventory inventoryId continuation-token worm
    wormId wormExtend replication replicationLocation replicationProgress transferAcceleration
    cname metaQuery x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id
    x-oss-ac-forward-allow resourceGroup style styleName x-oss-async-process regionList
    x-oss-write-get-object-response bucketArchiveDirectRead httpsConfig redundancyTransition
    x-oss-target-redundancy-type x-oss-redundancy-transition-taskid accessPoint
    accessPointPolicy publicAccessBlock x-oss-access-point-name requesterQosInfo qosRequester
    resourcePoolInfo resourcePool resourcePoolBuckets seal x-oss-rename x-oss-dir x-oss-delete
"""
# Query parameters that belong to the V1 resource; all others go unsigned (oss2, auth.py).
_SIGNED_PARAMETERS = frozenset(_V1_NAMES.split())
_UNRESERVED = "-_.~"
_DEFAULT_V4_HEADERS = frozenset({"content-type", "content-md5"})

Pairs = Iterable[tuple[str, str]]


def v1_resource(bucket: str | None, key: str | None, query: Pairs) -> str:
    """Return the resource that V1 signs, with the key and the values decoded."""
    path = "/" if bucket is None else f"/{bucket}/{key or ''}"
    signed = sorted(pair for pair in query if pair[0] in _SIGNED_PARAMETERS)
    if not signed:
        return path
    return f"{path}?" + "&".join(f"{name}={value}" if value else name for name, value in signed)


def v1_string(method: str, headers: Mapping[str, str], date: str, resource: str) -> bytes:
    """Return the string that V1 signs."""
    named = sorted(
        (name.lower(), value)
        for name, value in headers.items()
        if name.lower().startswith("x-oss-")
    )
    block = "".join(f"{name}:{value}\n" for name, value in named)
    lines = (
        method,
        headers.get("Content-MD5", ""),
        headers.get("Content-Type", ""),
        date,
        block + resource,
    )
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def v1_signature(secret: str, string: bytes) -> str:
    """Sign as V1 does."""
    return base64.b64encode(hmac.digest(secret.encode(), string, "sha1")).decode("ascii")


def v4_canonical_request(
    method: str, path: str, query: Pairs, headers: Mapping[str, str], additional: Iterable[str]
) -> str:
    """Return the canonical request of V4; `path` is `/bucket/key`, decoded."""
    extra = sorted({name.lower() for name in additional} - _DEFAULT_V4_HEADERS)
    wanted = {*_DEFAULT_V4_HEADERS, *extra}
    block = sorted(
        (lower, value.strip())
        for lower, value in ((name.lower(), value) for name, value in headers.items())
        if lower.startswith("x-oss-") or lower in wanted
    )
    extra = [name for name in extra if not name.startswith("x-oss-")]
    pairs = sorted((_encode(name), _encode(value)) for name, value in query)
    lines = (
        method,
        quote(path, safe="/" + _UNRESERVED, errors="surrogateescape"),
        "&".join(f"{name}={value}" if value else name for name, value in pairs),
        "".join(f"{name}:{value}\n" for name, value in block),
        ";".join(extra),
        headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD"),
    )
    return "\n".join(lines)


def v4_string(moment: str, scope: str, canonical_request: str) -> str:
    """Return the string that V4 signs."""
    digest = hashlib.sha256(canonical_request.encode("utf-8", "surrogateescape")).hexdigest()
    return f"OSS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"


def v4_signature(secret: str, scope: str, string: str) -> str:
    """Sign as V4 does."""
    return hmac.digest(_v4_key(secret, scope), string.encode(), "sha256").hex()


@lru_cache(maxsize=64)
def _v4_key(secret: str, scope: str) -> bytes:
    key = b"aliyun_v4" + secret.encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key


def _encode(text: str) -> str:
    return quote(text, safe=_UNRESERVED, errors="surrogateescape")
