"""AppendObject: a log grows at its end, and the position guards against doing so twice."""

from dataclasses import replace

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.attributes import read_attributes
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.oss.intake import SINGLE_LIMIT, receive, too_large
from tagfs.emulator.storage.blobs import Staged
from tagfs.emulator.storage.crc64 import crc64_combine
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord


async def AppendObject(context: Context) -> Reply:
    """Add a body to the end of an appendable object; the first one makes the object."""
    position = _position(context)
    _judge(context, position)
    attributes = None if context.find() else read_attributes(context)
    staged = await receive(context)
    try:
        old = _judge(context, position)
        if position + staged.size > SINGLE_LIMIT:
            raise too_large()
        record = _append(context, old, staged, attributes)
    finally:
        staged.discard()
    headers = {
        "ETag": f'"{record.etag}"',
        "x-oss-next-append-position": str(record.size),
        "x-oss-hash-crc64ecma": str(record.crc64),
    }
    return Reply(headers=headers)


def _position(context: Context) -> int:
    text = context.parameter("position")
    if not text:
        raise ServiceError("MissingArgument", extra={"ArgumentName": "position"})
    if not text.isdecimal():
        raise ServiceError("InvalidArgument", "The position is no length.")
    return int(text)


def _judge(context: Context, position: int) -> ObjectRecord | None:
    """Return the object to append to, if there is one."""
    record = context.find()
    if record is not None and record.kind is not Kind.APPENDABLE:
        raise ServiceError("ObjectNotAppendable")
    length = record.size if record else 0
    if position != length:
        headers = {"x-oss-next-append-position": str(length)}
        raise ServiceError("PositionNotEqualToLength", headers=headers)
    return record


def _append(
    context: Context, old: ObjectRecord | None, staged: Staged, attributes: Attributes | None
) -> ObjectRecord:
    if old is not None and not staged.size:
        return old
    base = old or ObjectRecord(
        key=context.key,
        kind=Kind.APPENDABLE,
        size=0,
        etag="",
        crc64=0,
        mtime_ms=0,
        attributes=attributes or read_attributes(context),
    )
    crc = crc64_combine(base.crc64 or 0, staged.crc64, staged.size)
    size = base.size + staged.size
    record = replace(
        base,
        size=size,
        crc64=crc,
        etag=f"{crc:016X}{size:08X}00000000",
        mtime_ms=context.now_ms,
    )
    return context.storage.objects.append(context.bucket.id, record, staged)
