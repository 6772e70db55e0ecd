"""Objects as rows: which columns there are, and how a record is laid out in them."""

import json
from typing import Any

from tagfs.emulator.storage.contents import extents_from_json, extents_to_json
from tagfs.emulator.storage.database import to_signed, to_unsigned
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord

COLUMNS = (
    "key, kind, size, etag, mtime_ms, storage_class, restored_from_ms, restored_until_ms, "
    "md5, crc64, acl, target, headers, meta, tags, extents, version"
)
INSERT = f"INSERT OR REPLACE INTO objects(bucket, {COLUMNS}) VALUES({', '.join('?' * 18)})"


def dump(mapping: dict[str, str]) -> str:
    """Render a mapping for a row; the empty one is the common case."""
    return json.dumps(mapping) if mapping else "{}"


def load(text: str) -> dict[str, str]:
    """Parse a mapping of a row."""
    if text == "{}":
        return {}
    mapping: dict[str, str] = json.loads(text)
    return mapping


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
        record.version,
    )


def to_record(row: tuple[Any, ...]) -> ObjectRecord:
    """Read a row of `COLUMNS`."""
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
        version=row[16],
        attributes=Attributes(
            storage_class=row[5],
            acl=row[10],
            headers=load(row[12]),
            meta=load(row[13]),
            tags=load(row[14]),
        ),
    )
