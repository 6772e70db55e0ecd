"""Rows of a catalogue, read and written: the SQL of what is known of keys."""

import sqlite3
import sys
from collections.abc import Sequence
from typing import Any, Final

from tagfs.catalogue.rows import (
    Known,
    pack_detail,
    pack_etag,
    pack_tags,
    to_info,
    unpack_tags,
)

_COLUMNS: Final = (
    "SELECT o.key, o.size, o.etag, o.modified_ns, o.seen_at, k.type, k.storage_class,"
    " {}, t.tagging, o.tags_at{} FROM objects o"
    " LEFT JOIN kinds k ON k.id = o.kind LEFT JOIN tagsets t ON t.id = o.tagset"
)
SELECT: Final = _COLUMNS.format("o.detail, o.detail_at, o.settled", "")
BARE: Final = _COLUMNS.format("NULL, NULL, NULL", ", o.tagset")
"""The same without details, which take long to be read, and with the number of the tag set."""

KEYS: Final = "SELECT o.key, o.tagset FROM objects o"

_UPSERT: Final = (
    "INSERT INTO objects (key, size, etag, modified_ns, kind, seen_at, detail, detail_at, settled,"
    " tagset, tags_at) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (key) DO UPDATE SET"
    " size=excluded.size, etag=excluded.etag, modified_ns=excluded.modified_ns,"
    " kind=excluded.kind, seen_at=excluded.seen_at, detail=excluded.detail,"
    " detail_at=excluded.detail_at, settled=excluded.settled, tagset=excluded.tagset,"
    " tags_at=excluded.tags_at"
)

AT_ONCE: Final = 500
"""Keys of one statement."""


def read_row(row: tuple[Any, ...]) -> Known:
    """Return what a row of `SELECT` says.

    Raises:
        DAMAGED
    """
    key, size, etag, modified, seen_at, kind, storage, detail, detail_at, settled, tags, at = row
    info = None if etag is None else to_info(key, (size, etag, modified), (kind, storage), detail)
    return Known(
        key=key,
        info=info,
        seen_at=seen_at,
        detail_at=detail_at or 0,
        settled=bool(settled),
        tags=None if tags is None else unpack_tags(tags),
        tags_at=at,
    )


def read_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Known]:
    """Return what the rows of some keys say."""
    found = {}
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        marks = ",".join("?" * len(some))
        for row in connection.execute(f"{SELECT} WHERE o.key IN ({marks})", some):
            found[row[0]] = read_row(row)
    return found


class RowWriter:
    """Writes rows within one transaction; names of kinds and tag sets are kept once each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kinds: dict[tuple[str, str], int] = {}
        self._tagsets: dict[str, int] = {}

    def write(self, known: Known) -> None:
        """Write one row."""
        info = known.info
        detail = None if info is None or info.detail is None else info.detail
        self._connection.execute(
            _UPSERT,
            (
                known.key,
                None if info is None else info.size,
                None if info is None else pack_etag(info.etag),
                None if info is None else info.last_modified_ns,
                None if info is None else self._kind(info.type.value, info.storage_class),
                known.seen_at,
                None if detail is None else pack_detail(detail),
                known.detail_at if detail is not None else None,
                int(known.settled) if detail is not None else None,
                None if known.tags is None else self._tagset(pack_tags(known.tags)),
                known.tags_at,
            ),
        )

    def delete(self, key: str) -> None:
        """Delete one row."""
        self._connection.execute("DELETE FROM objects WHERE key = ?", (key,))

    def delete_prefix(self, prefix: str) -> None:
        """Delete all rows whose key begins with a prefix."""
        where, values = within(prefix)
        self._connection.execute(f"DELETE FROM objects WHERE {where}", values)  # noqa: S608

    def _kind(self, kind: str, storage: str) -> int:
        number = self._kinds.get((kind, storage))
        if number is None:
            number = self._number("kinds", ("type", "storage_class"), (kind, storage))
            self._kinds[kind, storage] = number
        return number

    def _tagset(self, tagging: str) -> int:
        number = self._tagsets.get(tagging)
        if number is None:
            number = self._number("tagsets", ("tagging",), (tagging,))
            self._tagsets[tagging] = number
        return number

    def _number(self, table: str, names: tuple[str, ...], values: tuple[str, ...]) -> int:
        where = " AND ".join(f"{name} = ?" for name in names)
        find = f"SELECT id FROM {table} WHERE {where}"  # noqa: S608  (names of our own)
        found = self._connection.execute(find, values).fetchone()
        if found is None:
            marks = ",".join("?" * len(names))
            add = f"INSERT INTO {table} ({','.join(names)}) VALUES ({marks})"  # noqa: S608
            return int(self._connection.execute(add, values).lastrowid or 0)
        return int(found[0])


def within(prefix: str, column: str = "key") -> tuple[str, tuple[str, ...]]:
    """Return a condition for the keys that begin with `prefix`, and its values."""
    if not prefix:
        return "1", ()
    # In UTF-8 nothing that begins with the prefix sorts behind its last character's successor.
    last = ord(prefix[-1]) + 1
    if last > sys.maxunicode:
        return f"substr({column}, 1, {len(prefix)}) = ?", (prefix,)
    after = chr(last + 0x800 if last == 0xD800 else last)  # noqa: PLR2004  (surrogates)
    return f"{column} >= ? AND {column} < ?", (prefix, prefix[:-1] + after)
