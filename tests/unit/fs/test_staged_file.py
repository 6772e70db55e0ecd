"""Staged files, against a bytearray."""

import errno
import os
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tagfs.errors import FileTooLarge, IntegrityError, ReadOnly, StagingFull, TagfsError
from tagfs.fs.content.byte_ranges import ByteRanges
from tagfs.fs.content.staged_file import StagedSource, StagingArea, pieces

BASE = bytes(range(1, 201))
numbers = st.integers(0, 300)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), numbers, st.binary(min_size=1, max_size=60)),
        st.tuples(st.just("truncate"), numbers, st.just(b"")),
        st.tuples(st.just("read"), numbers, st.binary(max_size=60)),
        st.tuples(st.just("rebase"), numbers, st.just(b"")),
    ),
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([0, 1, len(BASE)]), steps)
def test_it_is_the_base_with_its_changes(
    tmp_path: Path, base_size: int, steps: list[tuple[str, int, bytes]]
) -> None:
    base = bytes(BASE[:base_size])
    fetched = bytearray(len(BASE))
    model = bytearray(base)
    staged = StagingArea(tmp_path).new_file()
    staged.set_base(base_size)

    def fetch(offset: int, length: int) -> bytes:
        assert offset + length <= len(base), "beyond the base"
        for at in range(offset, offset + length):
            fetched[at] += 1
        return base[offset : offset + length]

    try:
        for name, at, data in steps:
            if name == "write":
                staged.write(at, data)
                model.extend(bytes(max(0, at + len(data) - len(model))))
                model[at : at + len(data)] = data
            elif name == "truncate":
                staged.truncate(at)
                model[at:] = bytes(max(0, at - len(model)))
            elif name == "read":
                assert staged.read(at, len(data), fetch) == model[at : at + len(data)]
            else:  # the content was uploaded
                staged.mark_committed()
                base = bytes(model)
                fetched = bytearray(max(len(base), len(BASE)))
            assert staged.size == len(model)
            changed = staged.shape().changed()
            alike = [a == b for a, b in zip(base, model, strict=False)]
            assert all(same or changed.covers(at, at + 1) for at, same in enumerate(alike))
        assert staged.read(0, len(model), fetch) == model
        assert max(fetched, default=0) <= 1, "a byte was fetched twice"
    finally:
        staged.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_base_that_is_shorter_than_it_was(tmp_path: Path) -> None:
    staged = StagingArea(tmp_path).new_file()
    staged.set_base(10)
    with pytest.raises(IntegrityError):
        staged.read(0, 10, lambda _offset, _length: b"short")
    staged.discard()


def test_staged_files_are_private(tmp_path: Path) -> None:
    area = StagingArea(tmp_path / "staging")
    staged = area.new_file()
    assert staged.path.stat().st_mode & 0o777 == 0o600
    assert area.directory.stat().st_mode & 0o777 == 0o700
    staged.discard()


class FullDisk:
    """pwrite(2) on a disk that has room for some bytes only."""

    def __init__(self, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = room
        self._pwrite = os.pwrite
        monkeypatch.setattr("os.pwrite", self)

    def __call__(self, fd: int, data: bytes, offset: int) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "full")
        done = self._pwrite(fd, data[: self.room], offset)
        self.room -= done
        return done


@pytest.mark.parametrize("base", [0, 8])
@pytest.mark.parametrize("room", [0, 1, 4, 9])
def test_a_write_that_the_disk_cuts_short_is_as_long_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, base: int
) -> None:
    """What was put there counts as written; nothing else of it is ever seen."""
    staged = StagingArea(tmp_path).new_file()
    staged.set_base(base)
    staged.fill(0, base, lambda _start, length: b"b" * length)
    with monkeypatch.context() as patch:
        disk = FullDisk(room, patch)
        if room:
            assert staged.write(2, b"w" * 9) == room
        else:
            with pytest.raises(StagingFull):
                staged.write(2, b"w" * 9)
        disk.room = 0
        with pytest.raises(StagingFull):
            staged.write(2 + room, b"w" * (9 - room) or b"w")
    assert list(staged.written) == ([(2, 2 + room)] if room else [])
    assert staged.size == max(base, 2 + room if room else 0)
    staged.truncate(20)
    expected = (b"b" * base).ljust(20, b"\0")
    expected = expected[:2] + b"w" * room + expected[2 + room :]
    assert bytes(staged.read(0, 20, no_fetch)) == expected
    staged.discard()


@pytest.mark.parametrize("room", [0, 1, 4, 7])
def test_bytes_of_the_object_that_the_disk_does_not_take_are_no_zeros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """D5. Else the next upload would have zeros in their place."""
    staged = StagingArea(tmp_path).new_file()
    staged.set_base(8)

    def fetch(start: int, length: int) -> bytes:
        return b"contents"[start : start + length]

    with monkeypatch.context() as patch:
        FullDisk(room, patch)
        with pytest.raises(StagingFull):
            staged.fill(0, 8, fetch)
    assert staged.missing(0, 8) == [(room, 8)]
    assert staged.read(0, 8, fetch) == b"contents"
    staged.discard()


def no_fetch(_start: int, _length: int) -> bytes:
    raise AssertionError("all of it is here")


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.ENOSPC, StagingFull),
        (errno.EDQUOT, StagingFull),
        (errno.EFBIG, FileTooLarge),
        (errno.EIO, IntegrityError),
    ],
)
def test_what_the_disk_refuses_is_reported_as_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, failure: type[TagfsError]
) -> None:
    staged = StagingArea(tmp_path).new_file()

    def refuse(_fd: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", refuse)
        with pytest.raises(failure):
            staged.sync()
    staged.discard()
    staged.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_mount_that_only_reads_stages_nothing() -> None:
    area = StagingArea(None)
    assert area.shown is None
    with pytest.raises(ReadOnly):
        area.new_file()


def test_a_staged_file_that_was_cut_is_not_sent(tmp_path: Path) -> None:
    """Bytes that are gone must not be filled with zeros in an upload."""
    staged = StagingArea(tmp_path).new_file()
    staged.path.write_bytes(b"12345")
    source = StagedSource(staged.fd, 1, 4)
    assert source.read(0, 4) == b"2345"
    os.truncate(staged.path, 3)
    with pytest.raises(IntegrityError):
        source.read(0, 4)
    staged.discard()


@pytest.mark.parametrize(
    ("length", "expected"),
    [(10, [(0, 5), (8, 10)]), (2, [(0, 2), (2, 4), (4, 5), (8, 10)])],
)
def test_ranges_are_cut_into_pieces(length: int, expected: list[tuple[int, int]]) -> None:
    ranges = ByteRanges()
    ranges.add(0, 5)
    ranges.add(8, 10)
    assert list(pieces(ranges, length)) == expected
