"""The documents of MetaQuery, the index that OSS keeps of a bucket. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from tagfs.errors import MalformedResponse
from tagfs.store.objects import ObjectInfo, ObjectType
from tagfs.store.tag_index import (
    AllOf,
    AnyOf,
    Condition,
    HasTags,
    Indexed,
    IndexState,
    TagBegins,
    TagEquals,
)
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import parse_type
from tagfs.store.wire.xml import (
    escape_text,
    fields_of,
    parse_document,
    parse_leaves,
    parse_number,
    parse_time,
    render_document,
    required_field,
)

PAGE: Final = 100
"""Objects in one answer, at most (manual, DoMetaQuery)."""

_ANSWERS: Final = "Running"
_COMPLETE: Final = "IncrementalScanning"


def render_query(prefix: str, condition: Condition, token: str) -> bytes:
    """Write the body of DoMetaQuery, for what is below a prefix."""
    below = [_simple("Filename", "prefix", prefix)] if prefix else []
    query = _join("and", [*below, *_conjuncts(condition)]) or _simple("Size", "gte", "0")
    return render_document(
        "MetaQuery",
        f"<NextToken>{escape_text(token)}</NextToken><MaxResults>{PAGE}</MaxResults>"
        f"<Query>{escape_text(json.dumps(query))}</Query>"
        "<Sort>Filename</Sort><Order>asc</Order>",
    )


def _conjuncts(condition: Condition) -> list[dict[str, Any]]:
    if isinstance(condition, AllOf):
        return [query for part in condition.parts for query in _conjuncts(part)]
    return [_query(condition)]


def _query(condition: Condition) -> dict[str, Any]:
    match condition:
        case TagEquals(key, value):
            return _simple(f"OSSTagging.{key}", "eq", value)
        case TagBegins(key, start):
            return _simple(f"OSSTagging.{key}", "prefix", start)
        case HasTags():
            return _simple("OSSTaggingCount", "gte", "1")
        case AnyOf(parts):
            return _join("or", [_query(part) for part in parts])
        case AllOf():
            return _join("and", _conjuncts(condition))


def _simple(field: str, operation: str, value: str) -> dict[str, Any]:
    return {"Field": field, "Operation": operation, "Value": value}


def _join(operation: str, queries: list[dict[str, Any]]) -> dict[str, Any]:
    if len(queries) < 2:  # noqa: PLR2004
        return queries[0] if queries else {}
    return {"Operation": operation, "SubQueries": queries}


def parse_results(body: bytes) -> tuple[list[Indexed], str]:
    """Read the answer to DoMetaQuery: objects, and the token of the next page ("": no more)."""
    root = parse_document(body, "MetaQuery")
    found = []
    for element in root.iterfind("Files/File"):
        pairs = map(fields_of, element.iterfind("OSSTagging/Tagging"))
        tags = TagSet({pair.get("Key", ""): pair.get("Value", "") for pair in pairs})
        key = required_field(element, "Filename")
        found.append(Indexed(_info(key, fields_of(element)), tags))
    return found, root.findtext("NextToken") or ""


def _info(key: str, fields: Mapping[str, str]) -> ObjectInfo:
    kind = fields.get("OSSObjectType")
    return ObjectInfo(
        key=key,
        size=parse_number(fields.get("Size", "0")),
        etag=fields.get("ETag", "").strip('"'),
        last_modified_ns=_time(fields.get("FileModifiedTime", "")),
        type=parse_type(kind) if kind else ObjectType.NORMAL,
        storage_class=fields.get("OSSStorageClass") or "Standard",
    )


def _time(text: str) -> int:
    """Return a time; 0 where it is in no known form, for it is only shown."""
    try:
        return parse_time(text)
    except MalformedResponse:
        return 0


def parse_state(body: bytes) -> IndexState:
    """Read the answer to GetMetaQueryStatus."""
    fields = parse_leaves(body, "MetaQueryStatus")
    state, phase = fields.get("State", ""), fields.get("Phase", "")
    words = " ".join(filter(None, (state, phase)))
    return IndexState(
        answers=state == _ANSWERS, complete=state == _ANSWERS and phase == _COMPLETE, state=words
    )
