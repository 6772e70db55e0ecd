"""The dialect of Alibaba Cloud OSS: its numbers, words and signatures.

Pure. "Manual" is the OSS documentation (AlibabaCloudDocs/oss and help.aliyun.com); signatures
are proved with its vectors and those of the vendor's SDKs in
`tests/unit/store/test_oss_signing.py`.
"""

import base64
import functools
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.credentials.values import Credentials, EnvironmentNames
from tagfs.store.dialects.dialect import Dialect, Signable, Signer
from tagfs.store.dialects.header_names import ENCRYPTION
from tagfs.store.http_dates import render_http_date
from tagfs.store.tags import TagRules

SIGNED_PARAMETERS: Final = frozenset(
    # What V1 signs of a query, as far as tagfs may send it; list-type, prefix, max-keys, marker,
    # delimiter and encoding-type it does not. Manual, "Add a signature to the header".
    {
        "acl",
        "append",
        "bucketInfo",
        "comp",
        "continuation-token",
        "delete",
        "location",
        "metaQuery",
        "objectMeta",
        "partNumber",
        "position",
        "restore",
        "stat",
        "symlink",
        "tagging",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
    }
)
_UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


def sign_v1(request: Signable, credentials: Credentials, now: float) -> dict[str, str]:
    """Sign in the old way, which needs no region: HMAC-SHA1 of selected headers and parameters."""
    added = {"date": render_http_date(now)}
    if credentials.session_token is not None:
        added["x-oss-security-token"] = credentials.session_token
    text = string_to_sign_v1(request, {**request.headers, **added})
    digest = hmac.digest(credentials.secret_access_key.encode(), text.encode(), "sha1")
    signature = base64.b64encode(digest).decode()
    added["authorization"] = f"OSS {credentials.access_key_id}:{signature}"
    return added


def string_to_sign_v1(request: Signable, headers: Mapping[str, str]) -> str:
    """Return what V1 signs; `headers` are all that are sent, with a date among them."""
    own = sorted(item for item in headers.items() if item[0].startswith("x-oss-"))
    parameters = sorted(
        f"{name}={value}" if value else name
        for name, value in request.query.items()
        if name in SIGNED_PARAMETERS
    )
    resource = f"/{request.bucket}/{request.key}" if request.bucket else "/"
    return "\n".join(
        [
            request.method,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            headers.get("x-oss-date") or headers.get("date", ""),
            *(f"{name}:{value.strip(' ')}" for name, value in own),
            resource + ("?" + "&".join(parameters) if parameters else ""),
        ]
    )


def sign_v4(
    request: Signable,
    credentials: Credentials,
    now: float,
    *,
    region: str,
    additional: tuple[str, ...] = (),
) -> dict[str, str]:
    """Sign in the present way: HMAC-SHA256, bound to a day and a region (such as "cn-hangzhou").

    `additional` names headers to sign beyond the service's own, lower case and sorted.
    """
    moment = render_compact_date(now)
    added = {"x-oss-date": moment, "x-oss-content-sha256": _UNSIGNED_PAYLOAD}
    if credentials.session_token is not None:
        added["x-oss-security-token"] = credentials.session_token
    signature = signature_v4(
        canonical_request_v4(request, {**request.headers, **added}, additional),
        credentials.secret_access_key,
        moment,
        region,
    )
    names = f"AdditionalHeaders={';'.join(additional)}," if additional else ""
    scope = f"{moment[:8]}/{region}/oss/aliyun_v4_request"
    added["authorization"] = (
        f"OSS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope},"
        f"{names}Signature={signature}"
    )
    return added


def canonical_request_v4(
    request: Signable, headers: Mapping[str, str], additional: tuple[str, ...] = ()
) -> str:
    """Return V4's canonical request; `headers` are all that are sent.

    The path names the bucket even when the request line does not.
    """
    resource = f"/{request.bucket}/{request.key}" if request.bucket else "/"
    parameters = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~", errors="surrogateescape"))
        for name, value in request.query.items()
    )
    signed = sorted(
        (name, value)
        for name, value in headers.items()
        if name.startswith("x-oss-")
        or name in {"content-type", "content-md5"}
        or name in additional
    )
    return "\n".join(
        [
            request.method,
            quote(resource, safe="/-_.~"),
            "&".join(f"{name}={value}" if value else name for name, value in parameters),
            *(f"{name}:{value.strip(' ')}" for name, value in signed),
            "",
            ";".join(additional),
            _UNSIGNED_PAYLOAD,
        ]
    )


def signature_v4(canonical_request: str, secret: str, moment: str, region: str) -> str:
    """Return V4's signature, lower-case hex; `moment` as `render_compact_date` writes it."""
    day = moment[:8]
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text = f"OSS4-HMAC-SHA256\n{moment}\n{day}/{region}/oss/aliyun_v4_request\n{digest}"
    return hmac.digest(_signing_key(secret, day, region), text.encode(), "sha256").hex()


