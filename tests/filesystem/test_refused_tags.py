"""One refusal of an object's tags: listed as none for a while, and never lost in a rewrite."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tagfs.errors import AccessDenied
from tagfs.fs.filesystem import FileSystem
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write

BLUE = TagSet({"team": "blue"})
RED = TagSet({"team": "red"})
NAME = "user.tag.team"


def overwrites(tree: FileSystem) -> None:
    fh, _ = tree.open("/d/f", os.O_WRONLY | os.O_TRUNC)
    try:
        tree.write(fh, 0, b"other")
        tree.flush(fh)
    finally:
        tree.release(fh)


def appends(tree: FileSystem) -> None:
    fh, _ = tree.open("/d/f", os.O_WRONLY | os.O_APPEND)
    try:
        tree.write(fh, 3, b"more")
        tree.flush(fh)
    finally:
        tree.release(fh)


def renames_over(tree: FileSystem) -> None:
    write(tree, "/d/new", b"brought")
    tree.rename("/d/new", "/d/f")


def backs_up(tree: FileSystem) -> None:
    tree.rename("/d/f", "/d/f~")
    write(tree, "/d/f", b"brought")


CALLS: dict[str, Callable[[FileSystem], object]] = {
    "overwrite": overwrites,
    "append": appends,
    "truncate": lambda tree: tree.truncate("/d/f", 1),
    "chmod": lambda tree: tree.chmod("/d/f", 0o600),
    "touch": lambda tree: tree.utimens("/d/f", 10**18, 10**18),
    "rename": lambda tree: tree.rename("/d/f", "/d/g"),
    "rename over": renames_over,
    "rename over another": lambda tree: tree.rename("/d/f", "/d/other"),
    "rename of the directory": lambda tree: tree.rename("/d", "/e"),
    "a new file after a backup": backs_up,
    "set user metadata": lambda tree: tree.setxattr("/d/f", "user.meta.a", b"b", 0),
    "set another tag": lambda tree: tree.setxattr("/d/f", "user.tag.more", b"1", 0),
}


@contextmanager
def refused(bucket: MemoryBucket, key: str) -> Iterator[None]:
    """Refuse all requests for the tags of one object."""

    def refuse(operation: str, asked: str) -> None:
        if operation == "get_tags" and asked == key:
            raise AccessDenied("once")

    bucket.before = refuse
    yield
    bucket.before = None


@pytest.fixture
def bucket() -> MemoryBucket:
    bucket = MemoryBucket()
    bucket.put("d/f", BytesSource(b"old"), NewObject(tags=BLUE))
    bucket.put("d/other", BytesSource(b"other"), NewObject(tags=RED))
    return bucket


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(CachedBucket(bucket, ttl=60, tag_ttl=60), tmp_path) as tree:
        yield tree


def test_it_is_remembered_for_this_file_alone(tree: FileSystem, bucket: MemoryBucket) -> None:
    with refused(bucket, "d/f"):
        assert NAME not in tree.listxattr("/d/f")
        assert NAME in tree.listxattr("/d/other")
    with pytest.raises(AccessDenied):
        tree.getxattr("/d/f", NAME)
    assert tree.getxattr("/d/other", NAME) == b"red"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("lasts", [True, False])
def test_no_rewrite_takes_it_for_none(
    tree: FileSystem,
    bucket: MemoryBucket,
    call: str,
    lasts: bool,  # noqa: FBT001
) -> None:
    with refused(bucket, "d/f"):
        tree.getattr("/d/f")
        assert NAME not in tree.listxattr("/d/f")
        if lasts:
            with suppress(AccessDenied):
                CALLS[call](tree)
    if not lasts:
        with suppress(AccessDenied):  # it may be remembered
            CALLS[call](tree)
    found = {info.key: bucket.get_tags(info.key) for info in bucket.list("", delimiter="").objects}
    there: list[str] = [key for key in ("d/f", "d/g", "d/f~", "e/f") if key in found]
    if call == "rename over another" and "d/f" not in found:
        there = ["d/other"]
    assert there
    assert all(found[key]["team"] == "blue" for key in there), found
    if call not in {"rename over another", "rename of the directory"}:
        assert found["d/other"] == RED
