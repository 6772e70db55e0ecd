"""The objects table: reading, replacing, copying, appending and tagging single objects.

Every method is one short transaction on the event loop's thread, so each is atomic for all
requests. Deciding whether something may happen is the service's; storing it is done here.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tagfs.emulator.storage.blobs import Staged
from tagfs.emulator.storage.contents import Contents, Extents, extents_from_json
from tagfs.emulator.storage.database import Database
from tagfs.emulator.storage.listing import successor
from tagfs.emulator.storage.records import ObjectRecord
from tagfs.emulator.storage.rows import COLUMNS, INSERT, dump, to_record, to_row
from tagfs.emulator.storage.versions import Versions

_SELECT = f"SELECT {COLUMNS} FROM objects WHERE bucket = ? AND key = ?"  # noqa: S608 - constants


class Objects:
    """All objects of all buckets."""

    def __init__(self, database: Database, contents: Contents) -> None:
        self._db = database
        self._contents = contents
        self.versions = Versions(database, contents)

    def get(self, bucket: int, key: str) -> ObjectRecord | None:
        """Return an object's record, if there is one."""
        row = self._db.one(_SELECT, (bucket, key))
        return None if row is None else to_record(row)

    def all(self, bucket: int) -> Iterator[ObjectRecord]:
        """Yield all objects of a bucket, in the order of their keys."""
        sql = f"SELECT {COLUMNS} FROM objects WHERE bucket = ? ORDER BY key"  # noqa: S608
        return map(to_record, self._db.all(sql, (bucket,)))

    def exists(self, bucket: int, key: str) -> bool:
        """Tell whether a key is taken."""
        row = self._db.one("SELECT 1 FROM objects WHERE bucket = ? AND key = ?", (bucket, key))
        return row is not None

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Run a change of rows as a transaction, then remove the files that it freed."""
        try:
            with self._db.transaction():
                yield
        except BaseException:
            self._contents.forget_dead()
            raise
        self._contents.collect()

    def put(self, bucket: int, record: ObjectRecord, staged: Staged) -> ObjectRecord:
        """Replace whatever is at the record's key by a new object."""
        with self.changing():
            record = replace(record, extents=self._contents.add(staged))
            return self.write(bucket, record)

    def share(self, bucket: int, record: ObjectRecord) -> ObjectRecord:
        """Write an object whose extents belong to another one, as a copy's do."""
        with self.changing():
            self._contents.share(record.extents)
            return self.write(bucket, record)

    def append(self, bucket: int, record: ObjectRecord, staged: Staged) -> ObjectRecord:
        """Write an object again with a staged content joined to its end."""
        with self.changing():
            record = replace(record, extents=self._contents.extend(record.extents, staged))
            self._insert(bucket, record)
        return record

    def update(self, bucket: int, record: ObjectRecord) -> None:
        """Write an object again whose content stays as it is."""
        self._insert(bucket, record)

    def write(self, bucket: int, record: ObjectRecord) -> ObjectRecord:
        """Put a record, owning its extents already, in place of what was there."""
        old = self.versions.take_away(bucket, record.key)
        record = replace(record, version=self.versions.new(bucket))
        self._insert(bucket, record)
        self._contents.drop(old)
        return record

    def rename(self, bucket: int, key: str, new: str) -> None:
        """Give an object another key; with a key that ends in a slash, all below it as well."""
        end = successor(key) if key.endswith("/") else None
        with self.changing():
            old = self._db.all(
                "DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING extents", (bucket, new)
            )
            for (extents,) in old:
                self._contents.drop(extents_from_json(extents))
            self._db.execute(
                "UPDATE objects SET key = ? || substr(key, ?) "
                "WHERE bucket = ? AND key >= ? AND key < ?",
                (new, len(key) + 1, bucket, key, end or key + "\0"),
            )

    def delete(self, bucket: int, key: str, now_ms: int = 0) -> str:
        """Remove an object; return the version of the delete marker that this left, if any."""
        return self.delete_many(bucket, [key], now_ms).get(key, "")

    def delete_many(self, bucket: int, keys: Iterable[str], now_ms: int = 0) -> dict[str, str]:
        """Remove objects in one transaction; return the versions of delete markers that are left.

        In a bucket that keeps versions each key gets one, whether anything is there or not.
        """
        markers = {}
        with self.changing():
            for key in keys:
                self._contents.drop(self.versions.take_away(bucket, key))
                if marker := self.versions.mark_deleted(bucket, key, now_ms):
                    markers[key] = marker
        return markers

    def set_tags(
        self, bucket: int, record: ObjectRecord, tags: dict[str, str], mtime_ms: int | None = None
    ) -> None:
        """Replace a tag set, and nothing else: unless it is given, mtime does not move."""
        values = {"tags": dump(tags)} | ({} if mtime_ms is None else {"mtime_ms": mtime_ms})
        self._set(bucket, record, values)

    def set_acl(self, bucket: int, record: ObjectRecord, acl: str) -> None:
        """Replace an object's access control word."""
        self._set(bucket, record, {"acl": acl})

    def set_restored(self, bucket: int, record: ObjectRecord, from_ms: int, until_ms: int) -> None:
        """Note when an archived object becomes readable, and until when."""
        values = {"restored_from_ms": from_ms, "restored_until_ms": until_ms}
        self._set(bucket, record, values)

    def _set(self, bucket: int, record: ObjectRecord, values: dict[str, Any]) -> None:
        """Change columns of one version, current or not."""
        changes = ", ".join(f"{name} = ?" for name in values)
        for table in ("objects", "versions"):
            self._db.execute(
                f"UPDATE {table} SET {changes} "  # noqa: S608 - constants
                "WHERE bucket = ? AND key = ? AND version = ?",
                (*values.values(), bucket, record.key, record.version),
            )

    def hold(self, extents: Extents) -> None:
        """Keep the blobs of extents while nobody's row does."""
        with self.changing():
            self._contents.share(extents)

    def release(self, extents: Extents) -> None:
        """End a `hold`."""
        with self.changing():
            self._contents.drop(extents)

    def _insert(self, bucket: int, record: ObjectRecord) -> None:
        self._db.execute(INSERT, to_row(bucket, record))
