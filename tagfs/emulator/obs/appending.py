"""AppendObject: a log grows at its end, and the position guards against doing so twice."""

import hashlib
from dataclasses import replace

from tagfs.emulator.engine.attributes import read_attributes
from tagfs.emulator.engine.body_upload import SINGLE_LIMIT, receive
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.blobs import Staged
from tagfs.emulator.storage.crc64 import crc64_combine
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord

_TOTAL_LIMIT = 10_000 * SINGLE_LIMIT
_DIGITS = 18


async def AppendObject(context: Context) -> Reply:
    """Add a body to the end of an appendable object; the first one makes the object.

    Tags in the header count at position 0, like the metadata; the manual does not list them. How
    many appends there were is not counted (the service allows 10000).
    """
    if context.is_posix:
        raise ServiceError("FsNotSupport")
    position = _position(context)
    _judge(context, position)
    attributes = None if context.find() else read_attributes(context)
    staged = await receive(context)
    try:
        old = _judge(context, position)
        if position > SINGLE_LIMIT or position + staged.size > _TOTAL_LIMIT:
            raise ServiceError("AppendTooLarge")
        record = _append(context, old, staged, attributes)
    finally:
        staged.discard()
    headers = {
        "ETag": f'"{record.etag}"',
        "x-obs-next-append-position": str(record.size),
    }
    return Reply(headers=headers)


def _position(context: Context) -> int:
    text = context.parameter("position") or ""
    if not text.isdecimal():
        extra = {"ArgumentName": "position", "ArgumentValue": text}
        raise ServiceError("InvalidArgument", "The position is no length.", extra=extra)
    if len(text) > _DIGITS:
        raise ServiceError("AppendTooLarge")
    return int(text)


def _judge(context: Context, position: int) -> ObjectRecord | None:
    """Return the object to append to, if there is one."""
    record = context.find()
    if record is not None and record.kind is not Kind.APPENDABLE:
        raise ServiceError("ObjectNotAppendable")
    if record is not None and record.attributes.storage_class in context.dialect.archives:
        raise ServiceError("ObjectNotAppendable")
    if position != (record.size if record else 0):
        raise ServiceError("PositionNotEqualToLength")
    return record


def _append(
    context: Context, old: ObjectRecord | None, staged: Staged, attributes: Attributes | None
) -> ObjectRecord:
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
    chained = hashlib.md5(f"{base.etag}{staged.md5}".encode()).hexdigest()
    record = replace(
        base,
        size=base.size + staged.size,
        crc64=crc,
        etag=staged.md5 if old is None else chained,
        mtime_ms=context.now_ms,
    )
    return context.storage.objects.append(context.bucket.id, record, staged)
