"""Content on disk: what is kept, what is found again, what happens to what is not sound."""

import errno
import logging
import os
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tagfs.blockcache import block_cache
from tagfs.blockcache.block_cache import NO_CACHE, SMALLEST, BlockCache, open_cache
from tagfs.blockcache.block_files import BLOCK, BlockFiles
from tagfs.store.objects import ObjectInfo, ObjectType

SIZE = 3 * BLOCK + 1000
DATA = random.Random(7).randbytes(SIZE)
INFO = ObjectInfo(key="d/k", size=SIZE, etag="E1", last_modified_ns=0)
LARGE = 1024**3


@pytest.fixture
def cache(tmp_path: Path) -> BlockCache:
    return BlockCache(tmp_path / "c", "oss-bucket", LARGE)


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (0, SIZE, 4),
        (0, BLOCK, 1),
        (0, BLOCK - 1, 0),
        (1, 2 * BLOCK, 1),
        (BLOCK, SIZE, 3),
        (3 * BLOCK, SIZE, 1),  # the last one is shorter
        (3 * BLOCK + 1, SIZE, 0),
        (5, 5, 0),
    ],
)
def test_whole_blocks_are_kept(
    cache: BlockCache, tmp_path: Path, start: int, end: int, kept: int
) -> None:
    cache.keep(INFO, start, DATA[start:end])
    assert len(files(tmp_path)) == kept
    assert cache.holds(INFO) is (start == 0 and kept > 0)


@pytest.mark.parametrize(
    ("start", "end"), [(0, SIZE), (0, 1), (BLOCK - 1, BLOCK + 1), (SIZE - 1, SIZE), (10, SIZE - 10)]
)
def test_any_range_is_read_back(cache: BlockCache, start: int, end: int) -> None:
    cache.keep(INFO, 0, DATA)
    assert cache.read(INFO, start, end) == DATA[start:end]


def test_a_range_of_which_a_block_is_missing_is_not_there(cache: BlockCache) -> None:
    cache.keep(INFO, 0, DATA[: 2 * BLOCK])
    assert cache.read(INFO, 0, 2 * BLOCK) == DATA[: 2 * BLOCK]
    assert cache.read(INFO, 0, 2 * BLOCK + 1) is None


def test_it_is_there_after_a_restart_and_for_others(cache: BlockCache, tmp_path: Path) -> None:
    cache.keep(INFO, 0, DATA)
    cache.close()
    other = BlockCache(tmp_path / "c", "oss-bucket", LARGE)
    assert other.read(INFO, 0, SIZE) == DATA


@pytest.mark.parametrize(
    "changed",
    [{"etag": "E2"}, {"key": "d/l"}, {"size": SIZE - 1}, {"size": SIZE + 1}],
)
def test_another_version_is_another(cache: BlockCache, changed: dict[str, object]) -> None:
    cache.keep(INFO, 0, DATA)
    other = replace(INFO, **changed)  # type: ignore[arg-type]
    assert not cache.holds(other)
    assert cache.read(other, 0, 10) is None


def test_another_bucket_is_another(cache: BlockCache, tmp_path: Path) -> None:
    cache.keep(INFO, 0, DATA)
    assert not BlockCache(tmp_path / "c", "oss-other", LARGE).holds(INFO)


