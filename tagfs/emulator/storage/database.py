"""The SQLite file: its schema and its transactions.

One connection, used by one thread (the event loop's). The journal is a WAL that the kernel, not the
program, brings to disk: `kill -9` loses nothing, a power cut may, which an emulator can afford.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets(
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, created_ms INTEGER NOT NULL,
    storage_class TEXT NOT NULL, acl TEXT NOT NULL, tags TEXT NOT NULL DEFAULT '{}',
    kind TEXT NOT NULL DEFAULT 'OBJECT', versioning TEXT NOT NULL DEFAULT '',
    indexed TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS blobs(
    id INTEGER PRIMARY KEY AUTOINCREMENT, refs INTEGER NOT NULL, size INTEGER NOT NULL,
    name TEXT, data BLOB);
CREATE TABLE IF NOT EXISTS objects(
    bucket INTEGER NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, mtime_ms INTEGER NOT NULL, storage_class TEXT NOT NULL,
    restored_from_ms INTEGER NOT NULL, restored_until_ms INTEGER NOT NULL,
    md5 TEXT NOT NULL, crc64 INTEGER, acl TEXT NOT NULL, target TEXT NOT NULL,
    headers TEXT NOT NULL, meta TEXT NOT NULL, tags TEXT NOT NULL, extents TEXT NOT NULL,
    version TEXT NOT NULL DEFAULT 'null', PRIMARY KEY(bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions(
    id INTEGER PRIMARY KEY AUTOINCREMENT, marker INTEGER NOT NULL,
    bucket INTEGER NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL,
    etag TEXT NOT NULL, mtime_ms INTEGER NOT NULL, storage_class TEXT NOT NULL,
    restored_from_ms INTEGER NOT NULL, restored_until_ms INTEGER NOT NULL,
    md5 TEXT NOT NULL, crc64 INTEGER, acl TEXT NOT NULL, target TEXT NOT NULL,
    headers TEXT NOT NULL, meta TEXT NOT NULL, tags TEXT NOT NULL, extents TEXT NOT NULL,
    version TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS versions_by_key ON versions(bucket, key, id);
CREATE TABLE IF NOT EXISTS uploads(
    id TEXT PRIMARY KEY, bucket INTEGER NOT NULL, key TEXT NOT NULL, created_ms INTEGER NOT NULL,
    exclusive INTEGER NOT NULL, attributes TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads(bucket, key, id);
CREATE TABLE IF NOT EXISTS parts(
    upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    crc64 INTEGER NOT NULL, mtime_ms INTEGER NOT NULL, extents TEXT NOT NULL,
    checksum TEXT NOT NULL DEFAULT '', PRIMARY KEY(upload, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS annotations(
    bucket INTEGER NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, name TEXT NOT NULL,
    mtime_ms INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY(bucket, key, version, name));
"""
_ADDED = (
    ("buckets", "kind", "OBJECT"),
    ("buckets", "versioning", ""),
    ("buckets", "indexed", ""),
    ("objects", "version", "null"),
    ("parts", "checksum", ""),
)
_CACHE_KIB = 64 * 1024


class Database:
    """The connection, with transactions that nest into one."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        self._depth = 0
        for pragma in (
            "journal_mode=WAL",
            "synchronous=OFF",
            "temp_store=MEMORY",
            "wal_autocheckpoint=4000",
            f"cache_size=-{_CACHE_KIB}",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)
        self.execute = self._connection.execute
        self._migrate()

    def _migrate(self) -> None:
        """Bring a data directory of an earlier version up to date."""
        for table, column, default in _ADDED:
            if column not in {row[1] for row in self.all(f"PRAGMA table_info({table})")}:
                self.execute(
                    f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT '{default}'"
                )

    @property
    def changes(self) -> int:
        """Return a number that grows with every change of a row."""
        return self._connection.total_changes

    def one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row, if any."""
        row: tuple[Any, ...] | None = self.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return every row."""
        return self.execute(sql, values).fetchall()

    def insert(self, sql: str, values: Sequence[Any]) -> int:
        """Add a row and return its id."""
        return self.execute(sql, values).lastrowid or 0

    def many(self, sql: str, rows: Iterator[Sequence[Any]]) -> None:
        """Run one statement for each row."""
        self._connection.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what happens inside happen wholly or not at all."""
        if self._depth:
            yield
            return
        self.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        else:
            self.execute("COMMIT")
        finally:
            self._depth = 0

    def close(self) -> None:
        """Fold the journal into the database and let go of it."""
        self._connection.close()


_SIGN = 1 << 63


def to_signed(value: int | None) -> int | None:
    """Fit an unsigned 64-bit number into SQLite's signed integer."""
    return value - (1 << 64) if value is not None and value >= _SIGN else value


def to_unsigned(value: int | None) -> int | None:
    """Undo `to_signed`."""
    return value + (1 << 64) if value is not None and value < 0 else value
