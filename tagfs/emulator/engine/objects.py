"""PutObject, GetObject, HeadObject and the deletions."""

from dataclasses import replace
from fnmatch import fnmatchcase
from xml.etree import ElementTree

from tagfs.emulator.engine.addressing import decode
from tagfs.emulator.engine.attributes import read_attributes, refuse_archived, stored_reply
from tagfs.emulator.engine.body_upload import read_document, receive
from tagfs.emulator.engine.conditions import (
    check_conditions,
    guard_overwrite,
    guard_version,
    matches,
    refuse_callback,
    refuse_conditions,
)
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.customer_keys import check_key
from tagfs.emulator.engine.directories import has_children, make_parents, refuse_directory
from tagfs.emulator.engine.errors import ServiceError, complete
from tagfs.emulator.engine.key_encoding import encoder, url_encoder
from tagfs.emulator.engine.part_reads import chosen_part, count_header
from tagfs.emulator.engine.symlinks import look_through, view_headers
from tagfs.emulator.engine.uncopied import etag_of, is_checksum
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import Kind, ObjectRecord
from tagfs.emulator.xml_text import element, group, parse, parse_lax, text_of

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
    refuse_conditions(context)
    refuse_callback(context)
    _guard(context)
    attributes = read_attributes(context)
    staged = await receive(context)
    try:
        _guard(context)
        make_parents(context)
        kept = {**attributes.headers, **staged.checksums}
        if staged.checksums:
            kept["x-amz-checksum-type"] = "FULL_OBJECT"
        record = ObjectRecord(
            key=context.key,
            kind=Kind.NORMAL,
            size=staged.size,
            etag=context.dialect.etag(etag_of(attributes.headers, staged.md5)),
            md5=staged.md5,
            crc64=staged.crc64,
            mtime_ms=context.now_ms,
            attributes=replace(attributes, headers=kept),
        )
        record = context.storage.objects.put(context.bucket.id, record, staged)
    finally:
        staged.discard()
    return stored_reply(context, record)


def _guard(context: Context) -> None:
    guard_overwrite(context)
    guard_version(context)


async def GetObject(context: Context) -> Reply:
    """Send a content, or a range of it."""
    view = look_through(context, context.demand())
    headers = context.request.headers
    check_key(context, view.content.attributes.headers)
    check_conditions(context, view.content, view.mtime_ms)
    refuse_archived(context, view.content)
    part = chosen_part(context, view.content)
    chosen = part or context.dialect.choose_range(headers, view.content.size)
    reply = Reply(headers=view_headers(context, view))
    if part:
        reply.headers |= count_header(view.content)
    _override(context, reply)
    reply.start, reply.length = chosen or (0, view.content.size)
    if chosen is not None and view.content.size:
        reply.status = context.dialect.range_status
        _forget_checksums(reply)
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
    headers = context.request.headers
    check_key(context, view.content.attributes.headers)
    check_conditions(context, view.content, view.mtime_ms)
    chosen = part = chosen_part(context, view.content)
    if part is None and context.dialect.head_ranges:
        chosen = context.dialect.choose_range(headers, view.content.size)
    reply = Reply(headers=view_headers(context, view))
    reply.headers["Content-Length"] = str(view.content.size)
    if part:
        reply.headers |= count_header(view.content)
    if chosen is not None and view.content.size:
        reply.status = context.dialect.range_status
        _forget_checksums(reply)
        start, length = chosen
        reply.headers["Content-Length"] = str(length)
        reply.headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{view.content.size}"
    return reply


def _forget_checksums(reply: Reply) -> None:
    """Take the checksums away from a range, for they are the whole content's."""
    for name in filter(is_checksum, list(reply.headers)):
        del reply.headers[name]


def _override(context: Context, reply: Reply) -> None:
    for parameter, header in _OVERRIDES.items():
        value = context.parameter(parameter)
        if value is not None:
            if context.caller.anonymous:
                raise ServiceError("InvalidRequest", "Anonymous requests override no headers.")
            reply.headers[header] = value


async def DeleteObject(context: Context) -> Reply:
    """Remove an object; a missing one is removed as well as any."""
    if (version := context.parameter("versionId")) is not None and context.bucket.versioning:
        return _delete_version(context, version)
    if _is_kept(context, context.key):
        raise ServiceError("AccessDenied")
    wanted = context.header("If-Match")
    if wanted is not None and context.dialect.conditional_writes:
        record = context.find()
        if record is not None and not matches(wanted, record.etag):
            raise ServiceError("PreconditionFailed")
    refuse_directory(context, context.key)
    if _stays(context, context.key, bulk=False):
        return Reply(status=204)
    marker = context.storage.objects.delete(context.bucket.id, context.key, context.now_ms)
    return Reply(status=204, headers=_marker_headers(context, marker))


