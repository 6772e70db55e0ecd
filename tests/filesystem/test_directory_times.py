"""Times of directories: they move in memory when entries come and go here."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagfs.errors import TagfsError
from tagfs.fs.context import UNKNOWN_TIME_NS
from tagfs.fs.filesystem import FileSystem
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

KEYS = ["implicit/f", "implicit/empty/", "implicit/d/f", "other/f", "marked/", "marked/f"]
MARKED_NS = 10**9


@pytest.fixture
def bucket() -> MemoryBucket:
    filled = MemoryBucket()
    for key in KEYS:
        metadata = {"mtime": "1", "ctime": "1"} if key.endswith("/") else {}
        filled.put(key, BytesSource(b""), NewObject(metadata=metadata))
    return filled


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


def mtime(tree: FileSystem, path: str) -> int:
    return tree.getattr(path)["st_mtime"]


def times(tree: FileSystem, path: str) -> tuple[int, int]:
    found = tree.getattr(path)
    return found["st_mtime"], found["st_ctime"]


CALLS: dict[str, Callable[[FileSystem, str], object]] = {
    "create": lambda t, d: t.release(t.create(f"{d}/new", 0o644, os.O_CREAT | os.O_WRONLY)),
    "mknod": lambda t, d: t.mknod(f"{d}/new", stat.S_IFIFO | 0o644, 0),
    "mkdir": lambda t, d: t.mkdir(f"{d}/new", 0o755),
    "symlink": lambda t, d: t.symlink(f"{d}/new", "target"),
    "unlink": lambda t, d: t.unlink(f"{d}/f"),
    "rename in": lambda t, d: t.rename("/other/f", f"{d}/new"),
    "rename out": lambda t, d: t.rename(f"{d}/f", "/other/new"),
    "rename over": lambda t, d: t.rename("/other/f", f"{d}/f"),
}


@pytest.mark.parametrize("directory", ["/implicit", "/marked"])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_moves_the_time(tree: FileSystem, call: str, directory: str) -> None:
    before = times(tree, directory)
    CALLS[call](tree, directory)
    moved = times(tree, directory)
    assert all(new > old for new, old in zip(moved, before, strict=True))
    assert times(tree, directory) == moved


def test_rmdir_moves_the_time_of_the_directory_above(tree: FileSystem) -> None:
    tree.rmdir("/implicit/empty")
    assert mtime(tree, "/implicit") > UNKNOWN_TIME_NS
    tree.mkdir("/implicit/empty", 0o755)
    made = tree.getattr("/implicit/empty")
    assert made["st_mtime"] == made["st_ctime"]


@pytest.mark.parametrize("directory", ["/implicit", "/marked"])
def test_what_moves_none(tree: FileSystem, directory: str) -> None:
    """Neither content and attributes of entries, nor what is deeper, nor what fails."""
    before = times(tree, directory)
    tree.truncate(f"{directory}/f", 3)
    tree.chmod(f"{directory}/f", 0o600)
    tree.utimens(f"{directory}/f", 1, 1)
    for failing in (
        lambda: tree.unlink(f"{directory}/none"),
        lambda: tree.rename(f"{directory}/none", f"{directory}/n"),
        lambda: tree.rmdir(directory),
    ):
        with pytest.raises(TagfsError):
            failing()
    assert times(tree, directory) == before
    tree.unlink("/implicit/d/f")
    assert times(tree, directory) == before
    assert mtime(tree, "/implicit/d") > UNKNOWN_TIME_NS


@pytest.mark.parametrize("stored", [MARKED_NS, 5 * 10**9])
def test_a_time_that_a_program_sets_holds(tree: FileSystem, stored: int) -> None:
    """... as rsync and tar do at last, also if it is the one that the marker had already."""
    tree.symlink("/marked/new", "x")
    tree.utimens("/marked", None, stored)
    assert mtime(tree, "/marked") == stored
    tree.unlink("/marked/new")
    assert mtime(tree, "/marked") > stored


def test_a_time_that_another_host_sets_holds(tree: FileSystem, bucket: MemoryBucket) -> None:
    tree.symlink("/marked/new", "x")
    assert mtime(tree, "/marked") > MARKED_NS
    bucket.put("marked/", BytesSource(b""), NewObject(metadata={"mtime": "7"}))
    tree.setxattr("/", "user.tagfs.refresh", b"", 0)
    assert mtime(tree, "/marked") == 7 * 10**9


def test_a_mode_leaves_the_time(tree: FileSystem) -> None:
    tree.symlink("/marked/new", "x")
    moved = mtime(tree, "/marked")
    tree.chmod("/marked", 0o700)
    assert mtime(tree, "/marked") == moved


def test_a_directory_takes_its_time_along(tree: FileSystem) -> None:
    tree.symlink("/implicit/d/new", "x")
    moved = mtime(tree, "/implicit/d")
    tree.rename("/implicit", "/moved")
    assert mtime(tree, "/moved/d") == moved
    assert mtime(tree, "/") > UNKNOWN_TIME_NS
    tree.mkdir("/implicit", 0o755)
    tree.mkdir("/implicit/d", 0o755)
    assert mtime(tree, "/implicit/d") != moved


def test_a_later_mount_shows_what_every_host_does(
    tree: FileSystem, bucket: MemoryBucket, tmp_path: Path
) -> None:
    tree.symlink("/implicit/new", "x")
    tree.symlink("/marked/new", "x")
    with tree_of(bucket, tmp_path / "later") as later:
        assert mtime(later, "/") == UNKNOWN_TIME_NS
        assert mtime(later, "/implicit") == UNKNOWN_TIME_NS
        assert mtime(later, "/marked") == MARKED_NS
