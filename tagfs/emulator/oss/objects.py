"""PutObject, GetObject, HeadObject, GetObjectMeta and the deletions."""

import hashlib
from xml.etree import ElementTree

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.attributes import (
    content_headers,
    object_headers,
    read_attributes,
    refuse_archived,
    refuse_overwrite,
    refuse_preconditions,
    stored_reply,
    wants_exclusive,
)
from tagfs.emulator.oss.conditions import check_conditions, choose_range
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.oss.intake import check_md5, receive
from tagfs.emulator.oss.naming import encoder
from tagfs.emulator.oss.symlinks import View, look_through
from tagfs.emulator.storage.records import Kind, ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date
from tagfs.emulator.xml_text import element, group, parse, render, text_of

_DELETE_LIMIT = 1000
_OVERRIDES = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}


async def PutObject(context: Context) -> Reply:
    """Store a body; whatever was at the key vanishes, tags and all."""
    refuse_preconditions(context)
    exclusive = wants_exclusive(context)
    refuse_overwrite(context, exclusive=exclusive)
    attributes = read_attributes(context)
    staged = await receive(context)
    try:
        refuse_overwrite(context, exclusive=exclusive)
        record = ObjectRecord(
            key=context.key,
            kind=Kind.NORMAL,
            size=staged.size,
            etag=staged.md5.upper(),
            md5=staged.md5,
            crc64=staged.crc64,
            mtime_ms=context.now_ms,
            attributes=attributes,
        )
        context.storage.objects.put(context.bucket.id, record, staged)
    finally:
        staged.discard()
    return stored_reply(record)


async def GetObject(context: Context) -> Reply:
    """Send a content, or a range of it."""
    view = look_through(context, context.demand())
    headers = context.request.headers
    check_conditions(headers, view.content, view.mtime_ms)
    refuse_archived(context, view.content)
    chosen = choose_range(headers, view.content.size)
    reply = Reply(headers=_headers(context, view))
    _override(context, reply)
    reply.start, reply.length = chosen or (0, view.content.size)
    if chosen is not None:
        reply.status = 206
        end = reply.start + reply.length - 1
        reply.headers["Content-Range"] = f"bytes {reply.start}-{end}/{view.content.size}"
    content = context.storage.contents.open(view.content.extents)
    inline = content.in_memory(reply.start, reply.length)
    if inline is None:
        reply.content = content
    else:
        reply.body = inline
    return reply


async def HeadObject(context: Context) -> Reply:
    """Send what GET would send, without the content."""
    view = look_through(context, context.demand())
    check_conditions(context.request.headers, view.content, view.mtime_ms)
    reply = Reply(headers=_headers(context, view))
    reply.headers["Content-Length"] = str(view.content.size)
    return reply


async def GetObjectMeta(context: Context) -> Reply:
    """Send the little that is cheap to know; of a link, what the link itself is."""
    record = context.demand()
    headers = content_headers(record)
    del headers["Accept-Ranges"]
    headers.pop("Content-MD5", None)
    headers["Last-Modified"] = http_date(record.mtime_ms // MILLISECONDS)
    headers["Content-Length"] = str(record.size)
    if record.kind is Kind.SYMLINK:
        headers["x-oss-object-type"] = record.kind.value
    return Reply(headers=headers)


def _headers(context: Context, view: View) -> dict[str, str]:
    headers = object_headers(context, view.shown)
    headers.update(content_headers(view.content))
    if view.shown is not view.content:  # the manual's sample of a link has no checksum
        headers.pop("x-oss-hash-crc64ecma", None)
    headers["Last-Modified"] = http_date(view.mtime_ms // MILLISECONDS)
    return headers


def _override(context: Context, reply: Reply) -> None:
    for parameter, header in _OVERRIDES.items():
        value = context.parameter(parameter)
        if value is not None:
            if context.anonymous:
                raise ServiceError("InvalidRequest", "Anonymous requests override no headers.")
            reply.headers[header] = value


async def DeleteObject(context: Context) -> Reply:
    """Remove an object; a missing one is removed as well as any."""
    context.storage.objects.delete(context.bucket.id, context.key)
    return Reply(status=204)


async def DeleteMultipleObjects(context: Context) -> Reply:
    """Remove up to 1000 objects."""
    if context.header("Content-MD5") is None:
        raise ServiceError("MissingArgument", "Content-MD5 is required.")
    data = await context.xml_body()
    check_md5(context.request, hashlib.md5(data).hexdigest())
    root = parse(data)
    if root is None or root.tag != "Delete":
        raise ServiceError("MalformedXML")
    keys = [_key_of(node) for node in root.findall("Object")]
    if not 0 < len(keys) <= _DELETE_LIMIT:
        raise ServiceError("MalformedXML", "One to 1000 objects can be deleted at once.")
    context.storage.objects.delete_many(context.bucket.id, keys)
    if (text_of(root, "Quiet") or "").lower() == "true":
        return Reply()
    name, encode = encoder(context)
    deleted = (group("Deleted", element("Key", encode(key))) for key in keys)
    return Reply(
        headers={"Content-Type": "application/xml"}, body=render("DeleteResult", name, *deleted)
    )


def _key_of(node: ElementTree.Element) -> str:
    key = text_of(node, "Key")
    if not key:
        raise ServiceError("MalformedXML")
    return key
