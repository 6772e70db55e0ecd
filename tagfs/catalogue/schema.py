"""The tables of a catalogue: made, and mended where the calendar was wrong."""

import sqlite3
from typing import Final

VERSION: Final = 2
"""Of the tables below: a file of any other is begun anew."""

SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE kinds (id INTEGER PRIMARY KEY, type TEXT, storage_class TEXT,
                    UNIQUE (type, storage_class));
CREATE TABLE tagsets (id INTEGER PRIMARY KEY, tagging TEXT NOT NULL UNIQUE);
CREATE TABLE objects (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
    size INTEGER, etag, modified_ns INTEGER, kind INTEGER, seen_at INTEGER NOT NULL,
    detail TEXT, detail_at INTEGER, settled INTEGER,
    tagset INTEGER, tags_at INTEGER NOT NULL
);
CREATE INDEX objects_by_tags ON objects (tagset) WHERE tagset IS NOT NULL;
CREATE TABLE queries (prefix TEXT, name TEXT, PRIMARY KEY (prefix, name)) WITHOUT ROWID;
CREATE TABLE scans (prefix TEXT PRIMARY KEY, began INTEGER NOT NULL, ended INTEGER) WITHOUT ROWID;
"""


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables if there are none.

    Raises:
        sqlite3.DatabaseError: they are those of another version.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError(f"of version {version}")
    if version == 0:
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")


def age_the_future(connection: sqlite3.Connection, now: int) -> None:
    """Let what a calendar that was ahead calls later than now be older than everything."""
    for column in ("seen_at", "detail_at", "tags_at"):
        connection.execute(f"UPDATE objects SET {column} = 1 WHERE {column} > ?", (now,))  # noqa: S608
    connection.execute("DELETE FROM scans WHERE began > ?", (now,))
