"""UploadPartCopy: a part made of a range of an object, without moving its bytes."""

import asyncio
import re

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.attributes import refuse_archived
from tagfs.emulator.oss.conditions import unsatisfiable
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.copying import SOURCE, find_source
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.oss.intake import SINGLE_LIMIT, too_large
from tagfs.emulator.oss.multipart import demand_upload, part_number
from tagfs.emulator.oss.symlinks import look_through
from tagfs.emulator.storage.contents import Extents, slice_extents
from tagfs.emulator.storage.records import ObjectRecord, PartRecord
from tagfs.emulator.time_formats import iso_time
from tagfs.emulator.xml_text import element, render

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_READ_IN_PLACE = 256 * 1024


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
        crc = await _checksum(context, source, extents, length)
        part = PartRecord(
            number=number,
            size=length,
            etag=f"{crc:016X}{length:016X}",  # opaque; an MD5 would mean reading everything twice
            crc64=crc,
            mtime_ms=context.now_ms,
            extents=extents,
        )
        if not context.storage.uploads.share_part(upload.id, part):
            raise ServiceError("NoSuchUpload")
    finally:
        objects.release(extents)
    body = render(
        "CopyPartResult",
        element("LastModified", iso_time(part.mtime_ms)),
        element("ETag", f'"{part.etag}"'),
    )
    headers = {"Content-Type": "application/xml", "ETag": f'"{part.etag}"'}
    return Reply(headers=headers, body=body)


def _range(context: Context, size: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(context.header(f"{SOURCE}-range") or "")
    if match is None:  # absent, or malformed: the whole object (UploadPartCopy page)
        return 0, size
    first, last = int(match[1]), int(match[2])
    if not first <= last < size:
        raise unsatisfiable(size)
    return first, last - first + 1


async def _checksum(context: Context, source: ObjectRecord, extents: Extents, length: int) -> int:
    if length == source.size and source.crc64 is not None:
        return source.crc64
    content = context.storage.contents.open(extents)
    try:
        if length <= _READ_IN_PLACE:
            return content.checksum(0, length)
        return await asyncio.to_thread(content.checksum, 0, length)
    finally:
        content.close()