def _delete_version(context: Context, version: str) -> Reply:
    """Remove one version for ever; a marker's, and what it hid is there again."""
    if "deny_versions" in context.request.modes:
        raise ServiceError("AccessDenied")
    objects = context.storage.objects
    with objects.changing():
        found = objects.versions.delete(context.bucket.id, context.key, version)
    if found is not None and found.is_marker:
        return Reply(status=204, headers=_marker_headers(context, version))
    return Reply(status=204, headers={f"{context.family}version-id": version})


def _marker_headers(context: Context, version: str) -> dict[str, str]:
    if not version:
        return {}
    return {
        f"{context.family}delete-marker": "true",
        f"{context.family}version-id": version,
    }


async def DeleteMultipleObjects(context: Context) -> Reply:
    """Remove up to 1000 objects."""
    data = await read_document(context, integrity=True)
    root = parse_lax(data) if context.dialect.deletes_any_key else parse(data)
    if root is None or root.tag != "Delete":
        raise ServiceError("MalformedXML")
    encodes = text_of(root, "EncodingType") == "url"
    keys = [_key_of(node) for node in root.findall("Object")]
    if encodes and context.dialect.decodes_deleted:
        keys = [decode(key) for key in keys]
    if not 0 < len(keys) <= _DELETE_LIMIT:
        raise ServiceError("MalformedXML")
    failed = _unwanted(context, keys, root)
    failed |= _delete(context, [key for key in keys if key not in failed])
    is_quiet = (text_of(root, "Quiet") or "").lower() == "true"
    if is_quiet and context.dialect.quiet_is_empty:
        return Reply()
    encoding, encode = encoder(context)
    if encodes:
        encoding, encode = url_encoder(context)
    gone = () if is_quiet else (key for key in keys if key not in failed)
    return context.document(
        "DeleteResult",
        encoding,
        *(group("Deleted", element("Key", encode(key))) for key in gone),
        *(_failed(context, encode(key), why) for key, why in failed.items()),
    )


def _failed(context: Context, shown: str, why: ServiceError) -> str:
    failure = complete(why, context.dialect.errors)
    code, message = element("Code", failure.code), element("Message", failure.message)
    return group("Error", element("Key", shown), code, message)


def _unwanted(
    context: Context, keys: list[str], root: ElementTree.Element
) -> dict[str, ServiceError]:
    """Return the keys whose objects are other versions than those that are to go."""
    if not context.dialect.deletes_versions:
        return {}
    failed = {}
    for key, node in zip(keys, root.findall("Object"), strict=True):
        wanted, record = text_of(node, "ETag"), context.storage.objects.get(context.bucket.id, key)
        if wanted and record is not None and not matches(wanted, record.etag):
            failed[key] = ServiceError("PreconditionFailed")
    return failed


def _delete(context: Context, keys: list[str]) -> dict[str, ServiceError]:
    """Delete objects and return those that would not go; children go before their directories."""
    failed = {key: ServiceError("AccessDenied") for key in keys if _is_kept(context, key)}
    if failed and context.dialect.quiet_is_empty:  # no place for an error of a key
        raise ServiceError("AccessDenied")
    busy = context.request.modes.get("busy_delete")
    if busy is not None:
        failed |= {
            key: ServiceError("InternalError") for key in keys if fnmatchcase(key, busy or "*")
        }
    free = [key for key in keys if key not in failed]
    if context.dialect.kept_markers:
        for key in free:
            if not _stays(context, key, bulk=True):
                context.storage.objects.delete(context.bucket.id, key, context.now_ms)
        return failed
    if not context.is_posix:
        context.storage.objects.delete_many(context.bucket.id, free, context.now_ms)
        return failed
    for key in sorted(free, reverse=True):
        try:
            refuse_directory(context, key)
            context.storage.objects.delete(context.bucket.id, key)
        except ServiceError as error:
            failed[key] = error
    return failed


def _stays(context: Context, key: str, *, bulk: bool) -> bool:
    """Tell whether a server with real directories leaves one where it is, without a word."""
    if not key.endswith("/"):
        return False
    kept = context.dialect.kept_markers
    return (kept == "bulk" and bulk) or (kept == "occupied" and has_children(context, key))


def _is_kept(context: Context, key: str) -> bool:
    """Tell whether a fault forbids to delete an object."""
    pattern = context.request.modes.get("deny_delete")
    return pattern is not None and fnmatchcase(key, pattern or "*")


def _key_of(node: ElementTree.Element) -> str:
    key = text_of(node, "Key")
    if not key:
        raise ServiceError("MalformedXML")
    return key