@pytest.mark.parametrize(
    "info",
    [
        replace(INFO, etag=""),
        replace(INFO, type=ObjectType.SYMLINK),
        replace(INFO, size=SMALLEST),
    ],
)
def test_what_is_not_kept(cache: BlockCache, tmp_path: Path, info: ObjectInfo) -> None:
    cache.keep(info, 0, DATA[: info.size])
    assert files(tmp_path) == []
    assert cache.read(info, 0, 10) is None


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit of the content": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    "a bit of the digest": lambda raw: raw[:20] + bytes([raw[20] ^ 1]) + raw[21:],
    "a bit of the checksum": lambda raw: raw[:8] + bytes([raw[8] ^ 1]) + raw[9:],
    "cut": lambda raw: raw[:-1],
    "cut in its head": lambda raw: raw[:10],
    "empty": lambda _raw: b"",
    "too long": lambda raw: raw + b"x",
    "zeros, as after a power cut": lambda raw: bytes(len(raw)),
    "of another version of tagfs": lambda raw: b"tagfsBC9" + raw[8:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_is_thrown_away(cache: BlockCache, tmp_path: Path, damage: str) -> None:
    cache.keep(INFO, 0, DATA[:BLOCK])
    [path] = files(tmp_path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert cache.read(INFO, 0, BLOCK) is None
    assert files(tmp_path) == []
    cache.keep(INFO, 0, DATA[:BLOCK])
    assert cache.read(INFO, 0, BLOCK) == DATA[:BLOCK]


def test_a_block_under_anothers_name_is_not_taken_for_it(cache: BlockCache, tmp_path: Path) -> None:
    cache.keep(INFO, 0, DATA[: 2 * BLOCK])
    one, two = files(tmp_path)
    one.write_bytes(two.read_bytes())
    assert cache.read(INFO, 0, 2 * BLOCK) is None


def test_what_was_not_used_longest_goes_first(tmp_path: Path) -> None:
    store = BlockFiles(tmp_path)
    digests = [bytes([n]) * 32 for n in range(10)]
    for age, digest in enumerate(digests):
        store.write(digest, memoryview(bytes(1000)))
        path = tmp_path / digest.hex()[:1] / digest.hex()[1:]
        os.utime(path, (1e9 - 100 * age, 1e9 - 100 * age))
    store.read(digests[9])  # used again
    one = files(tmp_path)[0].stat().st_size
    assert store.shrink(10 * one) == 10 * one
    assert store.shrink(4 * one + 1) == 4 * one
    assert [digest in digests[:3] + digests[9:] for digest in digests] == [
        store.has(digest) for digest in digests
    ]
    assert store.shrink(0) == 0
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("limit", "short", "left"), [(9, 0, 9), (20, 0, 10), (20, 3, 7), (5, 3, 5), (9, 99, 0)]
)
def test_it_makes_room_for_others(tmp_path: Path, limit: int, short: int, left: int) -> None:
    store = BlockFiles(tmp_path)
    sizes = {store.write(bytes([n]) * 32, memoryview(bytes(1000))) for n in range(10)}
    [one] = sizes
    assert store.shrink(limit * one, short * one) == left * one
    assert len(files(tmp_path)) == left


def test_a_disk_that_gets_full_takes_from_the_cache(tmp_path: Path, monkeypatch) -> None:
    cache = BlockCache(tmp_path, "p", LARGE)
    cache.keep(INFO, 0, DATA)
    cache.close()
    cache = BlockCache(tmp_path, "p", LARGE)
    free = block_cache.RESERVES[0] - BLOCK
    monkeypatch.setattr(BlockFiles, "disk", lambda _self: (LARGE, free))
    cache.keep(replace(INFO, key="other"), 0, DATA)
    cache.close()
    assert len(files(tmp_path)) in (2, 3)  # of four, one of which is small


def test_what_a_crash_left_goes_when_it_is_old(tmp_path: Path) -> None:
    store = BlockFiles(tmp_path)
    old, new = tmp_path / "0" / "a.tmp", tmp_path / "0" / "b.tmp"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1e9, 1e9))
    store.shrink(LARGE)
    assert files(tmp_path) == [new]


def test_it_stays_within_its_size(tmp_path: Path) -> None:
    limit = 20 * BLOCK
    cache = BlockCache(tmp_path, "p", limit)
    for n in range(50):
        cache.keep(replace(INFO, key=str(n)), 0, DATA[:BLOCK])
        if cache._shrinking is not None:
            cache._shrinking.join()
        used = sum(path.stat().st_size for path in files(tmp_path))
        assert used <= limit + limit // 16 + 2 * BLOCK
    cache.close()
    used = sum(path.stat().st_size for path in files(tmp_path))
    assert used <= limit + limit // 16 + BLOCK


