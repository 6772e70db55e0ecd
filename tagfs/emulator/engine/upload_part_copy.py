"""UploadPartCopy: a part made of a range of an object, without moving its bytes.

Its ETag is the MD5 of the range up to 64 MiB; beyond that it is opaque, as it is with encryption,
for reading gigabytes to answer a request that moves none would make every such test slow.
"""

import asyncio
import hashlib
import re

from tagfs.emulator.engine.attributes import refuse_archived
from tagfs.emulator.engine.body_upload import SINGLE_LIMIT, too_large
from tagfs.emulator.engine.conditions import unsatisfiable
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.copying import SOURCE, find_source, quoted
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.multipart import demand_upload, part_number
from tagfs.emulator.engine.symlinks import look_through
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.contents import Content, Extents, slice_extents
from tagfs.emulator.storage.crc64 import crc64
from tagfs.emulator.storage.records import ObjectRecord, PartRecord
from tagfs.emulator.time_formats import exact_time
from tagfs.emulator.xml_text import element

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")
_READ_IN_PLACE = 256 * 1024
_DIGEST_LIMIT = 64 * 1024 * 1024


async def UploadPartCopy(context: Context) -> Reply:
    """Store a part that is a range of an object."""
    upload, number = demand_upload(context), part_number(context)
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
        etag, crc = await _checksums(context, source, extents, (start, length))
        part = PartRecord(
            number=number,
            size=length,
            etag=etag,
            crc64=crc,
            mtime_ms=context.now_ms,
            extents=extents,
        )
        if not context.storage.uploads.share_part(upload.id, part):
            raise ServiceError("NoSuchUpload")
    finally:
        objects.release(extents)
    return context.document(
        "CopyPartResult",
        element("LastModified", exact_time(part.mtime_ms)),
        element("ETag", quoted(context, part.etag)),
    )


def _range(context: Context, size: int) -> tuple[int, int]:
    text = context.own(f"{SOURCE}-range")
    if text is None:
        return 0, size
    match = _RANGE.fullmatch(text)
    if match is None:
        message = "The x-amz-copy-source-range value must be of the form bytes=first-last"
        raise ServiceError("InvalidArgument", message)
    first, last = int(match[1]), int(match[2])
    if not first <= last < size:
        raise unsatisfiable(size)
    return first, last - first + 1


async def _checksums(
    context: Context, source: ObjectRecord, extents: Extents, span: tuple[int, int]
) -> tuple[str, int]:
    start, length = span
    if length == source.size and source.crc64 is not None and source.md5:
        return source.md5, source.crc64
    content = context.storage.contents.open(extents)
    try:
        if length <= _READ_IN_PLACE:
            return _read(content, length)
        if length <= _DIGEST_LIMIT:
            return await asyncio.to_thread(_read, content, length)
        opaque = hashlib.md5(f"{source.etag} {start} {length}".encode()).hexdigest()
        return opaque, await asyncio.to_thread(content.checksum, 0, length)
    finally:
        content.close()


def _read(content: Content, length: int) -> tuple[str, int]:
    digest, crc = hashlib.md5(), 0
    for chunk in content.read(0, length):
        digest.update(chunk)
        crc = crc64(chunk, crc)
    return digest.hexdigest(), crc
