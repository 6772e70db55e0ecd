"""A walk through a directory that was seen before: the catalogue is read, and no thread is used."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tagfs.fs.filesystem import FileSystem
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.cache.long_term import NoMemory, Recalled
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of
from tests.filesystem.test_prefetch import FILES, NUMBER, Inline


class Counting(Inline):
    """Does what is submitted at once, and counts it."""

    count = 0

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        self.count += 1
        return super().submit(work, *args, **named)


class Memory:
    """A `LongTermMemory` of some details."""

    def __init__(self, bucket: MemoryBucket, keys: Sequence[str]) -> None:
        self._nothing = NoMemory()
        self._details = {key: bucket.head(key) for key in keys}
        self.asked: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nothing, name)

    def recall_details(self, listed: Sequence[ObjectInfo]) -> Mapping[str, Recalled]:
        self.asked.append(len(listed))
        known = {info.key: self._details.get(info.key) for info in listed}
        return {key: Recalled(info, 0.0) for key, info in known.items() if info is not None}


@pytest.mark.parametrize(("learnt", "submitted"), [(NUMBER, 0), (NUMBER - 1, 1), (0, None)])
def test_what_was_learnt_needs_no_thread_and_no_request(
    tmp_path: Path, learnt: int, submitted: int | None
) -> None:
    bucket, clock, executor = MemoryBucket(), FakeClock(), Counting()
    keys = [path[1:] for path in FILES]
    for key in keys:
        bucket.put(key, BytesSource(b"x"), NewObject())
    memory = Memory(bucket, keys[:learnt])
    cache = CachedBucket(bucket, memory=memory, ttl=3600, tag_ttl=3600, clock=clock)
    tree = FileSystem(environment_of(cache, tmp_path, executor, clock), dict)
    bucket.requests.clear()
    fh = tree.opendir("/d")
    assert len(list(tree.readdir(fh))) == NUMBER + 2
    tree.releasedir(fh)
    before = executor.count
    for path in FILES:
        tree.getattr(path)
    assert bucket.count("head") == NUMBER - learnt
    assert submitted in (None, executor.count - before)
    assert len(memory.asked) < NUMBER / 4 or not learnt  # many at a time
    tree.close()


PAGE = 25


def read_pages(tree: FileSystem, fh: int, *, asks: bool = True) -> list[list[bool]]:
    """Read a directory as the kernel does, page by page; say of which names attributes came."""
    names = [name for name, *_ in tree.readdir(fh)]
    at = range(0, len(names), PAGE)
    shown = []
    for start in at:
        found = tree.getattr_known(fh, names[start : start + PAGE])
        shown.append([one is not None for one in found])
        for name, one in zip(names[start : start + PAGE], found, strict=True):
            if asks and one is None and name not in (".", ".."):
                tree.getattr(f"/d/{name}")
    return shown


@pytest.fixture
def directory(tmp_path: Path) -> Any:
    """Makes a directory of NUMBER files, of which all but those of some numbers were learnt."""

    def make(missing: Sequence[int] = ()) -> tuple[FileSystem, MemoryBucket, Memory]:
        bucket, clock = MemoryBucket(), FakeClock()
        keys = [path[1:] for path in FILES]
        for key in keys:
            bucket.put(key, BytesSource(b"x"), NewObject())
        memory = Memory(bucket, [key for at, key in enumerate(keys) if at not in missing])
        cache = CachedBucket(bucket, memory=memory, ttl=3600, tag_ttl=3600, clock=clock)
        bucket.requests.clear()
        return FileSystem(environment_of(cache, tmp_path, Inline(), clock), dict), bucket, memory

    return make


def test_what_was_learnt_comes_with_the_names(directory: Any) -> None:
    tree, bucket, memory = directory()
    shown = read_pages(tree, tree.opendir("/d"), asks=False)
    assert sum(map(sum, shown)) == NUMBER
    assert shown[0][:2] == [False, False]
    assert bucket.count("head") == 0
    assert len(memory.asked) <= -(-NUMBER // PAGE), "many at a time"
    tree.close()


def test_what_is_new_among_it_is_asked_for_ahead(directory: Any) -> None:
    """One here and there waits for no request of its own, but for those of the first page."""
    new = [PAGE + 9, 2 * PAGE, NUMBER // 2, NUMBER - 1]
    tree, bucket, _ = directory(new)
    shown = read_pages(tree, tree.opendir("/d"), asks=False)
    assert bucket.count("head") == len(new)
    assert sum(map(sum, shown)) == NUMBER, "here what is submitted is done at once"
    tree.close()


def test_reading_names_alone_asks_for_nothing(directory: Any) -> None:
    """The kernel always asks for the attributes of the first names."""
    tree, bucket, memory = directory(range(NUMBER))
    fh = tree.opendir("/d")
    names = [name for name, *_ in tree.readdir(fh)]
    assert tree.getattr_known(fh, names[:PAGE]) == [None] * PAGE
    assert tree.getattr_known(fh, names[PAGE : 2 * PAGE]) == [None] * PAGE
    assert bucket.count("head") == 0
    assert memory.asked == [PAGE - 2]
    tree.close()


def test_a_directory_that_is_read_again_is_recalled_anew(directory: Any) -> None:
    tree, _, memory = directory()
    fh = tree.opendir("/d")
    list(tree.readdir(fh))
    assert tree.getattr_known(fh, ["none"]) == [None]
    assert tree.getattr_known(fh, [FILES[0][3:]]) == [None]
    list(tree.readdir(fh))
    assert tree.getattr_known(fh, [FILES[0][3:]]) != [None]
    assert memory.asked == [1]
    tree.close()
