"""ListObjects, both versions."""

import base64
from collections.abc import Callable

from tagfs.emulator.engine.attributes import shown_class
from tagfs.emulator.engine.context import Context, owner
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.key_encoding import encoder
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.listing import Page, Query
from tagfs.emulator.storage.records import ListedObject
from tagfs.emulator.time_formats import MILLISECONDS
from tagfs.emulator.xml_text import element, escape, group

_MOST = 1000


async def ListObjects(context: Context) -> Reply:
    """List by marker."""
    marker = context.parameter("marker") or ""
    query = _query(context, marker)
    page = _page(context, query)
    _, encode = encoder(context)
    extra = [element("Marker", encode(marker))]
    if page.truncated and (query.delimiter or context.dialect.always_marks):
        extra.append(element("NextMarker", encode(page.last)))
    return _reply(context, query, page, extra, owner(context))


async def ListObjectsV2(context: Context) -> Reply:
    """List by continuation token; file systems cannot."""
    if context.is_posix:
        raise ServiceError("FsNotSupport")
    token = context.parameter("continuation-token") or ""
    if context.parameter("continuation-token") == "" and not context.dialect.empty_token:
        raise ServiceError("InvalidArgument", "The continuation token provided is incorrect")
    start = context.parameter("start-after") or ""
    query = _query(context, _key_of(context, token) if token else start)
    page = _page(context, query)
    _, encode = encoder(context)
    extra = [element("KeyCount", len(page.objects) + len(page.prefixes))]
    if start:
        extra.append(element("StartAfter", encode(start)))
    if token:
        extra.append(element("ContinuationToken", token))
    if page.truncated:
        extra.append(element("NextContinuationToken", context.dialect.continuation[0](page.last)))
    named = (context.parameter("fetch-owner") or "").lower() == "true"
    return _reply(context, query, page, extra, owner(context) if named else "")


def _query(context: Context, after: str) -> Query:
    stale = context.request.modes.get("stale_list")
    return Query(
        prefix=context.parameter("prefix") or "",
        delimiter=context.parameter("delimiter") or "",
        after=after,
        limit=context.number("max-keys", context.dialect.lists_default, _MOST),
        visible_ms=context.now_ms - int(float(stale) * MILLISECONDS) if stale else None,
    )


def _page(context: Context, query: Query) -> Page:
    if query.limit == 0:
        return Page([], [], truncated=False, last="")
    return context.storage.list(context.bucket.id, query)


def _reply(context: Context, query: Query, page: Page, extra: list[str], who: str) -> Reply:
    encoding, encode = encoder(context)
    delimiter = ""
    if query.delimiter or context.dialect.writes_empty:
        delimiter = element("Delimiter", encode(query.delimiter))
    reply = context.document(
        "ListBucketResult",
        element("Name", context.bucket.name),
        element("Prefix", encode(query.prefix)),
        *extra,
        element("MaxKeys", query.limit),
        delimiter,
        element("IsTruncated", "true" if page.truncated else "false"),
        encoding,
        *(_contents(context, item, encode, who) for item in page.objects),
        *(group("CommonPrefixes", element("Prefix", encode(name))) for name in page.prefixes),
    )
    if context.dialect.lists_location:
        reply.headers[f"{context.family}bucket-location"] = context.config.region
    return reply


def _contents(context: Context, item: ListedObject, encode: Callable[[str], str], who: str) -> str:
    shows = item.kind in context.dialect.shown_kinds
    extra = context.dialect.listed_extra
    return (
        f"<Contents><Key>{escape(encode(item.key))}</Key>"
        f"<LastModified>{context.time(item.mtime_ms)}</LastModified>"
        f"<ETag>&quot;{item.etag}&quot;</ETag><Size>{item.size}</Size>{who}"
        f"<StorageClass>{shown_class(context, item.storage_class)}</StorageClass>"
        f"{element('Type', item.kind) if shows else ''}{_restore(context, item)}"
        f"{extra(context, item) if extra else ''}</Contents>"
    )


def _restore(context: Context, item: ListedObject) -> str:
    if not item.restored_from_ms or not context.dialect.lists_restores:
        return ""
    ongoing = "true" if context.now_ms < item.restored_from_ms else "false"
    return element("RestoreInfo", f'ongoing-request="{ongoing}"')


def _key_of(context: Context, token: str) -> str:
    try:
        return context.dialect.continuation[1](token)
    except ValueError:
        message = "The continuation token provided is incorrect"
        raise ServiceError("InvalidArgument", message) from None


def render_token(key: str) -> str:
    """Return a continuation token: the key in base64, which is nobody's business."""
    return base64.urlsafe_b64encode(b"1" + key.encode()).decode()


def parse_token(token: str) -> str:
    """Return the key that a token stands for.

    Raises:
        ValueError: it is no token.
    """
    return base64.b64decode(token, b"-_", validate=True)[1:].decode()
