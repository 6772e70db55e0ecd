"""Multipart uploads: parts are extents, and completing an upload is writing their list down."""

import secrets
from itertools import pairwise
from xml.etree import ElementTree

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.attributes import (
    read_attributes,
    refuse_overwrite,
    refuse_preconditions,
    wants_exclusive,
)
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.oss.intake import receive
from tagfs.emulator.oss.naming import encoder
from tagfs.emulator.storage.crc64 import crc64_combine
from tagfs.emulator.storage.records import Kind, ObjectRecord, PartRecord, UploadRecord
from tagfs.emulator.xml_text import element, parse, render, text_of

_XML = {"Content-Type": "application/xml"}
_MOST_PARTS = 10_000
_CONFLICT = "0042-00000214"


def demand_upload(context: Context) -> UploadRecord:
    """Return the upload asked for.

    Raises:
        ServiceError: there is none.
    """
    identity = context.parameter("uploadId") or ""
    upload = context.storage.uploads.get(context.bucket.id, context.key, identity)
    if upload is None:
        raise ServiceError("NoSuchUpload", extra={"UploadId": identity})
    return upload


def part_number(context: Context) -> int:
    """Return the number of the part asked for.

    Raises:
        ServiceError: it is not between 1 and 10000.
    """
    text = context.parameter("partNumber") or ""
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PARTS:
        message = "Part number must be an integer between 1 and 10000, inclusive."
        extra = {"ArgumentName": "partNumber", "ArgumentValue": text}
        raise ServiceError("InvalidArgument", message, extra=extra)
    return int(text)


async def InitiateMultipartUpload(context: Context) -> Reply:
    """Open an upload; tags and metadata of the object come with it."""
    refuse_preconditions(context)
    exclusive = wants_exclusive(context)
    refuse_overwrite(context, exclusive=exclusive)
    identity = context.storage.uploads.begin(
        context.bucket.id,
        context.key,
        context.now_ms,
        read_attributes(context),
        exclusive=exclusive,
    )
    encoding, encode = encoder(context)
    body = render(
        "InitiateMultipartUploadResult",
        encoding,
        element("Bucket", context.bucket.name),
        element("Key", encode(context.key)),
        element("UploadId", identity),
    )
    return Reply(headers=dict(_XML), body=body)


async def UploadPart(context: Context) -> Reply:
    """Store a part; its number may have been used before."""
    upload, number = demand_upload(context), part_number(context)
    staged = await receive(context)
    try:
        part = PartRecord(
            number=number,
            size=staged.size,
            etag=staged.md5.upper(),
            crc64=staged.crc64,
            mtime_ms=context.now_ms,
        )
        if not context.storage.uploads.put_part(upload.id, part, staged):
            raise ServiceError("NoSuchUpload")
    finally:
        staged.discard()
    return Reply(headers={"ETag": f'"{part.etag}"', "x-oss-hash-crc64ecma": str(part.crc64)})


async def CompleteMultipartUpload(context: Context) -> Reply:
    """Join the parts that the body names, or all of them, into the object."""
    data = await context.xml_body()
    upload = demand_upload(context)
    exclusive = wants_exclusive(context) or upload.exclusive
    refuse_overwrite(context, exclusive=exclusive, ec=_CONFLICT)
    present = context.storage.uploads.parts(upload.id)
    used = present if _takes_all(context, data) else _named_parts(data, present)
    _check_sizes(used, context.config.minimum_part_size)
    record = _joined(context, upload, used)
    context.storage.uploads.complete(upload, record, used)
    encoding, encode = encoder(context)
    host = context.request.host
    body = render(
        "CompleteMultipartUploadResult",
        encoding,
        element("Location", f"http://{host}/{encode(context.key)}"),
        element("Bucket", context.bucket.name),
        element("Key", encode(context.key)),
        element("ETag", f'"{record.etag}"'),
    )
    headers = {
        "Content-Type": "application/xml",
        "ETag": f'"{record.etag}"',
        "x-oss-hash-crc64ecma": str(record.crc64),
    }
    return Reply(headers=headers, body=body)


def _takes_all(context: Context, data: bytes) -> bool:
    if (context.header("x-oss-complete-all") or "").lower() != "yes":
        return False
    if data:
        raise ServiceError("InvalidArgument", "With x-oss-complete-all there must be no body.")
    return True


def _named_parts(data: bytes, present: list[PartRecord]) -> list[PartRecord]:
    root = parse(data)
    if root is None or root.tag != "CompleteMultipartUpload":
        raise ServiceError("MalformedXML")
    named = [_named(node) for node in root.findall("Part")]
    numbers = [number for number, _ in named]
    if not named:
        raise ServiceError("MalformedXML", "An upload needs at least one part.")
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise ServiceError("InvalidPartOrder")
    by_number = {part.number: part for part in present}
    used = []
    for number, etag in named:
        part = by_number.get(number)
        if part is None or part.etag != etag.strip('" ').upper():
            raise ServiceError("InvalidPart", extra={"PartNumber": str(number), "ETag": etag})
        used.append(part)
    return used


def _named(node: ElementTree.Element) -> tuple[int, str]:
    number, etag = text_of(node, "PartNumber"), text_of(node, "ETag")
    if number is None or etag is None or not number.strip().isdecimal():
        raise ServiceError("MalformedXML")
    return int(number), etag


def _check_sizes(used: list[PartRecord], minimum: int) -> None:
    if not used:
        raise ServiceError("InvalidPart", "The upload has no parts.")
    for part in used[:-1]:
        if part.size < minimum:
            extra = {
                "ProposedSize": str(part.size),
                "MinSizeAllowed": str(minimum),
                "PartNumber": str(part.number),
                "ETag": part.etag,
            }
            raise ServiceError("EntityTooSmall", extra=extra)


def _joined(context: Context, upload: UploadRecord, used: list[PartRecord]) -> ObjectRecord:
    crc = 0
    for part in used:
        crc = crc64_combine(crc, part.crc64, part.size)
    return ObjectRecord(
        key=context.key,
        kind=Kind.MULTIPART,
        size=sum(part.size for part in used),
        etag=f"{secrets.token_hex(16).upper()}-{len(used)}",
        crc64=crc,
        mtime_ms=context.now_ms,
        attributes=upload.attributes,
    )


async def AbortMultipartUpload(context: Context) -> Reply:
    """Throw an upload away."""
    context.storage.uploads.abort(demand_upload(context))
    return Reply(status=204)
