"""Named texts beside an object: of one version of it, so that what replaces it has none."""

from tagfs.emulator.storage.database import Database
from tagfs.emulator.storage.records import ObjectRecord


def _version(record: ObjectRecord) -> str:
    return f"{record.mtime_ms}-{record.etag}"


class Annotations:
    """All annotations of all objects; those of versions that are gone are not looked for."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def names(self, bucket: int, record: ObjectRecord) -> list[str]:
        """Return the names of an object's annotations, in order."""
        rows = self._db.all(
            "SELECT name FROM annotations WHERE bucket = ? AND key = ? AND version = ?"
            " ORDER BY name",
            (bucket, record.key, _version(record)),
        )
        return [row[0] for row in rows]

    def get(self, bucket: int, record: ObjectRecord, name: str) -> tuple[bytes, int] | None:
        """Return an annotation and when it was set, in milliseconds since 1970."""
        row = self._db.one(
            "SELECT data, mtime_ms FROM annotations"
            " WHERE bucket = ? AND key = ? AND version = ? AND name = ?",
            (bucket, record.key, _version(record), name),
        )
        return None if row is None else (row[0], row[1])

    def put(self, bucket: int, record: ObjectRecord, name: str, data: bytes, mtime_ms: int) -> None:
        """Set an annotation."""
        self._db.execute(
            "INSERT OR REPLACE INTO annotations VALUES(?, ?, ?, ?, ?, ?)",
            (bucket, record.key, _version(record), name, mtime_ms, data),
        )

    def delete(self, bucket: int, record: ObjectRecord, name: str) -> None:
        """Remove an annotation."""
        self._db.execute(
            "DELETE FROM annotations WHERE bucket = ? AND key = ? AND version = ? AND name = ?",
            (bucket, record.key, _version(record), name),
        )

    def copy(self, bucket: int, source: ObjectRecord, to: int, made: ObjectRecord) -> None:
        """Give a copy the annotations of its source."""
        for name in self.names(bucket, source):
            found = self.get(bucket, source, name)
            if found is not None:
                self.put(to, made, name, *found)
