"""Objects by the million, written straight into the store: for tests that cannot wait for PUTs.

A specification is `TEMPLATE:COUNT[:SIZE]`. TEMPLATE is a key with one `{}` field that is given the
numbers from 0 to COUNT-1, as in `d/{:06d}`; without a field it names a single object. All objects
share one sparse blob of SIZE zero bytes (`k`, `m` and `g` are powers of 1024).
"""

import re
from collections.abc import Iterator
from typing import Any

from tagfs.emulator.storage.crc64 import crc64, crc64_combine
from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord
from tagfs.emulator.storage.rows import INSERT, to_row

_SPECIFICATION = re.compile(
    r"(?P<template>.*\{[^}]*\}[^:]*|[^{}]*?):(?P<count>\d+)(?::(?P<size>\d+)(?P<unit>[kmg]?))?",
    re.DOTALL,
)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_BLOCK = bytes(1 << 20)
_ETAG_OF_ZEROS = "5A65726F73000000000000000000{:04X}-1"


def parse_specification(text: str) -> tuple[str, int, int]:
    """Return the template, the count and the size of a specification.

    Raises:
        ValueError: it is none.
    """
    match = _SPECIFICATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not TEMPLATE:COUNT[:SIZE]: {text!r}")
    size = int(match["size"] or 0) * _UNITS[match["unit"] or ""]
    return match["template"], int(match["count"]), size


def generate(
    storage: Storage, bucket: str, specification: str, now_ms: int, *, lower_case: bool = False
) -> int:
    """Write the objects of a specification in one transaction and return how many there are.

    `lower_case` says how the service writes ETags.
    """
    template, count, size = parse_specification(specification)
    record = storage.buckets.create(bucket, now_ms)
    if not storage.buckets.is_empty(record.id):
        storage.objects.delete_many(record.id, _keys(template, count))
    etag = _ETAG_OF_ZEROS.format(size & 0xFFFF) if size else "D41D8CD98F00B204E9800998ECF8427E"
    with storage.objects.changing():
        extents = storage.contents.add_sparse(size, count)
        model = ObjectRecord(
            key="",
            kind=Kind.MULTIPART if size else Kind.NORMAL,
            size=size,
            etag=etag.lower() if lower_case else etag,
            md5="" if size else "d41d8cd98f00b204e9800998ecf8427e",
            crc64=_crc_of_zeros(size),
            mtime_ms=now_ms,
            attributes=Attributes(headers={"Content-Type": "application/octet-stream"}),
            extents=extents,
        )
        row = to_row(record.id, model)
        storage.database.many(INSERT, _rows(row, template, count))
    return count


def _keys(template: str, count: int) -> Iterator[str]:
    for number in range(count):
        yield template.format(number)


def _rows(row: tuple[Any, ...], template: str, count: int) -> Iterator[tuple[Any, ...]]:
    for key in _keys(template, count):
        yield (row[0], key, *row[2:])


def _crc_of_zeros(size: int) -> int:
    whole, rest = divmod(size, len(_BLOCK))
    block, crc = crc64(_BLOCK), 0
    for _ in range(whole):
        crc = crc64_combine(crc, block, len(_BLOCK))
    return crc64_combine(crc, crc64(bytes(rest)), rest)
