"""How objects are written into a catalogue, as short as can be read again. Pure."""

import json
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from tagfs.errors import InvalidTag
from tagfs.store.objects import NOTHING, Detail, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet, parse_tagging, render_tagging

_UPPER: Final = re.compile("[0-9A-F]{32}")
_LOWER: Final = re.compile("[0-9a-f]{32}")

DAMAGED: Final = (ValueError, TypeError, AttributeError, RecursionError, InvalidTag)
"""What reading a row raises that something else has written."""

_TYPES: Final = {kind.value: kind for kind in ObjectType}

_decode: Final = json.JSONDecoder().decode

Kind = tuple[str, str]
"""Type and storage class."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one key; times are the catalogue's, in milliseconds.

    Attributes:
        info: the object, with its detail if that is known; None if only tags are.
        seen_at: when the service last showed it so.
        detail_at: when its detail was read.
        settled: that was so long after Last-Modified that a later change moves it.
        tags: None if not known.
        tags_at: when they were read.
    """

    key: str
    info: ObjectInfo | None = None
    seen_at: int = 0
    detail_at: int = 0
    settled: bool = False
    tags: TagSet | None = None
    tags_at: int = 0


def can_hold(key: str) -> bool:
    """Say whether a key is text that a database can have."""
    return key.isascii() or not any("\ud800" <= char <= "\udfff" for char in key)


def pack_etag(etag: str) -> bytes | str:
    """Return an ETag in half the bytes, if it is hexadecimal."""
    if _LOWER.fullmatch(etag):
        return bytes.fromhex(etag)
    if _UPPER.fullmatch(etag):
        return b"U" + bytes.fromhex(etag)
    return etag.encode("utf-8", "replace").decode()


def unpack_etag(packed: bytes | str) -> str:
    """Return what was packed."""
    if isinstance(packed, str):
        return packed
    return packed[1:].hex().upper() if len(packed) % 2 else packed.hex()


def pack_detail(detail: Detail) -> str:
    """Return a detail as text; what it does not tell at the end is left out."""
    fields: list[Any] = [
        dict(detail.metadata),
        dict(detail.headers),
        detail.tag_count,
        detail.crc64,
        detail.version_id,
        detail.target,
        None if detail.readable else 0,
    ]
    while fields and fields[-1] in (None, {}):
        fields.pop()
    return json.dumps(fields, separators=(",", ":"))


@lru_cache(maxsize=4096)
def unpack_detail(text: str) -> Detail:
    """Return what was packed; what other tools wrote has often nothing of its own.

    Raises:
        DAMAGED
    """
    fields = _decode(text)
    metadata, headers, count, crc64, version, target, unreadable = fields + [None] * (
        7 - len(fields)
    )
    return Detail(
        metadata=_texts(metadata),
        headers=_texts(headers),
        tag_count=_number(count),
        crc64=_number(crc64),
        version_id=_text(version),
        target=_text(target),
        readable=unreadable is None,
    )


def _texts(fields: Mapping[str, str] | None) -> Mapping[str, str]:
    if not fields:
        return NOTHING
    "".join(fields.values())  # raises where one is no text
    return dict(fields)


def _text(found: str | None) -> str | None:
    return None if found is None else "" + found


def _number(found: int | None) -> int | None:
    return None if found is None else operator.index(found)


def pack_tags(tags: TagSet) -> str:
    """Return a tag set as text, the same for equal sets."""
    return render_tagging(TagSet(dict(sorted(tags.items()))))


@lru_cache(maxsize=4096)
def unpack_tags(text: str) -> TagSet:
    """Return what was packed; of many objects most have one of few sets."""
    return parse_tagging(text)


def to_info(
    key: str, fields: tuple[int, bytes | str, int], kind: Kind, detail: str | None
) -> ObjectInfo:
    """Return an object as its row has it.

    Raises:
        DAMAGED
    """
    size, etag, modified = fields
    return ObjectInfo(
        key=key,
        size=size,
        etag=unpack_etag(etag),
        last_modified_ns=modified,
        type=_TYPES.get(kind[0]) or ObjectType(kind[0]),
        storage_class=kind[1],
        detail=None if detail is None else unpack_detail(detail),
    )
