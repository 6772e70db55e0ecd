"""One page of a bucket's keys, found by seeking in the index, whatever the size of the bucket.

A common prefix is stepped over by seeking to the first key behind everything below it, so a page of
directories costs one seek each, however many keys they hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tagfs.emulator.storage.database import Database
from tagfs.emulator.storage.records import ListedObject

_COLUMNS = "key, kind, size, etag, mtime_ms, storage_class, restored_from_ms, restored_until_ms"
_RANGE = f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND key >= ?"  # noqa: S608 - constants
_FIRST_BATCH = 16
_BATCH = 1001
_LAST = chr(0x10FFFF)
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to list: keys that begin with `prefix`, behind `after`, rolled up at `delimiter`.

    Objects written after `visible_ms` are left out, which is how a delayed listing is played.
    """

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    limit: int = 1000
    visible_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Objects and common prefixes, and whether more follow behind `last`."""

    objects: list[ListedObject]
    prefixes: list[str]
    truncated: bool
    last: str


def successor(text: str) -> str | None:
    """Return the smallest string greater than all that begin with `text`; None if there is none.

    SQLite compares UTF-8 bytes, which order as code points do.
    """
    text = text.rstrip(_LAST)
    if not text:
        return None
    point = ord(text[-1]) + 1
    return text[:-1] + chr(_SURROGATES.stop if point in _SURROGATES else point)


def list_page(database: Database, bucket: int, query: Query) -> Page:
    """Return one page of a bucket."""
    objects: list[ListedObject] = []
    prefixes: list[str] = []
    last = ""
    for item in _items(database, bucket, query):
        if len(objects) + len(prefixes) >= query.limit:
            return Page(objects, prefixes, truncated=True, last=last)
        if isinstance(item, str):
            prefixes.append(item)
            last = item
        else:
            objects.append(item)
            last = item.key
    return Page(objects, prefixes, truncated=False, last=last)


def _items(database: Database, bucket: int, query: Query) -> Iterator[ListedObject | str]:
    """Yield objects and common prefixes in key order."""
    end = successor(query.prefix) if query.prefix else None
    position = _start(query)
    batch = _FIRST_BATCH if query.delimiter else min(_BATCH, query.limit + 1)
    while position is not None:
        rows = _fetch(database, bucket, (position, end, query.visible_ms, batch))
        jumped = None
        for row in rows:
            rolled = _common_prefix(row[0], query)
            if rolled is None:
                yield ListedObject(*row)
            elif jumped is None or not row[0].startswith(jumped):
                jumped = rolled
                yield rolled
        if len(rows) < batch:
            return
        last: str = rows[-1][0]
        below = jumped is not None and last.startswith(jumped)
        position = successor(jumped) if jumped is not None and below else last + "\0"
        batch = _FIRST_BATCH if below else min(batch * 4, _BATCH)


def _start(query: Query) -> str | None:
    """Return the first key to look at; a marker that is a common prefix stands for all below it."""
    if not query.after or query.after < query.prefix:
        return query.prefix
    if _common_prefix(query.after, query) == query.after:
        return successor(query.after)
    return query.after + "\0"


def _common_prefix(key: str, query: Query) -> str | None:
    if not query.delimiter or not key.startswith(query.prefix):
        return None
    at = key.find(query.delimiter, len(query.prefix))
    return None if at < 0 else key[: at + len(query.delimiter)]


def _fetch(
    database: Database, bucket: int, where: tuple[str, str | None, int | None, int]
) -> list[tuple[Any, ...]]:
    position, end, visible_ms, limit = where
    sql, values = _RANGE, [bucket, position]
    if end is not None:
        sql += " AND key < ?"
        values.append(end)
    if visible_ms is not None:
        sql += " AND mtime_ms <= ?"
        values.append(visible_ms)
    return database.all(sql + " ORDER BY key LIMIT ?", (*values, limit))
