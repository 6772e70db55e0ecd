"""Two handles of one file on one host, at the moments at which they meet, as simulated first."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagfs.fs.filesystem import FileSystem
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

OLD, NEW = b"old content", b"NEW"


@pytest.fixture
def bucket() -> MemoryBucket:
    bucket = MemoryBucket()
    bucket.put("d/f", BytesSource(OLD), NewObject())
    return bucket


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(CachedBucket(bucket, ttl=60, tag_ttl=60), tmp_path) as tree:
        yield tree


def once(bucket: MemoryBucket, operation: str, act: Callable[[], None]) -> None:
    """Do something when a request was carried out whose answer is on its way."""

    def after(name: str, _key: str) -> None:
        if name == operation:
            bucket.after = None
            act()

    bucket.after = after


@pytest.mark.parametrize("flags", [os.O_RDWR, os.O_WRONLY | os.O_APPEND])
def test_a_file_that_is_written_while_another_opens_it(
    tree: FileSystem, bucket: MemoryBucket, flags: int
) -> None:
    """The answer that the second has waited for is older than what the first has closed."""
    first, _ = tree.open("/d/f", os.O_RDWR)

    def close() -> None:
        tree.write(first, 0, NEW)
        tree.flush(first)
        tree.release(first)

    tree._env.bucket.forget("d/")
    once(bucket, "head", close)
    fh, _ = tree.open("/d/f", flags)
    tree.write(fh, 5, b"X")
    tree.flush(fh)
    tree.release(fh)
    mixed = NEW + OLD[3:]
    wanted = mixed + b"X" if flags & os.O_APPEND else mixed[:5] + b"X" + mixed[6:]
    assert bucket.get("d/f").data == wanted


@pytest.mark.parametrize("request_", ["copy", "delete"])
def test_nothing_of_a_file_is_uploaded_while_it_is_renamed(
    tree: FileSystem, bucket: MemoryBucket, request_: str
) -> None:
    """What fsync says is safe would be left at the old name, or be deleted there."""
    fh, _ = tree.open("/d/f", os.O_RDWR)
    tree.write(fh, 0, NEW)
    free: list[bool] = []

    def is_free() -> None:
        free.append(tree.files.handle(fh).node.lock.acquire(blocking=False))

    def look() -> None:
        thread = threading.Thread(target=is_free)
        thread.start()
        thread.join()

    once(bucket, request_, look)
    tree.rename("/d/f", "/d/g")
    assert free == [False]
    tree.fsync(fh)
    tree.release(fh)
    assert [info.key for info in bucket.list("d/").objects] == ["d/g"]
    assert bucket.get("d/g").data == NEW + OLD[3:]
