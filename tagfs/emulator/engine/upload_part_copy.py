"""UploadPartCopy: a part made of a range of an object, without moving its bytes.

Where its ETag is the MD5 of the range, it is so up to 64 MiB; beyond that it is opaque, as it is
with encryption, for reading gigabytes to answer a request that moves none would make every such
test slow.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import TypeVar

from tagfs.emulator.engine.attributes import refuse_archived
from tagfs.emulator.engine.body_upload import SINGLE_LIMIT, too_large
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.copying import SOURCE, find_source, quoted
from tagfs.emulator.engine.customer_keys import check_key
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.multipart import demand_upload, part_number
from tagfs.emulator.engine.part_checksums import of_copy, part_element
from tagfs.emulator.engine.ranges import unsatisfiable
from tagfs.emulator.engine.symlinks import look_through
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.contents import Content, Extents, slice_extents
from tagfs.emulator.storage.crc64 import crc64
from tagfs.emulator.storage.records import ObjectRecord, PartRecord
from tagfs.emulator.xml_text import element

_T = TypeVar("_T")
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")
_OPEN_RANGE = re.compile(r"bytes=(\d{1,18})-")
_READ_IN_PLACE = 256 * 1024
_DIGEST_LIMIT = 64 * 1024 * 1024


async def UploadPartCopy(context: Context) -> Reply:
    """Store a part that is a range of an object."""
    upload, number = demand_upload(context), part_number(context)
    check_key(context, upload.attributes.headers)
    bucket, named = find_source(context)
    source = look_through(context, named, bucket.id).content
    refuse_archived(context, source)
    start, length = _range(context, source.size)
    if length > SINGLE_LIMIT:
        raise too_large()
    extents = slice_extents(source.extents, start, length)
    objects = context.storage.objects
    objects.hold(extents)  # reading takes a while, and the source may go meanwhile
    try:
        etag, crc = await _checksums(context, source, extents, length)
        part = PartRecord(
            number=number,
            size=length,
            etag=context.dialect.etag(etag),
            crc64=crc,
            mtime_ms=context.now_ms,
            extents=extents,
            checksum=of_copy(context, upload, crc),
        )
        if not context.storage.uploads.share_part(upload.id, part):
            raise ServiceError("NoSuchUpload")
    finally:
        objects.release(extents)
    reply = context.document(
        "CopyPartResult",
        element("LastModified", context.time(part.mtime_ms)),
        element("ETag", quoted(context, part.etag)),
        part_element(upload, part),
    )
    if context.dialect.etag_headers:
        reply.headers["ETag"] = f'"{part.etag}"'
    return reply


def _range(context: Context, size: int) -> tuple[int, int]:
    text = context.own(f"{SOURCE}-range")
    match = _RANGE.fullmatch(text or "")
    is_lax = not context.dialect.copies.checks_range
    if is_lax and (open_end := _OPEN_RANGE.fullmatch(text or "")) and int(open_end[1]) < size:
        return int(open_end[1]), size - int(open_end[1])
    if text is None or (match is None and is_lax):
        return 0, size
    if match is None:
        message = "The copy-source-range value must be of the form bytes=first-last"
        raise ServiceError("InvalidArgument", message)
    first, last = int(match[1]), int(match[2])
    if not first <= last < size:
        raise unsatisfiable(size)
    return first, last - first + 1


async def _checksums(
    context: Context, source: ObjectRecord, extents: Extents, length: int
) -> tuple[str, int]:
    digests = context.dialect.copies.digests_parts
    if length == source.size and source.crc64 is not None:
        if not digests:
            return _opaque(source.crc64, length), source.crc64
        if source.md5:
            return source.md5, source.crc64
    content = context.storage.contents.open(extents)
    try:
        if digests and length <= _DIGEST_LIMIT:
            return await _run(_read, content, length)
        crc = await _run(Content.checksum, content, length)
        return _opaque(crc, length), crc
    finally:
        content.close()


async def _run(read: Callable[[Content, int, int], _T], content: Content, length: int) -> _T:
    """Read a content here while it is short, else in a thread."""
    if length <= _READ_IN_PLACE:
        return read(content, 0, length)
    return await asyncio.to_thread(read, content, 0, length)


def _opaque(crc: int, length: int) -> str:
    return f"{crc:016x}{length:016x}"


def _read(content: Content, start: int, length: int) -> tuple[str, int]:
    digest, crc = hashlib.md5(), 0
    for chunk in content.read(start, length):
        digest.update(chunk)
        crc = crc64(chunk, crc)
    return digest.hexdigest(), crc
