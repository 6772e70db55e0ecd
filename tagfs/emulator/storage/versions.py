"""What objects were before: the versions that a bucket keeps, and where one was deleted.

The `objects` table has what is current and not deleted, so whoever asks for no version need not
know of this one. Here are all versions that are not current, and the delete markers; of the rows of
one key the newest has the highest id.
"""

import secrets
from collections.abc import Iterator
from typing import NamedTuple

from tagfs.emulator.storage.contents import Contents, Extents, extents_from_json
from tagfs.emulator.storage.database import Database
from tagfs.emulator.storage.records import NO_VERSION, ObjectRecord
from tagfs.emulator.storage.rows import COLUMNS, to_record

_SUSPENDED = "Suspended"
_MARK = (
    f"INSERT INTO versions(marker, bucket, {COLUMNS}) "
    "VALUES(1, ?, ?, 'Normal', 0, '', ?, 'Standard', 0, 0, '', NULL, '', '', '{}', '{}', '{}', "
    "'[]', ?)"
)


class Version(NamedTuple):
    """One version as listings show it; a marker says that the object was deleted."""

    record: ObjectRecord
    is_marker: bool
    is_latest: bool


class Versions:
    """The versions of all buckets that keep any."""

    def __init__(self, database: Database, contents: Contents) -> None:
        self._db = database
        self._contents = contents

    def state(self, bucket: int) -> str:
        """Return "Enabled", "Suspended", or "" for a bucket that never kept any."""
        row = self._db.one("SELECT versioning FROM buckets WHERE id = ?", (bucket,))
        return row[0] if row else ""

    def new(self, bucket: int) -> str:
        """Return the version of what is written now."""
        return secrets.token_hex(16).upper() if self.state(bucket) == "Enabled" else NO_VERSION

    def take_away(self, bucket: int, key: str) -> Extents:
        """Let a key be free for what is written now; return the extents that nothing has any more.

        What is there becomes an old version, if the bucket keeps versions, and it is not one that
        what is written now replaces: while versioning is suspended, all is written as "null".
        """
        state = self.state(bucket)
        if not state:
            return self._delete("objects", bucket, key)
        freed: Extents = ()
        if state == _SUSPENDED:
            for table in ("objects", "versions"):
                freed += self._delete(table, bucket, key, NO_VERSION)
        self._db.execute(
            f"INSERT INTO versions(marker, bucket, {COLUMNS}) "  # noqa: S608 - constants
            f"SELECT 0, bucket, {COLUMNS} FROM objects WHERE bucket = ? AND key = ?",
            (bucket, key),
        )
        self._db.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key))
        return freed

    def mark_deleted(self, bucket: int, key: str, now_ms: int) -> str:
        """Write a delete marker and return its version; "" where none is written."""
        if not self.state(bucket):
            return ""
        version = self.new(bucket)
        self._db.execute(_MARK, (bucket, key, now_ms, version))
        return version

    def find(self, bucket: int, key: str, version: str) -> Version | None:
        """Return one version of a key."""
        return next((v for v in self.of_key(bucket, key) if v.record.version == version), None)

    def of_key(self, bucket: int, key: str) -> list[Version]:
        """Return all versions of a key, the newest first."""
        rows = self._db.all(
            f"SELECT {COLUMNS}, 0 FROM objects WHERE bucket = ? AND key = ?",  # noqa: S608
            (bucket, key),
        )
        rows += self._db.all(
            f"SELECT {COLUMNS}, marker FROM versions "  # noqa: S608 - constants
            "WHERE bucket = ? AND key = ? ORDER BY id DESC",
            (bucket, key),
        )
        return [
            Version(to_record(row), is_marker=bool(row[-1]), is_latest=number == 0)
            for number, row in enumerate(rows)
        ]

    def below(self, bucket: int, prefix: str) -> Iterator[Version]:
        """Yield all versions of all keys with a prefix: by key, the newest first."""
        keys = self._db.all(
            "SELECT key FROM objects WHERE bucket = ?1 AND substr(key, 1, ?2) = ?3 "
            "UNION SELECT key FROM versions WHERE bucket = ?1 AND substr(key, 1, ?2) = ?3 "
            "ORDER BY key",
            (bucket, len(prefix), prefix),
        )
        for (key,) in keys:
            yield from self.of_key(bucket, key)

    def delete(self, bucket: int, key: str, version: str) -> Version | None:
        """Remove one version for ever; what was before it is current if it was."""
        found = self.find(bucket, key, version)
        for table in ("objects", "versions"):
            self._contents.drop(self._delete(table, bucket, key, version))
        self._promote(bucket, key)
        return found

    def _promote(self, bucket: int, key: str) -> None:
        """Let the newest version be an object, unless the object is deleted."""
        where = (bucket, key)
        if self._db.one("SELECT 1 FROM objects WHERE bucket = ? AND key = ?", where):
            return
        row = self._db.one(
            "SELECT id, marker FROM versions WHERE bucket = ? AND key = ? ORDER BY id DESC LIMIT 1",
            where,
        )
        if row is None or row[1]:
            return
        self._db.execute(
            f"INSERT INTO objects(bucket, {COLUMNS}) "  # noqa: S608 - constants
            f"SELECT bucket, {COLUMNS} FROM versions WHERE id = ?",
            (row[0],),
        )
        self._db.execute("DELETE FROM versions WHERE id = ?", (row[0],))

    def _delete(self, table: str, bucket: int, key: str, version: str | None = None) -> Extents:
        """Delete rows; return their extents."""
        rows = self._db.all(
            f"DELETE FROM {table} WHERE bucket = ? AND key = ? "  # noqa: S608 - constants
            "AND version = COALESCE(?, version) RETURNING extents",
            (bucket, key, version),
        )
        return tuple(extent for (text,) in rows for extent in extents_from_json(text))
