"""The buckets table. Buckets are few and asked for at every request, so they are in memory too."""

from tagfs.emulator.storage.database import Database
from tagfs.emulator.storage.records import BucketRecord
from tagfs.emulator.storage.rows import dump, load


class Buckets:
    """All buckets, by name."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._known: dict[str, BucketRecord] = {}
        self._read()

    def _read(self) -> None:
        rows = self._db.all(
            "SELECT id, name, created_ms, storage_class, acl, tags, kind, versioning, indexed"
            " FROM buckets"
        )
        self._known = {
            row[1]: BucketRecord(
                id=row[0],
                name=row[1],
                created_ms=row[2],
                storage_class=row[3],
                acl=row[4],
                tags=load(row[5]),
                kind=row[6],
                versioning=row[7],
                index=row[8],
            )
            for row in rows
        }

    def get(self, name: str) -> BucketRecord | None:
        """Return a bucket, if there is one."""
        return self._known.get(name)

    def all(self) -> list[BucketRecord]:
        """Return every bucket by name."""
        return [self._known[name] for name in sorted(self._known)]

    def create(
        self,
        name: str,
        now_ms: int,
        *,
        storage_class: str = "Standard",
        acl: str = "private",
        kind: str = "OBJECT",
    ) -> BucketRecord:
        """Make a bucket, or return the one there is."""
        self._db.execute(
            "INSERT OR IGNORE INTO buckets(name, created_ms, storage_class, acl, kind) "
            "VALUES(?, ?, ?, ?, ?)",
            (name, now_ms, storage_class, acl, kind),
        )
        self._read()
        return self._known[name]

    def is_empty(self, bucket: int) -> bool:
        """Tell whether nothing would be lost with this bucket."""
        uploads = self._db.one("SELECT 1 FROM uploads WHERE bucket = ? LIMIT 1", (bucket,))
        return uploads is None and self.holds_no_object(bucket)

    def holds_no_object(self, bucket: int) -> bool:
        """Tell whether a bucket has nothing but perhaps uploads."""
        return not any(
            self._db.one(f"SELECT 1 FROM {table} WHERE bucket = ? LIMIT 1", (bucket,))  # noqa: S608
            for table in ("objects", "versions")
        )

    def delete(self, bucket: int) -> None:
        """Remove an empty bucket."""
        self._db.execute("DELETE FROM buckets WHERE id = ?", (bucket,))
        self._read()

    def set_tags(self, bucket: int, tags: dict[str, str]) -> None:
        """Replace a bucket's tag set."""
        self._db.execute("UPDATE buckets SET tags = ? WHERE id = ?", (dump(tags), bucket))
        self._read()

    def set_versioning(self, bucket: int, status: str) -> None:
        """Say whether a bucket keeps the versions of its objects."""
        self._db.execute("UPDATE buckets SET versioning = ? WHERE id = ?", (status, bucket))
        self._read()

    def set_index(self, bucket: int, index: str) -> None:
        """Note the index that a bucket has, "" for none."""
        self._db.execute("UPDATE buckets SET indexed = ? WHERE id = ?", (index, bucket))
        self._read()

    def set_class(self, bucket: int, storage_class: str) -> None:
        """Replace the class that a bucket's new objects have."""
        self._db.execute(
            "UPDATE buckets SET storage_class = ? WHERE id = ?", (storage_class, bucket)
        )
        self._read()

    def set_acl(self, bucket: int, acl: str) -> None:
        """Replace a bucket's access control word."""
        self._db.execute("UPDATE buckets SET acl = ? WHERE id = ?", (acl, bucket))
        self._read()

    def usage(self, bucket: int) -> tuple[int, int, int]:
        """Return bytes stored, objects, and uploads under way."""
        [(size, count)] = self._db.all(
            "SELECT COALESCE(SUM(size), 0), COUNT(*) FROM objects WHERE bucket = ?", (bucket,)
        )
        [(uploads,)] = self._db.all("SELECT COUNT(*) FROM uploads WHERE bucket = ?", (bucket,))
        return size, count, uploads
