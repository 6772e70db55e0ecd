"""Multipart uploads: parts wait here until they are joined into an object or thrown away."""

import json
import secrets
from dataclasses import asdict, replace
from typing import Any

from tagfs.emulator.storage.blobs import Staged
from tagfs.emulator.storage.contents import (
    Contents,
    Extents,
    extents_from_json,
    extents_to_json,
)
from tagfs.emulator.storage.database import Database, to_signed, to_unsigned
from tagfs.emulator.storage.objects import Objects
from tagfs.emulator.storage.records import Attributes, ObjectRecord, PartRecord, UploadRecord

_PART = "number, size, etag, crc64, mtime_ms, extents, checksum"
_REMEMBERED = 1000  # completed uploads
_UPLOAD = "id, bucket, key, created_ms, exclusive, attributes"


class Uploads:
    """All uploads under way."""

    def __init__(self, database: Database, contents: Contents, objects: Objects) -> None:
        self._db = database
        self._contents = contents
        self._objects = objects
        self._completed: dict[str, tuple[UploadRecord, ObjectRecord, list[PartRecord]]] = {}

    def begin(
        self, bucket: int, key: str, now_ms: int, attributes: Attributes, *, exclusive: bool
    ) -> str:
        """Open an upload; `exclusive` asks that completing it replaces nothing."""
        identity = secrets.token_hex(16).upper()
        self._db.execute(
            f"INSERT INTO uploads({_UPLOAD}) VALUES(?, ?, ?, ?, ?, ?)",
            (identity, bucket, key, now_ms, int(exclusive), json.dumps(asdict(attributes))),
        )
        return identity

    def get(self, bucket: int, key: str, identity: str) -> UploadRecord | None:
        """Return an upload, if it is under way for this key."""
        row = self._db.one(
            f"SELECT {_UPLOAD} FROM uploads WHERE id = ? AND bucket = ? AND key = ?",  # noqa: S608
            (identity, bucket, key),
        )
        return None if row is None else _to_upload(row)

    def put_part(self, identity: str, part: PartRecord, staged: Staged) -> bool:
        """Store a part that was uploaded; false if the upload ended meanwhile."""
        with self._objects.changing():
            if not self._alive(identity):
                return False
            self._write_part(identity, replace(part, extents=self._contents.add(staged)))
        return True

    def share_part(self, identity: str, part: PartRecord) -> bool:
        """Store a part whose extents belong to an object; false if the upload ended meanwhile."""
        with self._objects.changing():
            if not self._alive(identity):
                return False
            self._contents.share(part.extents)
            self._write_part(identity, part)
        return True

    def _alive(self, identity: str) -> bool:
        return self._db.one("SELECT 1 FROM uploads WHERE id = ?", (identity,)) is not None

    def _write_part(self, identity: str, part: PartRecord) -> None:
        old = self._db.one(
            "SELECT extents FROM parts WHERE upload = ? AND number = ?", (identity, part.number)
        )
        self._db.execute(
            f"INSERT OR REPLACE INTO parts(upload, {_PART}) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            (
                identity,
                part.number,
                part.size,
                part.etag,
                to_signed(part.crc64),
                part.mtime_ms,
                extents_to_json(part.extents),
                part.checksum,
            ),
        )
        if old is not None:
            self._contents.drop(extents_from_json(old[0]))

    def parts(self, identity: str, after: int = 0, limit: int = -1) -> list[PartRecord]:
        """Return an upload's parts in order."""
        rows = self._db.all(
            f"SELECT {_PART} FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",  # noqa: S608
            (identity, after, limit),
        )
        return [_to_part(row) for row in rows]

    def complete(
        self, upload: UploadRecord, record: ObjectRecord, used: list[PartRecord]
    ) -> ObjectRecord:
        """Join parts into the object `record` and end the upload."""
        extents = tuple(extent for part in used for extent in part.extents)
        numbers = {part.number for part in used}
        with self._objects.changing():
            unused = [part for part in self.parts(upload.id) if part.number not in numbers]
            record = self._objects.write(upload.bucket, replace(record, extents=extents))
            self._end(upload.id, tuple(extent for part in unused for extent in part.extents))
        self._completed[upload.id] = (upload, record, used)
        if len(self._completed) > _REMEMBERED:
            del self._completed[next(iter(self._completed))]
        return record

    def completed(
        self, bucket: int, key: str, identity: str
    ) -> tuple[ObjectRecord, list[PartRecord]] | None:
        """Return what a completed upload became, and of which parts, while it is remembered."""
        found = self._completed.get(identity)
        if found is None or (found[0].bucket, found[0].key) != (bucket, key):
            return None
        return found[1], found[2]

    def abort(self, upload: UploadRecord) -> None:
        """Throw an upload and its parts away."""
        with self._objects.changing():
            parts = self.parts(upload.id)
            self._end(upload.id, tuple(extent for part in parts for extent in part.extents))

    def _end(self, identity: str, unused: Extents) -> None:
        self._db.execute("DELETE FROM parts WHERE upload = ?", (identity,))
        self._db.execute("DELETE FROM uploads WHERE id = ?", (identity,))
        self._contents.drop(unused)

    def under_way(self, bucket: int, prefix: str, after: tuple[str, str]) -> list[UploadRecord]:
        """Return a bucket's uploads by key and id, behind a given pair; they are few."""
        rows = self._db.all(
            f"SELECT {_UPLOAD} FROM uploads "  # noqa: S608 - constants
            "WHERE bucket = ? AND (key, id) > (?, ?) AND substr(key, 1, ?) = ? ORDER BY key, id",
            (bucket, *after, len(prefix), prefix),
        )
        return [_to_upload(row) for row in rows]


def _to_part(row: tuple[Any, ...]) -> PartRecord:
    return PartRecord(
        number=row[0],
        size=row[1],
        etag=row[2],
        crc64=to_unsigned(row[3]) or 0,
        mtime_ms=row[4],
        extents=extents_from_json(row[5]),
        checksum=row[6],
    )


def _to_upload(row: tuple[Any, ...]) -> UploadRecord:
    return UploadRecord(
        id=row[0],
        bucket=row[1],
        key=row[2],
        created_ms=row[3],
        exclusive=bool(row[4]),
        attributes=Attributes(**json.loads(row[5])),
    )