@functools.lru_cache(maxsize=4)  # one pair, one region; the day before lives on past midnight
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = b"aliyun_v4" + secret.encode()
    for step in (day, region, "oss", "aliyun_v4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def render_compact_date(now: float) -> str:
    """Write seconds since the epoch as `20240102T030405Z`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _signer(region: str | None) -> Signer:
    # V4 names the region, and the service refuses a wrong one (400 InvalidArgument), so without
    # knowing it V1, which the service still accepts from accounts that have it, is the only way.
    return functools.partial(sign_v4, region=region) if region else sign_v1


def _endpoint(region: str) -> str:
    return f"oss-{region.removeprefix('oss-')}.aliyuncs.com"


def _region(host: str) -> str | None:
    # oss-cn-hangzhou(-internal).aliyuncs.com, or dual stack cn-hangzhou.oss.aliyuncs.com;
    # acceleration endpoints (oss-accelerate, -overseas) serve every region.
    found = re.fullmatch(
        r"(?:oss-(?!accelerate)([a-z0-9-]+?)(?:-internal)?|([a-z0-9-]+)\.oss)\.aliyuncs\.com", host
    )
    return (found[1] or found[2]) if found else None


OSS: Final = Dialect(
    service="oss",
    title="Alibaba Cloud OSS",
    header_prefix="x-oss-",
    environment=EnvironmentNames("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN"),
    signer=_signer,
    endpoint=_endpoint,
    region=_region,
    limits=Limits(),
    capabilities=Capabilities(),
    # Newer pages count characters, those of 2021 bytes; the vendor's SDK counts characters and
    # its live tests accept Chinese letters.
    object_tag_rules=TagRules(
        kind="object",
        max_tags=10,
        max_key=128,
        max_value=256,
        symbols="+-=._:/",
        source="https://www.alibabacloud.com/help/en/oss/developer-reference/putobjecttagging",
    ),
    bucket_tag_rules=TagRules(
        kind="bucket",
        max_tags=20,
        max_key=64,
        max_value=128,
        in_bytes=True,
        reserved_prefixes=("http://", "https://", "aliyun", "acs:"),
        source="https://www.alibabacloud.com/help/en/oss/developer-reference/putbuckettags",
    ),
    # Without it, a range that ends past the object answers 200 and the whole object.
    get_headers={"x-oss-range-behavior": "standard"},
    exclusive=("x-oss-forbid-overwrite", "true"),
    versions_replace=True,
    exclusive_operations=frozenset(
        {
            "PutObject",
            "PutSymlink",
            "CopyObject",
            "InitiateMultipartUpload",
            "CompleteMultipartUpload",
        }
    ),
    taken_codes=frozenset({"FileAlreadyExists", "ObjectAlreadyExists"}),
    encoded_delete=True,
    # In quiet mode, where nothing failed.
    silent_deletes=True,
    # The manual spells the tagging directive so; the metadata directive is upper case there.
    copy_tags="Copy",
    replace_tags="Replace",
    delete_bucket_tags_by_key=True,
    bucket_info="bucketInfo",
    types_uploads=True,
    checksum_header="x-oss-hash-crc64ecma",
    error_header="x-oss-err",
    # Within one bucket CopyObject takes any size (manual, 2025-12); older regions that do not
    # answer EntityTooLarge, and the client copies by parts then.
    single_copy=None,
    # A file that is being rewritten may give the key of one pair and the token of another.
    expired_codes=frozenset(
        {
            "SecurityTokenExpired",
            "InvalidSecurityToken",
            "InvalidAccessKeyId",
            "AccessKeyIdAndSecurityTokenNotMatch",
        }
    ),
    throttled_codes=frozenset(
        {
            "DownloadTrafficRateLimitExceeded",
            "UploadTrafficRateLimitExceeded",
            "MetaOperationQpsLimitExceeded",
            "TotalQpsLimitExceeded",
            "ActiveRequestLimitExceeded",
            "CpuLimitExceeded",
            "QpsLimitExceeded",
        }
    ),
    # Underscores are refused (manual, PutObject).
    metadata_name="[a-z0-9-]+",
    acl_header="object-acl",
    default_acl="default",
    encryptions=("AES256", "KMS", "SM4"),
    uncopied={
        ENCRYPTION: "x-oss-server-side-encryption",
        f"{ENCRYPTION}-key-id": "x-oss-server-side-encryption-key-id",
        f"{ENCRYPTION}-data": "x-oss-server-side-data-encryption",
    },
    archived=frozenset({"Archive", "ColdArchive", "DeepColdArchive"}),
    indexes_tags=True,
)
