"""PutSymlink and GetSymlink (reference, section 12)."""

import hashlib
from urllib.parse import quote, unquote

from tagfs.emulator.engine.addressing import key_fits
from tagfs.emulator.engine.attributes import (
    STANDARD,
    guard_overwrite,
    object_headers,
    read_attributes,
    shown_class,
)
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.blobs import stage_bytes
from tagfs.emulator.storage.records import Kind, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date

_TARGET = "symlink-target"


async def PutSymlink(context: Context) -> Reply:
    """Make a link; nobody looks whether its target exists.

    Not documented, and chosen here: tags in the header are taken, the target is percent-decoded,
    the size in listings is that of the target's name, and file systems refuse links.
    """
    if context.is_posix:
        raise ServiceError("FsNotSupport")
    if context.request.body.length:
        raise ServiceError("InvalidRequest", "A symlink has no content.")
    target = _target_of(context)
    attributes = read_attributes(context)
    guard_overwrite(context)
    name = target.encode("utf-8", "surrogateescape")
    record = ObjectRecord(
        key=context.key,
        kind=Kind.SYMLINK,
        size=len(name),
        etag=hashlib.md5(name).hexdigest(),
        mtime_ms=context.now_ms,
        attributes=attributes,
        target=target,
    )
    context.storage.objects.put(context.bucket.id, record, stage_bytes(b""))
    return Reply(headers={"ETag": f'"{record.etag}"'})


def _target_of(context: Context) -> str:
    header = context.own(_TARGET)
    if not header:
        raise ServiceError("InvalidArgument", "The symlink target is missing.")
    target = unquote(header, errors="surrogateescape")
    if not key_fits(target, in_characters=True):
        raise ServiceError("KeyTooLongError")
    return target


async def GetSymlink(context: Context) -> Reply:
    """Tell where a link points: as it is, or percent-encoded if it is not ASCII."""
    record = context.demand()
    if record.kind is not Kind.SYMLINK:
        raise ServiceError("NotSymlink")
    headers = object_headers(context, record)
    is_ascii = record.target.isascii() and record.target.isprintable()
    headers[context.family + _TARGET] = (
        record.target if is_ascii else quote(record.target, errors="surrogateescape")
    )
    if record.attributes.storage_class != STANDARD:
        name = shown_class(context, record.attributes.storage_class)
        headers[f"{context.family}storage-class"] = name
    headers["ETag"] = f'"{record.etag}"'
    headers["Last-Modified"] = http_date(record.mtime_ms // MILLISECONDS)
    return Reply(headers=headers)
