"""PutSymlink, GetSymlink, and what GET and HEAD see through a link."""

import hashlib
from typing import NamedTuple
from urllib.parse import quote, unquote

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.addressing import is_key
from tagfs.emulator.oss.attributes import (
    object_headers,
    read_attributes,
    refuse_overwrite,
    refuse_preconditions,
    wants_exclusive,
)
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.storage.blobs import stage_bytes
from tagfs.emulator.storage.records import Kind, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date

TARGET = "x-oss-symlink-target"


class View(NamedTuple):
    """What a reader is shown: headers of one object, content of perhaps another."""

    shown: ObjectRecord
    content: ObjectRecord

    @property
    def mtime_ms(self) -> int:
        """Return the later of both times."""
        return max(self.shown.mtime_ms, self.content.mtime_ms)


def look_through(context: Context, record: ObjectRecord, bucket: int | None = None) -> View:
    """Follow a link to its target; anything else is its own target.

    Raises:
        ServiceError: the target is missing, or is itself a link: the service follows no chains.
    """
    if record.kind is not Kind.SYMLINK:
        return View(record, record)
    owner = context.bucket.id if bucket is None else bucket
    target = context.storage.objects.get(owner, record.target)
    if target is None:
        raise ServiceError("SymlinkTargetNotExist", extra={"Key": record.target})
    if target.kind is Kind.SYMLINK:
        raise ServiceError("InvalidTargetType", extra={"Key": record.target})
    return View(record, target)


async def PutSymlink(context: Context) -> Reply:
    """Make a link; nobody looks whether its target exists."""
    refuse_preconditions(context)
    target = _target_of(context)
    attributes = read_attributes(context)
    refuse_overwrite(context, exclusive=wants_exclusive(context))
    name = target.encode()
    record = ObjectRecord(
        key=context.key,
        kind=Kind.SYMLINK,
        size=len(name),
        etag=hashlib.md5(name).hexdigest().upper(),
        crc64=0,
        mtime_ms=context.now_ms,
        attributes=attributes,
        target=target,
    )
    context.storage.objects.put(context.bucket.id, record, stage_bytes(b""))
    return Reply(headers={"ETag": f'"{record.etag}"', "x-oss-hash-crc64ecma": "0"})


def _target_of(context: Context) -> str:
    header = context.header(TARGET)
    if not header:
        raise ServiceError("InvalidArgument", f"Missing argument {TARGET}.")
    target = unquote(header, errors="surrogateescape")
    if not is_key(target):
        raise ServiceError("InvalidObjectName", extra={"ObjectName": target})
    return target


async def GetSymlink(context: Context) -> Reply:
    """Tell where a link points."""
    record = context.demand()
    if record.kind is not Kind.SYMLINK:
        raise ServiceError("NotSymlink")
    headers = object_headers(context, record)
    headers[TARGET] = quote(record.target, errors="surrogateescape")
    headers["ETag"] = f'"{record.etag}"'
    headers["Last-Modified"] = http_date(record.mtime_ms // MILLISECONDS)
    return Reply(headers=headers)
