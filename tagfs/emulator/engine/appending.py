"""AppendObject: a log grows at its end, and the position guards against doing so twice."""

from dataclasses import replace

from tagfs.emulator.engine.attributes import crc64_header, read_attributes
from tagfs.emulator.engine.body_upload import receive
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.rules import AppendRules
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.blobs import Staged
from tagfs.emulator.storage.crc64 import crc64_combine
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord

_DIGITS = 18  # of a position that is taken for what it says


async def AppendObject(context: Context) -> Reply:
    """Add a body to the end of an appendable object; the first one makes the object.

    Tags in the header count at position 0, like the metadata; the manual of OBS does not list them.
    How many appends there were is not counted (OBS allows 10000).
    """
    rules = context.dialect.appends
    if rules is None:
        raise ServiceError("MethodNotAllowed")
    if context.is_posix:
        raise ServiceError("FsNotSupport")
    position = _position(context, rules)
    _judge(context, rules, position)
    attributes = None if context.find() else read_attributes(context)
    staged = await receive(context)
    try:
        old = _judge(context, rules, position)
        if position > rules.last_position or position + staged.size > rules.limit:
            raise ServiceError(rules.too_large)
        record = _append(context, rules, (old, attributes), staged)
    finally:
        staged.discard()
    headers = {
        "ETag": f'"{record.etag}"',
        f"{context.dialect.family}next-append-position": str(record.size),
    }
    if rules.reports_crc64:
        headers |= crc64_header(context, record.crc64)
    return Reply(headers=headers)


def _position(context: Context, rules: AppendRules) -> int:
    text = context.parameter("position")
    extra = {"ArgumentName": "position", "ArgumentValue": text or ""}
    if not text:
        raise ServiceError(rules.no_position, extra=extra)
    if not text.isdecimal():
        raise ServiceError("InvalidArgument", "The position is no length.", extra=extra)
    return int(text[:_DIGITS])


def _judge(context: Context, rules: AppendRules, position: int) -> ObjectRecord | None:
    """Return the object to append to, if there is one."""
    record = context.find()
    if record is not None and record.kind is not Kind.APPENDABLE:
        raise ServiceError("ObjectNotAppendable")
    archives = context.dialect.archives if rules.refuses_archived else frozenset()
    if record is not None and record.attributes.storage_class in archives:
        raise ServiceError("ObjectNotAppendable")
    length = record.size if record else 0
    if position != length:
        name = f"{context.dialect.family}next-append-position"
        headers = {name: str(length)} if rules.reports_position else {}
        raise ServiceError("PositionNotEqualToLength", headers=headers)
    return record


def _append(
    context: Context,
    rules: AppendRules,
    begun: tuple[ObjectRecord | None, Attributes | None],
    staged: Staged,
) -> ObjectRecord:
    old, attributes = begun
    if old is not None and not staged.size and rules.ignores_empty:
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
        etag=rules.etag(base.etag, crc, size, staged.md5),
        mtime_ms=context.now_ms,
    )
    return context.storage.objects.append(context.bucket.id, record, staged)
