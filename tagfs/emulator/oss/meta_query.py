"""MetaQuery: the index that OSS keeps of a bucket whose owner has opened one.

As in the manual's OpenMetaQuery, GetMetaQueryStatus, DoMetaQuery and CloseMetaQuery. An index lags
behind its bucket; by how much is chosen by an option of the service (`index`).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from xml.etree import ElementTree

from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.query_language import (
    COUNTABLE,
    SORTABLE,
    Value,
    aggregate,
    field_of,
    matches,
    nano_time,
    read_query,
)
from tagfs.emulator.storage.records import ObjectRecord, Scan
from tagfs.emulator.xml_text import element, group, parse, text_of

_MOST = 100
_HOUR_MS = 3600 * 1000


async def OpenMetaQuery(context: Context) -> Reply:
    """Begin an index of the bucket."""
    await read_document(context)
    mode = context.parameter("mode") or "basic"
    if mode not in ("basic", "semantic"):
        raise ServiceError("InvalidArgument", extra={"ArgumentName": "mode"})
    if context.bucket.index:
        raise ServiceError("MetaQueryAlreadyExist")
    context.storage.buckets.set_index(context.bucket.id, f"{mode} {context.now_ms}")
    _scan(context)
    return Reply()


async def CloseMetaQuery(context: Context) -> Reply:
    """Delete the index, if there is one."""
    await read_document(context)
    context.storage.buckets.set_index(context.bucket.id, "")
    context.storage.indexes.pop(context.bucket.id, None)
    return Reply()


async def GetMetaQueryStatus(context: Context) -> Reply:
    """Say how the index is."""
    mode, opened = _index(context)
    scanned = _scanned(context).at_ms
    building = "index=building" in context.config.options
    return context.document(
        "MetaQueryStatus",
        element("State", "Running"),
        element("Phase", "FullScanning" if building else "IncrementalScanning"),
        element("CreateTime", nano_time(int(opened))),
        element("UpdateTime", nano_time(scanned)),
        element("MetaQueryMode", mode),
    )


async def DoMetaQuery(context: Context) -> Reply:
    """List what meets a query, and count it."""
    _index(context)
    root = parse(await read_document(context))
    if root is None or root.tag != "MetaQuery":
        raise ServiceError("MalformedXML")
    query = read_query(text_of(root, "Query") or "")
    most = _number(text_of(root, "MaxResults") or "0") or _MOST
    found = _in_order(context, root, query)
    start = _position(text_of(root, "NextToken") or "")
    page = list(islice(found, start, start + most + 1))
    more = len(page) > most
    return context.document(
        "MetaQuery",
        element("NextToken", _token(start + most) if more else ""),  # oss2 looks for it always
        group("Files", *map(_file, page[:most])),
        _aggregations(context, root, query),
    )


def _index(context: Context) -> tuple[str, str]:
    """Return the mode of the index, and when it was opened.

    Raises:
        ServiceError: there is none.
    """
    mode, _, opened = context.bucket.index.partition(" ")
    if not mode:
        raise ServiceError("MetaQueryNotExist")
    return mode, opened


def _scan(context: Context) -> Scan:
    """Take in what is there now."""
    objects = list(context.storage.objects.all(context.bucket.id))
    if "index=building" in context.config.options:
        objects = objects[: len(objects) // 2]
    scanned = Scan(context.now_ms, context.storage.database.changes, objects)
    context.storage.indexes[context.bucket.id] = scanned
    return scanned


def _scanned(context: Context) -> Scan:
    """Return the index as it is by now."""
    known = context.storage.indexes.get(context.bucket.id)
    if known is None:
        return _scan(context)
    if "index=hourly" in context.config.options:
        old = known.at_ms + _HOUR_MS < context.now_ms
    else:
        old = known.changes != context.storage.database.changes
    return _scan(context) if old else known


def _in_order(
    context: Context, root: ElementTree.Element, query: Mapping[str, Any]
) -> Iterator[ObjectRecord]:
    sort, order = text_of(root, "Sort") or "Filename", text_of(root, "Order")
    if sort not in SORTABLE:
        raise ServiceError("InvalidArgument", extra={"ArgumentName": "Sort"})
    backwards = order == "desc" or (order is None and text_of(root, "Sort") is not None)
    objects = _scanned(context).objects
    found = (record for record in objects if matches(query, record))
    if sort == "Filename" and not backwards:
        return found
    return iter(sorted(found, key=lambda each: _sort_key(each, sort), reverse=backwards))


def _sort_key(record: ObjectRecord, field: str) -> tuple[float, str]:
    value = field_of(record, field)
    return (value, "") if isinstance(value, int) else (0, str(value or ""))


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST:
        raise ServiceError("InvalidArgument", extra={"ArgumentName": "MaxResults"})
    return int(text)


def _token(position: int) -> str:
    return base64.b64encode(f"position:{position}".encode()).decode()


def _position(token: str) -> int:
    try:
        word, _, number = base64.b64decode(token, validate=True).decode().partition(":")
        return int(number) if word == "position" or token else 0
    except (binascii.Error, ValueError):
        raise ServiceError("InvalidArgument", extra={"ArgumentName": "NextToken"}) from None


def _file(record: ObjectRecord) -> str:
    """Show an object: "only the fields that really exist"."""
    tags = record.attributes.tags
    pairs = (group("Tagging", element("Key", k), element("Value", v)) for k, v in tags.items())
    meta = (
        group("UserMeta", element("Key", f"x-oss-meta-{name}"), element("Value", text))
        for name, text in record.attributes.meta.items()
    )
    fields = "Filename Size FileModifiedTime OSSObjectType OSSStorageClass ObjectACL ETag".split()
    return group(
        "File",
        *(element(name, field_of(record, name) or 0) for name in fields),
        "" if record.crc64 is None else element("OSSCRC64", f"{record.crc64:X}"),
        element("OSSTaggingCount", len(tags)) + group("OSSTagging", *pairs) if tags else "",
        group("OSSUserMeta", *meta) if record.attributes.meta else "",
    )


def _aggregations(context: Context, root: ElementTree.Element, query: Mapping[str, Any]) -> str:
    wishes = root.findall("Aggregations/Aggregation")
    if not wishes:
        return ""
    objects = [record for record in _scanned(context).objects if matches(query, record)]
    return group("Aggregations", *(_aggregation(wish, objects) for wish in wishes))


def _aggregation(wish: ElementTree.Element, objects: list[ObjectRecord]) -> str:
    field, operation = text_of(wish, "Field") or "", text_of(wish, "Operation") or ""
    counts = operation in ("count", "distinct", "group")
    if field not in (SORTABLE if counts else COUNTABLE):
        raise ServiceError("InvalidArgument", extra={"ArgumentName": "Field"})
    values = [value for each in objects if (value := field_of(each, field)) is not None]
    head = element("Field", field) + element("Operation", operation)
    if operation != "group":
        return group("Aggregation", head, element("Value", f"{aggregate(operation, values):g}"))
    return group("Aggregation", head, group("Groups", *_groups(values)))


def _groups(values: list[Value]) -> Iterator[str]:
    for value in sorted(set(values), key=str):
        yield group("Group", element("Value", str(value)), element("Count", values.count(value)))
