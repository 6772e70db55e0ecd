"""The dialect of Amazon S3 and of what is compatible with it (Ceph RGW, MinIO, ...).

Pure. "Manual" is the Amazon S3 API reference; what other servers do differently was measured
there. Signatures are compared with botocore's in `tests/referees/store/test_s3_signing.py`.
"""

import functools
import hashlib
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.credentials.values import Credentials, EnvironmentNames
from tagfs.store.dialects import s3_hosts
from tagfs.store.dialects.dialect import (
    HEADER_NAME,
    Dialect,
    EmptyTagging,
    MetadataText,
    Signable,
    Signer,
    WriteKind,
)
from tagfs.store.dialects.header_names import ENCRYPTION, REDIRECT
from tagfs.store.tags import TagRules

ANY_REGION: Final = s3_hosts.ANY_REGION
"""What servers without regions are signed for, by all tools."""

_UNSIGNED: Final = "UNSIGNED-PAYLOAD"
# Nothing but spaces: others, such as the ideographic one, are text to the service.
_BLANKS: Final = re.compile(" +")
_ALSO_SIGNED = frozenset({"host", "content-md5", "content-type"})


def sign(request: Signable, credentials: Credentials, now: float, *, region: str) -> dict[str, str]:
    """Sign with AWS Signature Version 4, bound to a day and a region.

    The payload is covered by its SHA-256 where that is known, else by its Content-MD5 and by TLS.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    added = {"x-amz-date": moment, "x-amz-content-sha256": request.payload or _UNSIGNED}
    if credentials.session_token is not None:
        added["x-amz-security-token"] = credentials.session_token
    headers = {**request.headers, **added, "host": request.host}
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    signed = _signed(headers)
    digest = hashlib.sha256(_canonical(request, headers, signed).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    key = _signing_key(credentials.secret_access_key, moment[:8], region)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    added["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={';'.join(signed)}, Signature={signature}"
    )
    return added


def canonical_request(request: Signable, headers: Mapping[str, str]) -> str:
    """Return the canonical request; `headers` are all that are sent, the host among them."""
    return _canonical(request, headers, _signed(headers))


def _canonical(request: Signable, headers: Mapping[str, str], signed: Sequence[str]) -> str:
    parameters = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~", errors="surrogateescape"))
        for name, value in request.query.items()
    )
    return "\n".join(
        [
            request.method,
            request.path,
            "&".join(f"{name}={value}" for name, value in parameters),
            *[f"{name}:{_unfolded(headers[name])}" for name in signed],
            "",
            ";".join(signed),
            request.payload or _UNSIGNED,
        ]
    )


def _signed(headers: Mapping[str, str]) -> list[str]:
    return sorted([n for n in headers if n.startswith("x-amz-") or n in _ALSO_SIGNED])


def _unfolded(text: str) -> str:
    return _BLANKS.sub(" ", text.strip(" ")) if " " in text else text


@functools.lru_cache(maxsize=4)  # one pair, one region; the day before lives on past midnight
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for step in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def _signer(region: str | None) -> Signer:
    return functools.partial(sign, region=region or ANY_REGION)


_SYMBOLS: Final = "+-=._:/@"

S3: Final = Dialect(
    service="s3",
    title="S3",
    header_prefix="x-amz-",
    environment=EnvironmentNames("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    signer=_signer,
    endpoint=s3_hosts.endpoint,
    region=s3_hosts.region,
    likely_region=s3_hosts.likely_region,
    no_endpoint=s3_hosts.no_endpoint,
    no_bucket=s3_hosts.DIRECTORY_BUCKET,
    virtual_elsewhere=s3_hosts.VIRTUAL,
    signs_payload=True,
    # Compatible servers seldom have a name for each bucket.
    path_style_elsewhere=True,
    limits=Limits(
        max_key=1024,
        max_metadata=2048,
        max_object=5 * 1024**4,
        min_part=5 * 1024**2,
        max_head=8 * 1024,
    ),
    # There is neither a link nor an append in S3.
    capabilities=Capabilities(symlinks=False, append=False, annotations=True),
    object_tag_rules=TagRules(
        kind="object",
        max_tags=10,
        max_key=128,
        max_value=256,
        symbols=_SYMBOLS,
        reserved_prefixes=("aws:",),
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html",
    ),
    bucket_tag_rules=TagRules(
        kind="bucket",
        max_tags=50,
        max_key=128,
        max_value=256,
        symbols=_SYMBOLS,
        reserved_prefixes=("aws:",),
        source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html",
    ),
    # Ceph RGW 16 ignores tags on multipart uploads, drops them in copies that replace metadata,
    # and ignores the tagging directive.
    tag_carriers=frozenset({WriteKind.PUT, WriteKind.COPY}),
    # LocalStack does not tell the count.
    counts_tags=False,
    # Buckets without tags answer NoSuchTagSet, objects an empty set, Ceph RGW 16 sometimes nothing.
    empty_tagging=frozenset(EmptyTagging),
    # A blank is a plus sign in an encoded listing, and a plus sign is %2B.
    plus_is_blank=True,
    # Ceph RGW 16 does not look at x-amz-copy-source-if-match.
    server="AmazonS3",
    checks_copied=False,
    exclusive=("if-none-match", "*"),
    # AWS has conditions on a copy's destination since 2025-10; servers that know them of the source
    # alone ignore them, and are found out where one is refused though nothing is there.
    exclusive_operations=frozenset({"PutObject", "CompleteMultipartUpload", "CopyObject"}),
    conditional_deletes=True,
    control_plane=True,
    hides_absence=True,
    taken_codes=frozenset({"PreconditionFailed"}),
    probes_tags=True,
    # Of the checksums that S3 compares, the one that all servers which have any know.
    part_checksum="CRC32",
    md5_etags=True,
    single_copy=5 * 1024**3,
    expired_codes=frozenset(
        {"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"}
    ),
    throttled_codes=frozenset(
        {"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequests"}
    ),
    metadata_name=HEADER_NAME,
    # "Working with object metadata": other bytes are taken for Latin-1.
    metadata_text=MetadataText.WORDS,
    content_type="binary/octet-stream",
    ownership=True,
    usual_encryption="AES256",
    encryptions=("AES256", "aws:kms", "aws:kms:dsse"),
    customer_keys=True,
    uncopied={
        ENCRYPTION: "x-amz-server-side-encryption",
        f"{ENCRYPTION}-key-id": "x-amz-server-side-encryption-aws-kms-key-id",
        f"{ENCRYPTION}-bucket-key": "x-amz-server-side-encryption-bucket-key-enabled",
        REDIRECT: "x-amz-website-redirect-location",
    },
    archived=frozenset({"GLACIER", "DEEP_ARCHIVE"}),
    default_storage_class="STANDARD",
    lists_details=True,
)
