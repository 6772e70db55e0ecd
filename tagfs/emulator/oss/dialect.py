"""What makes OSS different, each with its source in the manual."""

import base64
import binascii
import re
from collections.abc import Mapping

from tagfs.emulator.engine.body_upload import SINGLE_LIMIT
from tagfs.emulator.engine.dialect import Dialect
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.rules import AppendRules, CopyRules, LinkRules, RestoreRules
from tagfs.emulator.oss.errors import ERRORS, render_error
from tagfs.emulator.oss.ranges import choose_range
from tagfs.emulator.oss.tags import BUCKET_TAGS, OBJECT_TAGS
from tagfs.emulator.storage.records import Kind
from tagfs.emulator.time_formats import iso_time

ARCHIVES = frozenset({"Archive", "ColdArchive", "DeepColdArchive"})
CLASSES = frozenset({"Standard", "IA", *ARCHIVES})
OBJECT_ACLS = frozenset({"default", "private", "public-read", "public-read-write"})
OWNER = "<ID>1000000000000000</ID><DisplayName>1000000000000000</DisplayName>"
_KEY_LIMIT = 1023


def make_dialect() -> Dialect:
    """Return OSS."""
    return Dialect(
        server="AliyunOSS",
        host_labels=re.compile("oss(?:-accelerate[a-z-]*|-internal|-[a-z]{2}-[a-z0-9-]+)?"),
        families=("x-oss-",),
        namespace="",
        owner=OWNER,
        errors=ERRORS,
        render_error=render_error,
        expired_token="SecurityTokenExpired",  # noqa: S106 - a code
        request_id_bytes=12,
        names_hosts=False,
        reports_server_time=True,
        bucket_first=True,
        versions=False,
        versions_overwrite=True,
        dotted_buckets=False,
        check_key=check_key,
        blank="%20",  # some SDKs decode `+` and some do not
        render_time=iso_time,
        strict_numbers=True,
        promises=OssPromises,
        no_digest=("MissingArgument", "Content-MD5 is required."),
        tagging_needs_digest=False,
        aws_chunked=False,
        object_tags=OBJECT_TAGS,
        bucket_tags=BUCKET_TAGS,
        untagged="200",
        untagged_bucket="200",
        bucket_tagged=200,
        deletes_named_tags=True,
        acl_header="object-acl",
        default_acl="default",
        canned_acls={"x-oss-": OBJECT_ACLS},
        default_shows_bucket=True,
        grants=False,
        classes={name: name for name in CLASSES},
        bad_class="InvalidArgument",
        shows_standard=True,
        answers_class=False,
        archives=ARCHIVES,
        default_type="application/octet-stream",
        meta_limit=8 * 1024,
        meta_error="InvalidArgument",
        meta_name=lambda name: bool(name) and "_" not in name,
        upper_etags=True,
        random_etags=True,
        shows_md5=True,
        sequential_uploads=True,
        lists_encryption=True,
        crc64_header="hash-crc64ecma",
        etag_headers=True,
        shown_kinds=frozenset(Kind),
        lists_restores=True,
        lists_default=100,
        lists_crc64=True,
        always_marks=True,
        writes_empty=True,
        uploads_name_owner=False,
        continuation=(render_token, parse_token),
        choose_range=choose_range,
        head_ranges=False,
        all_conditions=True,
        refuses_conditions=True,
        exclusive_header=True,
        checks_exclusive=True,
        exists="FileAlreadyExists",
        completes_all=True,
        completion_sets_acl=True,
        deletes_any_key=True,
        quiet_is_empty=True,
        links=LinkRules(
            later_time=True,
            own_class=True,
            shows_crc64=False,  # the manual's sample of a link has no checksum
            crc64=0,
            always_quoted=True,
            refuses_body=False,
        ),
        appends=AppendRules(
            limit=SINGLE_LIMIT,
            last_position=SINGLE_LIMIT,
            too_large="EntityTooLarge",
            no_position="MissingArgument",
            etag=lambda _, crc, size, __: f"{crc:016X}{size:08X}00000000",
            reports_position=True,
            ignores_empty=True,
            reports_crc64=True,
            refuses_archived=False,
        ),
        copies=CopyRules(
            edits_in_place=True,  # CopyObject page
            any_size=True,
            too_large=("EntityTooLarge", None),
            known_status="NotModified",
            keeps_meta="client-side-encryption-",
            keeps_type=True,  # the tests of oss v2 say so, and why no other header
            refuses_body=False,
            checks_range=False,  # UploadPartCopy page
            digests_parts=False,  # opaque; an MD5 would mean reading everything twice
        ),
        restores=RestoreRules(
            most_days=7,
            default_days=1,
            bad_days="MalformedXML",
            tiers={
                "ColdArchive": frozenset({"Expedited", "Standard", "Bulk"}),
                "DeepColdArchive": frozenset({"Expedited", "Standard"}),
            },
            not_archived=("OperationNotSupported", "The object is not archived."),
        ),
    )


class OssPromises:
    """The checksums of a body: MD5 and CRC64."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._md5 = headers.get("Content-MD5")
        self._crc64 = headers.get("x-oss-hash-crc64ecma")
        self.given = self._md5 is not None
        self.kept: dict[str, str] = {}

    def update(self, data: bytes) -> None:
        """Take the next bytes of the body, whose checksums are computed anyway."""

    def check(self, md5: str, crc: int, trailer: Mapping[str, str]) -> None:  # noqa: ARG002
        """Compare what was promised with the body, whose MD5 is given in hex.

        Raises:
            ServiceError: something differs.
        """
        if self._md5 and _hex(self._md5) != md5:
            raise ServiceError("InvalidDigest", extra={"ClientMD5": self._md5, "ServerMD5": md5})
        if self._crc64 and self._crc64 != str(crc):
            extra = {"ClientCRC64": self._crc64, "ServerCRC64": str(crc)}
            raise ServiceError("InvalidCRC64", extra=extra)


def _hex(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def check_key(key: str) -> None:
    """Make sure that an object may be called so: 1 to 1023 bytes of UTF-8, no slash in front.

    Raises:
        ServiceError: it may not.
    """
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= _KEY_LIMIT or key[0] in "/\\":
        raise ServiceError("InvalidObjectName", extra={"ObjectName": key})


def render_token(key: str) -> str:
    """Return a continuation token: base64 of a one-field protobuf, as the manual's samples look."""
    data = key.encode()
    length = bytearray()
    rest = len(data)
    while rest > 0x7F:  # noqa: PLR2004 - seven bits a byte
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return base64.b64encode(b"\n" + bytes(length) + bytes([rest]) + data).decode().replace("=", "-")


def parse_token(token: str) -> str:
    """Return the key that a token stands for.

    Raises:
        ValueError: it is no token.
    """
    data = base64.b64decode(token.replace("-", "="), validate=True)
    start = next((at for at, byte in enumerate(data[1:], 2) if not byte & 0x80), None)
    if start is None:
        raise ValueError("a token without a length")
    return data[start:].decode()
