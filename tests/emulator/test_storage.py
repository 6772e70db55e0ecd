"""The storage engine by itself: checksums, references, generated objects."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from tagfs.emulator.storage.crc64 import crc64, crc64_combine, crc64_of_zeros
from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.storage.generate import generate, parse_specification
from tagfs.emulator.storage.listing import Query
from tagfs.emulator.storage.records import Attributes, Kind, ObjectRecord


def test_the_check_value_of_the_algorithm():
    assert crc64(b"123456789") == 11051210869376104954
    assert crc64(b"hello world") == 5981764153023615706


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_combining_equals_reading(first, second):
    assert crc64_combine(crc64(first), crc64(second), len(second)) == crc64(first + second)


@given(st.integers(0, 3000))
def test_zeros_are_not_read(length):
    assert crc64_of_zeros(length) == crc64(bytes(length))


def test_combining_long_zeros():
    block = bytes(1 << 20)
    assert crc64_combine(crc64(b"x"), crc64(block), len(block)) == crc64(b"x" + block)


def _put(storage: Storage, bucket: int, key: str, data: bytes) -> ObjectRecord:
    incoming = storage.receive()
    for at in range(0, len(data), 30_000):
        incoming.write(data[at : at + 30_000])
    staged = incoming.finish()
    record = ObjectRecord(
        key=key,
        kind=Kind.NORMAL,
        size=staged.size,
        etag=staged.md5,
        mtime_ms=0,
        attributes=Attributes(),
    )
    return storage.objects.put(bucket, record, staged)


def _files(directory: Path) -> int:
    return len(list((directory / "blobs").iterdir()))


def test_files_go_with_their_last_reference(tmp_path):
    storage = Storage(tmp_path)
    bucket = storage.buckets.create("bkt", 0).id
    data = random.Random(1).randbytes(200_000)
    record = _put(storage, bucket, "a", data)
    assert _files(tmp_path) == 1
    storage.objects.share(bucket, replace(record, key="b"))
    storage.objects.delete(bucket, "a")
    assert _files(tmp_path) == 1
    content = storage.contents.open(record.extents)
    storage.objects.delete(bucket, "b")
    assert b"".join(content.read(0, len(data))) == data  # a reader keeps what it reads
    content.close()
    assert _files(tmp_path) == 0
    storage.close()


def test_overwriting_frees(tmp_path):
    storage = Storage(tmp_path)
    bucket = storage.buckets.create("bkt", 0).id
    for _ in range(3):
        _put(storage, bucket, "a", bytes(100_000))
    assert _files(tmp_path) == 1
    _put(storage, bucket, "a", b"small")
    assert _files(tmp_path) == 0
    [(count,)] = storage.database.all("SELECT COUNT(*) FROM blobs")
    assert count == 1
    storage.close()


def test_leftovers_are_swept(tmp_path):
    storage = Storage(tmp_path)
    bucket = storage.buckets.create("bkt", 0).id
    record = _put(storage, bucket, "a", bytes(100_000))
    storage.close()
    (tmp_path / "incoming" / "half").write_bytes(b"x")
    (tmp_path / "blobs" / "orphan").write_bytes(b"x")
    storage = Storage(tmp_path)
    assert (_files(tmp_path), list((tmp_path / "incoming").iterdir())) == (1, [])
    assert storage.objects.get(bucket, "a") == record
    storage.close()


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a{:06d}:10", ("a{:06d}", 10, 0)),
        ("a{:06d}/x:10:5", ("a{:06d}/x", 10, 5)),
        ("big:1:6g", ("big", 1, 6 << 30)),
    ],
)
def test_specifications(text, parsed):
    assert parse_specification(text) == parsed


@pytest.mark.parametrize("text", ["a", "a:", "a:x", "a:1:2z"])
def test_what_is_no_specification(text):
    with pytest.raises(ValueError, match="TEMPLATE"):
        parse_specification(text)


def test_generated_objects_are_objects(tmp_path):
    storage = Storage(tmp_path)
    for _ in range(2):  # generating again replaces
        assert generate(storage, "bkt", "d/{:03d}:50:100k", 5) == 50
    bucket = storage.buckets.get("bkt")
    assert bucket is not None
    page = storage.list(bucket.id, Query(prefix="d/"))
    assert [item.key for item in page.objects] == [f"d/{number:03d}" for number in range(50)]
    record = storage.objects.get(bucket.id, "d/007")
    assert record is not None
    assert (record.size, record.crc64) == (102_400, crc64(bytes(102_400)))
    assert _files(tmp_path) == 1
    storage.objects.delete_many(bucket.id, [item.key for item in page.objects])
    assert _files(tmp_path) == 0
    storage.close()
