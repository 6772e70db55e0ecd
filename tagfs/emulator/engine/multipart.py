"""Multipart uploads: parts are extents, and completing an upload is writing their list down."""

import hashlib
import secrets
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

from tagfs.emulator.engine.attributes import (
    answer_headers,
    crc64_header,
    md5_header,
    read_attributes,
    shown_encryption,
)
from tagfs.emulator.engine.body_upload import check_crc64, read_document, receive
from tagfs.emulator.engine.conditions import (
    guard_overwrite,
    guard_version,
    refuse_callback,
    refuse_conditions,
    wants_exclusive,
)
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.customer_keys import check_key
from tagfs.emulator.engine.directories import make_parents
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import read_acl
from tagfs.emulator.engine.key_encoding import encoder
from tagfs.emulator.engine.part_checksums import (
    check_named,
    checksum_of,
    completed_elements,
    joined,
    read_algorithm,
)
from tagfs.emulator.engine.part_reads import check_size, with_sizes
from tagfs.emulator.engine.sequential import md5_of_parts, read_sequential, refuse_gap
from tagfs.emulator.engine.uncopied import etag_of
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.crc64 import crc64_combine
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord, PartRecord, UploadRecord
from tagfs.emulator.xml_text import element, parse, text_of

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
        message = "Part number must be an integer between 1 and 10000, inclusive"
        extra = {"ArgumentName": "partNumber", "ArgumentValue": text}
        raise ServiceError("InvalidArgument", message, extra=extra)
    return int(text)


async def InitiateMultipartUpload(context: Context) -> Reply:
    """Open an upload (S3 calls it CreateMultipartUpload); tags and metadata come with it."""
    refuse_conditions(context)
    exclusive = wants_exclusive(context)
    if context.dialect.checks_exclusive:
        guard_overwrite(context)
    attributes = read_attributes(context)
    if not context.dialect.keeps_upload_tags:
        attributes = replace(attributes, tags={})
    algorithm = read_algorithm(context)
    noted = {**algorithm, **read_sequential(context)}
    attributes = replace(attributes, headers={**attributes.headers, **noted})
    identity = context.storage.uploads.begin(
        context.bucket.id, context.key, context.now_ms, attributes, exclusive=exclusive
    )
    encoding, encode = encoder(context)
    reply = context.document(
        "InitiateMultipartUploadResult",
        encoding,
        element("Bucket", context.bucket.name),
        element("Key", encode(context.key)),
        element("UploadId", identity),
    )
    reply.headers |= algorithm
    return reply


async def UploadPart(context: Context) -> Reply:
    """Store a part; its number may have been used before."""
    upload, number = demand_upload(context), part_number(context)
    check_key(context, upload.attributes.headers)
    refuse_gap(context, upload, number)
    staged = await receive(context)
    try:
        part = PartRecord(
            number=number,
            size=staged.size,
            etag=context.dialect.etag(etag_of(upload.attributes.headers, staged.md5)),
            crc64=staged.crc64,
            mtime_ms=context.now_ms,
            checksum=checksum_of(context, upload, staged.checksums),
        )
        if not context.storage.uploads.put_part(upload.id, part, staged):
            raise ServiceError("NoSuchUpload")
    finally:
        staged.discard()
    headers = {"ETag": f'"{part.etag}"', **crc64_header(context, part.crc64), **staged.checksums}
    headers |= shown_encryption(context, upload.attributes.headers)
    if context.dialect.shows_md5:
        headers |= md5_header(staged.md5)
    return Reply(headers=headers)


async def CompleteMultipartUpload(context: Context) -> Reply:
    """Join the parts that the body names, or all of them, into the object."""
    refuse_callback(context)
    data = await read_document(context, of_object=True)
    if (done := _repeated(context, data)) is not None:
        return _completed(context, done)
    upload = demand_upload(context)
    guard_overwrite(context, exclusive=upload.exclusive, ec=_CONFLICT)
    if context.dialect.conditional_completion:
        guard_version(context)
    present = context.storage.uploads.parts(upload.id)
    used = present if _takes_all(context, data) else _named_parts(data, present, upload)
    _check_sizes(used, context.config.minimum_part_size)
    make_parents(context)
    record = _joined(context, upload, used)
    check_crc64(context, record.crc64 or 0)
    check_size(context, record.size)
    return _completed(context, context.storage.uploads.complete(upload, record, used))


def _repeated(context: Context, data: bytes) -> ObjectRecord | None:
    """Return what was made when this upload was completed with these parts before."""
    if not context.dialect.repeats_completion:
        return None
    identity = context.parameter("uploadId") or ""
    done = context.storage.uploads.completed(context.bucket.id, context.key, identity)
    if done is None:
        return None
    record, used = done
    try:
        _named_parts(data, used, None)
    except ServiceError:
        return None
    return record


def _completed(context: Context, record: ObjectRecord) -> Reply:
    encoding, encode = encoder(context)
    reply = context.document(
        "CompleteMultipartUploadResult",
        encoding,
        element("Location", f"http://{context.request.host}/{encode(context.key)}"),
        element("Bucket", context.bucket.name),
        element("Key", encode(context.key)),
        element("ETag", f'"{record.etag}"' if context.dialect.reports_completed else ""),
        completed_elements(record.attributes.headers),
    )
    reply.headers |= answer_headers(context, record)
    reply.headers |= crc64_header(context, record.crc64)
    return reply


def _takes_all(context: Context, data: bytes) -> bool:
    if not context.dialect.completes_all or (context.own("complete-all") or "").lower() != "yes":
        return False
    if data:
        raise ServiceError("InvalidArgument", "With complete-all there must be no body.")
    return True


def _named_parts(
    data: bytes, present: list[PartRecord], upload: UploadRecord | None
) -> list[PartRecord]:
    """Return the parts that the end of an upload names; None if it ended before."""
    root = parse(data)
    if root is None or root.tag not in {"CompleteMultipartUpload", "CompleteMultipartUploadResult"}:
        raise ServiceError("MalformedXML")
    nodes = root.findall("Part")
    named = [_named(node) for node in nodes]
    if not named:
        raise ServiceError("MalformedXML")
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(named)):
        raise ServiceError("InvalidPartOrder")
    by_number = {part.number: part for part in present}
    used = []
    for node, (number, etag) in zip(nodes, named, strict=True):
        part = by_number.get(number)
        if part is None or part.etag.lower() != etag.strip('" ').lower():
            raise ServiceError("InvalidPart", extra={"PartNumber": str(number), "ETag": etag})
        if upload is not None:
            check_named(upload, part, node)
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
        etag=f"{context.dialect.etag(_digest(context, used))}-{len(used)}",
        md5=md5_of_parts(context, upload, used),
        crc64=crc,
        mtime_ms=context.now_ms,
        attributes=_attributes(context, upload, used),
    )


def _attributes(context: Context, upload: UploadRecord, used: list[PartRecord]) -> Attributes:
    headers = with_sizes(context, joined(upload.attributes, used), used)
    made = replace(upload.attributes, headers=headers)
    if context.dialect.completion_sets_acl and context.own(context.dialect.acl_header):
        return replace(made, acl=read_acl(context))
    return made


def _digest(context: Context, used: list[PartRecord]) -> str:
    if context.dialect.random_etags:
        return secrets.token_hex(16)
    return hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in used)).hexdigest()


async def AbortMultipartUpload(context: Context) -> Reply:
    """Throw an upload away."""
    context.storage.uploads.abort(demand_upload(context))
    return Reply(status=204)
