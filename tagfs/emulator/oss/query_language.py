"""The queries of MetaQuery: JSON conditions on what the index has of an object.

Fields, operators and what can be sorted are those of "Appendix: List of fields and operators for
scalar retrieval" of the manual. What an object has not (a tag, tags at all) meets no condition.
"""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.storage.records import ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS

Value = str | int
SORTABLE = frozenset(
    "ETag FileModifiedTime Filename ObjectACL OSSCRC64 OSSObjectType OSSStorageClass"
    " OSSTaggingCount ServerSideEncryption Size".split()
)
COUNTABLE = frozenset({"OSSTaggingCount", "Size"})
_NUMBERS = COUNTABLE
_PREFIXES = SORTABLE - {"FileModifiedTime", *_NUMBERS}
_COMPARES: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_JOINS: Mapping[str, Callable[[list[bool]], bool]] = {
    "and": all,
    "or": any,
    "not": lambda found: not any(found),
}
_TAG, _META = "OSSTagging.", "OSSUserMeta."


def read_query(text: str) -> Mapping[str, Any]:
    """Return a query that makes sense.

    Raises:
        ServiceError: it makes none.
    """
    try:
        query = json.loads(text)
    except ValueError:
        query = None
    _check(query)
    checked: Mapping[str, Any] = query
    return checked


def _check(query: Any) -> None:
    if not isinstance(query, dict):
        raise _wrong("Query")
    operation, subqueries = query.get("Operation"), query.get("SubQueries")
    if operation in _JOINS:
        if not isinstance(subqueries, list) or not subqueries:
            raise _wrong("SubQueries")
        for each in subqueries:
            _check(each)
        return
    field, value = query.get("Field"), query.get("Value")
    if not isinstance(field, str) or not isinstance(value, str) or subqueries is not None:
        raise _wrong("Field")
    tagged = field.startswith((_TAG, _META))
    known = tagged or field in SORTABLE
    prefix = operation == "prefix" and (tagged or field in _PREFIXES)
    fuzzy = operation == "match" and field == "Filename"
    if not known or not (operation in _COMPARES or prefix or fuzzy):
        raise _wrong("Operation")
    if field in _NUMBERS and not value.isdecimal():
        raise _wrong("Value")


def _wrong(name: str) -> ServiceError:
    return ServiceError("InvalidArgument", extra={"ArgumentName": name})


def matches(query: Mapping[str, Any], record: ObjectRecord) -> bool:
    """Tell whether an object meets a query."""
    operation = query["Operation"]
    if operation in _JOINS:
        return _JOINS[operation]([matches(each, record) for each in query["SubQueries"]])
    present = field_of(record, query["Field"])
    if present is None:
        return False
    wanted: Value = query["Value"]
    if isinstance(present, int):
        wanted = int(wanted)
    if operation == "prefix":
        return str(present).startswith(str(wanted))
    if operation == "match":
        return str(wanted) in str(present)
    return _COMPARES[operation](present, wanted)


def field_of(record: ObjectRecord, field: str) -> Value | None:
    """Return what the index has of an object; None if it has not."""
    attributes = record.attributes
    if field.startswith(_TAG):
        return attributes.tags.get(field.removeprefix(_TAG))
    if field.startswith(_META):
        return attributes.meta.get(field.removeprefix(_META).lower().removeprefix("x-oss-meta-"))
    fields: dict[str, Value | None] = {
        "ETag": f'"{record.etag}"',
        "FileModifiedTime": nano_time(record.mtime_ms),
        "Filename": record.key,
        "ObjectACL": attributes.acl,
        "OSSCRC64": None if record.crc64 is None else str(record.crc64),
        "OSSObjectType": record.kind.value,
        "OSSStorageClass": attributes.storage_class,
        "OSSTaggingCount": len(attributes.tags) or None,
        "Size": record.size,
    }
    return fields.get(field)


def nano_time(milliseconds: int) -> str:
    """Render a time as the index does."""
    moment = datetime.fromtimestamp(milliseconds // MILLISECONDS, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def aggregate(operation: str, values: Sequence[Value]) -> float:
    """Return one number that is made of all values of a field.

    Raises:
        ServiceError: there is no such operation, or not on words.
    """
    if operation == "count":
        return len(values)
    if operation == "distinct":
        return len(set(values))
    numbers = [value for value in values if isinstance(value, int)]
    if operation not in ("min", "max", "sum", "average") or len(numbers) < len(values):
        raise _wrong("Operation")
    if not numbers:
        return 0
    if operation == "average":
        return sum(numbers) / len(numbers)
    if operation == "sum":
        return sum(numbers)
    return min(numbers) if operation == "min" else max(numbers)
