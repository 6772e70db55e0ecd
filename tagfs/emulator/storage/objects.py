"""The objects table: reading, replacing, copying, appending and tagging single objects.

Every method is one short transaction on the event loop's thread, so each is atomic for all
requests. Deciding whether something may happen is the service's; storing it is done here.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tagfs.emulator.storage.blobs import Staged
from tagfs.emulator.storage.contents import (
    Contents,
    Extents,
    extents_from_json,
    extents_to_json,
)
from tagfs.emulator.storage.database import Database, to_signed, to_unsigned
from tagfs.emulator.storage.listing import successor
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord

COLUMNS = (
    "key, kind, size, etag, mtime_ms, storage_class, restored_from_ms, restored_until_ms, "
    "md5, crc64, acl, target, headers, meta, tags, extents"
)
_SELECT = f"SELECT {COLUMNS} FROM objects WHERE bucket = ? AND key = ?"  # noqa: S608 - constants
INSERT = f"INSERT OR REPLACE INTO objects(bucket, {COLUMNS}) VALUES({', '.join('?' * 17)})"
_EXTENTS = "SELECT extents FROM objects WHERE bucket = ? AND key = ?"


def dump(mapping: dict[str, str]) -> str:
    """Render a mapping for a row; the empty one is the common case."""
    return json.dumps(mapping) if mapping else "{}"


def load(text: str) -> dict[str, str]:
    """Parse a mapping of a row."""
    if text == "{}":
        return {}
    mapping: dict[str, str] = json.loads(text)
    return mapping


class Objects:
    """All objects of all buckets."""

    def __init__(self, database: Database, contents: Contents) -> None:
        self._db = database
        self._contents = contents

    def get(self, bucket: int, key: str) -> ObjectRecord | None:
        """Return an object's record, if there is one."""
        row = self._db.one(_SELECT, (bucket, key))
        return None if row is None else _to_record(row)

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
            self.write(bucket, record)
        return record

    def share(self, bucket: int, record: ObjectRecord) -> None:
        """Write an object whose extents belong to another one, as a copy's do."""
        with self.changing():
            self._contents.share(record.extents)
            self.write(bucket, record)

    def append(self, bucket: int, record: ObjectRecord, staged: Staged) -> ObjectRecord:
        """Write an object again with a staged content joined to its end."""
        with self.changing():
            record = replace(record, extents=self._contents.extend(record.extents, staged))
            self._insert(bucket, record)
        return record

    def update(self, bucket: int, record: ObjectRecord) -> None:
        """Write an object again whose content stays as it is."""
        self._insert(bucket, record)

    def write(self, bucket: int, record: ObjectRecord) -> None:
        """Put a record, owning its extents already, in place of what was there."""
        old = self._extents(bucket, record.key)
        self._insert(bucket, record)
        self._contents.drop(old)

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

    def delete(self, bucket: int, key: str) -> bool:
        """Remove an object; tell whether there was one."""
        return self.delete_many(bucket, [key]) == 1

    def delete_many(self, bucket: int, keys: Iterable[str]) -> int:
        """Remove objects in one transaction; tell how many there were."""
        count = 0
        with self.changing():
            for key in keys:
                row = self._db.one(
                    "DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING extents",
                    (bucket, key),
                )
                if row is not None:
                    count += 1
                    self._contents.drop(extents_from_json(row[0]))
        return count

    def set_tags(
        self, bucket: int, key: str, tags: dict[str, str], mtime_ms: int | None = None
    ) -> bool:
        """Replace a tag set, and nothing else: unless it is given, mtime does not move."""
        cursor = self._db.execute(
            "UPDATE objects SET tags = ?, mtime_ms = COALESCE(?, mtime_ms)"
            " WHERE bucket = ? AND key = ?",
            (dump(tags), mtime_ms, bucket, key),
        )
        return cursor.rowcount > 0

    def set_acl(self, bucket: int, key: str, acl: str) -> bool:
        """Replace an object's access control word."""
        cursor = self._db.execute(
            "UPDATE objects SET acl = ? WHERE bucket = ? AND key = ?", (acl, bucket, key)
        )
        return cursor.rowcount > 0

    def set_restored(self, bucket: int, key: str, from_ms: int, until_ms: int) -> None:
        """Note when an archived object becomes readable, and until when."""
        self._db.execute(
            "UPDATE objects SET restored_from_ms = ?, restored_until_ms = ? "
            "WHERE bucket = ? AND key = ?",
            (from_ms, until_ms, bucket, key),
        )

    def hold(self, extents: Extents) -> None:
        """Keep the blobs of extents while nobody's row does."""
        with self.changing():
            self._contents.share(extents)

    def release(self, extents: Extents) -> None:
        """End a `hold`."""
        with self.changing():
            self._contents.drop(extents)

    def _extents(self, bucket: int, key: str) -> Extents:
        row = self._db.one(_EXTENTS, (bucket, key))
        return () if row is None else extents_from_json(row[0])

    def _insert(self, bucket: int, record: ObjectRecord) -> None:
        self._db.execute(INSERT, to_row(bucket, record))


def to_row(bucket: int, record: ObjectRecord) -> tuple[Any, ...]:
    """Lay a record out as `INSERT` wants it."""
    attributes = record.attributes
    return (
        bucket,
        record.key,
        record.kind.value,
        record.size,
        record.etag,
        record.mtime_ms,
        attributes.storage_class,
        record.restored_from_ms,
        record.restored_until_ms,
        record.md5,
        to_signed(record.crc64),
        attributes.acl,
        record.target,
        dump(attributes.headers),
        dump(attributes.meta),
        dump(attributes.tags),
        extents_to_json(record.extents),
    )


def _to_record(row: tuple[Any, ...]) -> ObjectRecord:
    return ObjectRecord(
        key=row[0],
        kind=Kind(row[1]),
        size=row[2],
        etag=row[3],
        mtime_ms=row[4],
        restored_from_ms=row[6],
        restored_until_ms=row[7],
        md5=row[8],
        crc64=to_unsigned(row[9]),
        target=row[11],
        extents=extents_from_json(row[15]),
        attributes=Attributes(
            storage_class=row[5],
            acl=row[10],
            headers=load(row[12]),
            meta=load(row[13]),
            tags=load(row[14]),
        ),
    )
