"""Symlinks: PutSymlink, GetSymlink, and what GET and HEAD see through one."""

import hashlib
from typing import NamedTuple
from urllib.parse import quote, unquote

from tagfs.emulator.engine.attributes import (
    class_header,
    content_headers,
    crc64_header,
    md5_header,
    object_headers,
    read_attributes,
    version_header,
)
from tagfs.emulator.engine.conditions import guard_overwrite, refuse_conditions
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.rules import LinkRules
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.blobs import stage_bytes
from tagfs.emulator.storage.records import Kind, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date

_TARGET = "symlink-target"


class View(NamedTuple):
    """What a reader is shown: headers of one object, content of perhaps another."""

    shown: ObjectRecord
    content: ObjectRecord
    mtime_ms: int

    @property
    def is_link(self) -> bool:
        """Tell whether the reader looks through a link."""
        return self.shown is not self.content


def look_through(context: Context, record: ObjectRecord, bucket: int | None = None) -> View:
    """Follow a link to its target; anything else is its own target.

    Raises:
        ServiceError: the target is missing, or itself a link: no service follows chains. (What OBS
            says of either is not documented.)
    """
    if record.kind is not Kind.SYMLINK:
        return View(record, record, record.mtime_ms)
    owner = context.bucket.id if bucket is None else bucket
    target = context.storage.objects.get(owner, record.target)
    if target is None:
        raise ServiceError("SymlinkTargetNotExist", extra={"Key": record.target})
    if target.kind is Kind.SYMLINK:
        raise ServiceError("InvalidTargetType", extra={"Key": record.target})
    later = _rules(context).later_time
    mtime_ms = max(record.mtime_ms, target.mtime_ms) if later else record.mtime_ms
    return View(record, target, mtime_ms)


def view_headers(context: Context, view: View) -> dict[str, str]:
    """Return the headers of GET and HEAD; of a link, its own and its target's."""
    headers = object_headers(context, view.shown) | content_headers(context, view.content)
    described = view.content
    if view.is_link:
        rules = _rules(context)
        described = view.shown if rules.own_class else view.content
        if view.content.md5:
            headers |= md5_header(view.content.md5)
        if not rules.shows_crc64:
            headers.pop(context.family + context.dialect.crc64_header, None)
    headers |= class_header(context, described)
    headers["Last-Modified"] = http_date(view.mtime_ms // MILLISECONDS)
    return headers


async def PutSymlink(context: Context) -> Reply:
    """Make a link; nobody looks whether its target exists.

    Not documented of OBS, and chosen here: tags in the header are taken, the target is
    percent-decoded, the size in listings is that of the target's name, and file systems refuse
    links.
    """
    rules = _rules(context)
    if context.is_posix:
        raise ServiceError("FsNotSupport")
    if rules.refuses_body and context.request.body.length:
        raise ServiceError("InvalidRequest", "A symlink has no content.")
    refuse_conditions(context)
    target = _target_of(context)
    attributes = read_attributes(context)
    guard_overwrite(context)
    name = target.encode("utf-8", "surrogateescape")
    record = ObjectRecord(
        key=context.key,
        kind=Kind.SYMLINK,
        size=len(name),
        etag=context.dialect.etag(hashlib.md5(name).hexdigest()),
        crc64=rules.crc64,
        mtime_ms=context.now_ms,
        attributes=attributes,
        target=target,
    )
    record = context.storage.objects.put(context.bucket.id, record, stage_bytes(b""))
    headers = {"ETag": f'"{record.etag}"', **crc64_header(context, record.crc64)}
    headers |= version_header(context, record)
    return Reply(headers=headers)


def _target_of(context: Context) -> str:
    header = context.own(_TARGET)
    if not header:
        raise ServiceError("InvalidArgument", f"The header {context.family}{_TARGET} is missing.")
    target = unquote(header, errors="surrogateescape")
    context.dialect.check_key(target)
    return target


async def GetSymlink(context: Context) -> Reply:
    """Tell where a link points."""
    record = context.demand()
    if record.kind is not Kind.SYMLINK:
        raise ServiceError("NotSymlink")
    is_plain = record.target.isascii() and record.target.isprintable()
    as_it_is = is_plain and not _rules(context).always_quoted
    headers = {**object_headers(context, record), **class_header(context, record)}
    headers[context.family + _TARGET] = (
        record.target if as_it_is else quote(record.target, errors="surrogateescape")
    )
    headers["ETag"] = f'"{record.etag}"'
    headers["Last-Modified"] = http_date(record.mtime_ms // MILLISECONDS)
    return Reply(headers=headers)


def _rules(context: Context) -> LinkRules:
    """Return the rules; only services that have links store any."""
    rules = context.dialect.links
    if rules is None:
        raise ServiceError("MethodNotAllowed")
    return rules