class TestTrouble:
    """The disk's trouble is never a reader's: it is said once, and nothing more is kept."""

    @pytest.fixture(autouse=True)
    def _expected(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)

    def keep_twice(self, cache: BlockCache, caplog: pytest.LogCaptureFixture) -> str:
        cache.keep(INFO, 0, DATA)
        cache.keep(INFO, 0, DATA)
        [record] = caplog.records
        caplog.clear()
        return record.getMessage()

    def test_a_full_disk(self, cache: BlockCache, tmp_path: Path, monkeypatch, caplog) -> None:
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "write", full)
        assert "No space left" in self.keep_twice(cache, caplog)
        assert files(tmp_path) == []
        assert cache.read(INFO, 0, 10) is None

    def test_a_disk_that_is_nearly_full(self, cache: BlockCache, monkeypatch, caplog) -> None:
        monkeypatch.setattr(block_cache, "RESERVES", (2**62, 2**62))
        cache.keep(INFO, 0, DATA)
        assert cache._shrinking is not None
        cache._shrinking.join()
        assert "nearly full" in self.keep_twice(cache, caplog)

    def test_a_directory_that_vanishes(self, cache: BlockCache, tmp_path: Path, caplog) -> None:
        for shelf in (tmp_path / "c").iterdir():
            shelf.rmdir()
        (tmp_path / "c").rmdir()
        assert "No such file" in self.keep_twice(cache, caplog)
        assert cache.read(INFO, 0, 10) is None
        assert not cache.holds(INFO)

    @pytest.mark.parametrize("mode", [0o755, 0o770])
    def test_a_directory_that_others_can_enter(self, tmp_path: Path, mode: int, caplog) -> None:
        (tmp_path / "c").mkdir()
        (tmp_path / "c").chmod(mode)
        assert open_cache(tmp_path / "c", "p", LARGE) is None
        assert "instead of 0700" in caplog.text
        caplog.clear()

    def test_a_directory_that_cannot_be_made(self, tmp_path: Path, caplog) -> None:
        (tmp_path / "c").write_text("a file")
        assert open_cache(tmp_path / "c", "p", LARGE) is None
        assert "nothing is kept" in caplog.text
        caplog.clear()


def test_it_is_for_its_user_alone(cache: BlockCache, tmp_path: Path) -> None:
    cache.keep(INFO, 0, DATA)
    found = [tmp_path / "c", *(tmp_path / "c").rglob("*")]
    assert {path.stat().st_mode & 0o077 for path in found} == {0}


def test_without_a_size_there_is_none(tmp_path: Path) -> None:
    assert open_cache(tmp_path / "c", "p", 0) is None
    assert not (tmp_path / "c").exists()
    NO_CACHE.keep(INFO, 0, DATA)
    assert not NO_CACHE.holds(INFO)
    assert NO_CACHE.read(INFO, 0, 1) is None


def test_its_state_counts_what_is_there_and_read(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, "p", LARGE)
    assert cache.state() == {
        "content_limit": LARGE,
        "content_bytes": None,
        "content_hits": 0,
        "content_misses": 0,
    }
    cache.keep(INFO, 0, DATA)
    for start, end in ((0, SIZE), (1, 2)):
        assert cache.read(INFO, start, end) is not None
    assert cache.read(replace(INFO, etag="E2"), 0, 1) is None
    assert cache.read(replace(INFO, size=1), 0, 1) is None  # is none of its business
    cache.close()  # once it was looked through
    state = cache.state()
    assert (state["content_hits"], state["content_misses"]) == (2, 1)
    assert (state["content_bytes"] or 0) >= SIZE
    cache.close()


@pytest.mark.slow
def test_many_at_once_read_what_they_should_or_nothing(tmp_path: Path) -> None:
    """... while others write, and delete."""
    caches = [BlockCache(tmp_path, "p", 2 * BLOCK) for _ in range(3)]
    infos = [replace(INFO, key=str(n), etag=str(n)) for n in range(4)]
    wrong: list[str] = []

    def run(cache: BlockCache, seed: int) -> None:
        choice = random.Random(seed)
        for _ in range(30):
            info = choice.choice(infos)
            content = bytes([int(info.key)]) * SIZE
            cache.keep(info, 0, content)
            if cache.read(info, 0, SIZE) not in (None, content):
                wrong.append(info.key)

    threads = [threading.Thread(target=run, args=(c, n)) for n, c in enumerate(caches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for cache in caches:
        cache.close()
    assert wrong == []
