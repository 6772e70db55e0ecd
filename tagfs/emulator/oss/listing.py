"""ListObjects, both versions."""

import base64
import binascii
from collections.abc import Callable

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.oss.naming import encoder
from tagfs.emulator.storage.listing import Page, Query
from tagfs.emulator.storage.records import ListedObject
from tagfs.emulator.time_formats import MILLISECONDS, iso_time
from tagfs.emulator.xml_text import element, escape, group, render

OWNER = "<Owner><ID>1000000000000000</ID><DisplayName>1000000000000000</DisplayName></Owner>"
_DEFAULT, _MOST = 100, 1000


async def ListObjects(context: Context) -> Reply:
    """List by marker."""
    marker = context.parameter("marker") or ""
    query = _query(context, marker)
    page = context.storage.list(context.bucket.id, query)
    encoding, encode = encoder(context)
    extra = [element("Marker", encode(marker))]
    if page.truncated:
        extra.append(element("NextMarker", encode(page.last)))
    return _reply(context, query, page, [encoding, *extra], owner=OWNER)


async def ListObjectsV2(context: Context) -> Reply:
    """List by continuation token."""
    token = context.parameter("continuation-token") or ""
    start = context.parameter("start-after") or ""
    query = _query(context, parse_token(token) if token else start)
    page = context.storage.list(context.bucket.id, query)
    encoding, encode = encoder(context)
    extra = [element("KeyCount", len(page.objects) + len(page.prefixes))]
    if start:
        extra.append(element("StartAfter", encode(start)))
    if token:
        extra.append(element("ContinuationToken", token))
    if page.truncated:
        extra.append(element("NextContinuationToken", render_token(page.last)))
    owner = OWNER if (context.parameter("fetch-owner") or "").lower() == "true" else ""
    return _reply(context, query, page, [encoding, *extra], owner=owner)


def _query(context: Context, after: str) -> Query:
    stale = context.request.modes.get("stale_list")
    return Query(
        prefix=context.parameter("prefix") or "",
        delimiter=context.parameter("delimiter") or "",
        after=after,
        limit=context.number("max-keys", _DEFAULT, 1, _MOST),
        visible_ms=context.now_ms - int(float(stale) * MILLISECONDS) if stale else None,
    )


def _reply(context: Context, query: Query, page: Page, extra: list[str], *, owner: str) -> Reply:
    _, encode = encoder(context)
    body = render(
        "ListBucketResult",
        element("Name", context.bucket.name),
        element("Prefix", encode(query.prefix)),
        element("MaxKeys", query.limit),
        element("Delimiter", encode(query.delimiter)),
        element("IsTruncated", "true" if page.truncated else "false"),
        *extra,
        *(_contents(item, encode, owner, context.now_ms) for item in page.objects),
        *(group("CommonPrefixes", element("Prefix", encode(name))) for name in page.prefixes),
    )
    return Reply(headers={"Content-Type": "application/xml"}, body=body)


def _contents(item: ListedObject, encode: Callable[[str], str], owner: str, now_ms: int) -> str:
    restore = ""
    if item.restored_from_ms:
        ongoing = "true" if now_ms < item.restored_from_ms else "false"
        restore = f'<RestoreInfo>ongoing-request="{ongoing}"</RestoreInfo>'
    return (
        f"<Contents><Key>{escape(encode(item.key))}</Key>"
        f"<LastModified>{iso_time(item.mtime_ms)}</LastModified>"
        f'<ETag>"{item.etag}"</ETag><Type>{item.kind}</Type><Size>{item.size}</Size>'
        f"<StorageClass>{item.storage_class}</StorageClass>{owner}{restore}</Contents>"
    )


def render_token(key: str) -> str:
    """Return a continuation token: base64 of a one-field protobuf, as the manual's samples look."""
    data = key.encode("utf-8", "surrogateescape")
    length = bytearray()
    rest = len(data)
    while rest > 0x7F:  # noqa: PLR2004 - seven bits a byte
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return base64.b64encode(b"\n" + bytes(length) + bytes([rest]) + data).decode().replace("=", "-")


def parse_token(token: str) -> str:
    """Return the key that a token stands for.

    Raises:
        ServiceError: it is no token.
    """
    try:
        data = base64.b64decode(token.replace("-", "="), validate=True)
        start = next(at for at, byte in enumerate(data[1:], 2) if not byte & 0x80)
        return data[start:].decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError, StopIteration):
        raise ServiceError("InvalidArgument", "The continuation token is invalid.") from None
