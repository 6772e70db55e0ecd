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
