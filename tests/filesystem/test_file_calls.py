"""What open, create, write, truncate, flush and release decide for one file."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tagfs.errors import (
    AccessDenied,
    BadHandle,
    NotFound,
    NotPermitted,
    ObjectChanged,
    ReadOnly,
    TagfsError,
    Unreachable,
)
from tagfs.fs.context import FsContext
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.openfiles.kernel_pages import Pages
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of


class Bucket(MemoryBucket):
    """Has a file, and refuses what a test names."""

    def __init__(self) -> None:
        super().__init__()
        self.put("f", BytesSource(b"content"), NewObject())
        self.requests.clear()
        self.refuses: dict[tuple[str, str], TagfsError] = {}
        self.before = self._refuse

    def _refuse(self, operation: str, key: str) -> None:
        if (failure := self.refuses.get((operation, key))) is not None:
            raise failure

    def data(self, key: str = "f") -> bytes:
        return bytes(self.get(key).data)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def tree(bucket: Bucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


def close(tree: FileSystem, fh: int) -> None:
    tree.flush(fh)
    tree.release(fh)


# Opened


def test_to_be_read_a_file_is_not_looked_at(tree: FileSystem, bucket: Bucket) -> None:
    fh, _ = tree.open("/f", os.O_RDONLY)
    assert bytes(tree.read(fh, 0, 10)) == b"content"
    assert [one.operation for one in bucket.requests] == ["get"]
    tree.release(fh)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_what_is_not_there_is_not_opened(tree: FileSystem, flags: int) -> None:
    with pytest.raises(NotFound):
        tree.open("/none", flags)
    assert tree.files.node("/none") is None


def test_a_size_that_the_kernel_has_not_is_reported(tree: FileSystem, bucket: Bucket) -> None:
    tree.getattr("/f")
    bucket.put("f", BytesSource(b"larger content"), NewObject())
    fh, pages = tree.open("/f", os.O_RDONLY)
    assert pages is Pages.BYPASSED
    tree.release(fh)


@pytest.mark.parametrize(
    ("choice", "error"), [("read_only", ReadOnly), ("no_overwrite", NotPermitted)]
)
def test_what_the_user_forbids(bucket: Bucket, tmp_path: Path, choice: str, error: Any) -> None:
    chosen: dict[str, Any] = {choice: True}
    with tree_of(bucket, tmp_path, **chosen) as tree:
        with pytest.raises(error):
            tree.open("/f", os.O_RDWR)
        assert tree.files.node("/f") is None


# Made


@pytest.mark.parametrize("flags", [0, os.O_APPEND])
def test_what_another_client_made_meanwhile_is_not_emptied(
    tree: FileSystem, bucket: Bucket, flags: int
) -> None:
    """open(O_CREAT) of what the kernel takes for absent: it looks again, and opens that."""
    with pytest.raises(ObjectChanged):
        tree.create("/f", 0o644, os.O_WRONLY | flags)
    assert bucket.data() == b"content"


@pytest.mark.parametrize("flags", [os.O_EXCL, os.O_TRUNC])
def test_who_wants_none_or_an_empty_one_asks_nothing(
    tree: FileSystem, bucket: Bucket, flags: int
) -> None:
    fh = tree.create("/f", 0o644, os.O_WRONLY | flags)
    assert bucket.requests == []
    tree.unlink("/f") if flags == os.O_EXCL else tree.flush(fh)
    tree.release(fh)


@pytest.mark.parametrize(("listed", "error"), [("f", ObjectChanged), ("new", None)])
def test_what_may_not_be_looked_at_is_listed(
    tree: FileSystem, bucket: Bucket, listed: str, error: type[TagfsError] | None
) -> None:
    bucket.refuses["head", listed] = AccessDenied("no")
    if error is None:
        close(tree, tree.create(f"/{listed}", 0o644, os.O_WRONLY))
        assert bucket.data("new") == b""
    else:
        with pytest.raises(error):
            tree.create(f"/{listed}", 0o644, os.O_WRONLY)


# Written


def test_a_handle_to_read_takes_no_bytes(tree: FileSystem) -> None:
    fh, _ = tree.open("/f", os.O_RDONLY)
    with pytest.raises(BadHandle):
        tree.write(fh, 0, b"x")
    tree.release(fh)


@pytest.mark.parametrize(("mapped", "expected"), [(False, b"contentX"), (True, b"Xontent")])
def test_an_appending_handle_appends_but_for_a_mapping(
    tree: FileSystem, bucket: Bucket, expected: bytes, *, mapped: bool
) -> None:
    fh, _ = tree.open("/f", os.O_RDWR | os.O_APPEND)
    tree.write(fh, 0, b"X", mapped=mapped)
    close(tree, fh)
    assert bucket.data() == expected


def test_fsync_sends(tree: FileSystem, bucket: Bucket) -> None:
    fh, _ = tree.open("/f", os.O_RDWR)
    tree.write(fh, 0, b"X")
    tree.fsync(fh)
    assert bucket.data() == b"Xontent"
    tree.release(fh)


# Truncated


@pytest.mark.parametrize(("size", "expected"), [(3, b"con"), (9, b"content\0\0"), (0, b"")])
def test_by_its_path_a_file_is_cut_at_once(
    tree: FileSystem, bucket: Bucket, size: int, expected: bytes
) -> None:
    tree.truncate("/f", size)
    assert bucket.data() == expected
    assert tree.files.node("/f") is None


def test_to_its_own_size_nothing_is_sent(tree: FileSystem, bucket: Bucket) -> None:
    tree.truncate("/f", len(b"content"))
    assert {one.operation for one in bucket.requests} == {"head"}


@pytest.mark.parametrize("by_handle", [False, True])
def test_an_open_writer_sends_it(tree: FileSystem, bucket: Bucket, *, by_handle: bool) -> None:
    fh, _ = tree.open("/f", os.O_RDWR)
    tree.truncate(None if by_handle else "/f", 3, fh if by_handle else None)
    assert bucket.data() == b"content"
    close(tree, fh)
    assert bucket.data() == b"con"


def test_neither_a_path_nor_a_handle(tree: FileSystem) -> None:
    with pytest.raises(BadHandle):
        tree.truncate(None, 0)
    with pytest.raises(BadHandle):
        tree.getattr(None)


def test_what_cannot_be_cut_is_whole_for_its_readers(tree: FileSystem, bucket: Bucket) -> None:
    """... and the next writer does not finish what has failed."""
    fh, _ = tree.open("/f", os.O_RDONLY)
    bucket.refuses["put", "f"] = Unreachable("silent")
    with pytest.raises(Unreachable):
        tree.truncate("/f", 3)
    bucket.refuses.clear()
    assert bytes(tree.read(fh, 0, 10)) == b"content"
    other, _ = tree.open("/f", os.O_RDWR)
    tree.write(other, 0, b"X")
    close(tree, other)
    tree.release(fh)
    assert bucket.data() == b"Xontent"


# Closed


def test_a_handle_that_changed_nothing_sends_nothing(tree: FileSystem, bucket: Bucket) -> None:
    close(tree, tree.open("/f", os.O_RDWR)[0])
    assert bucket.count("put") == 0


Answer = Callable[..., bool]


@pytest.fixture
def caller(tree: FileSystem) -> Callable[..., None]:
    """Say what is known of the program that calls."""
    env: FsContext = tree._env

    def set_(**answers: bool) -> None:
        for name, answer in answers.items():
            answered: Answer = lambda *_, value=answer: value  # noqa: E731
            object.__setattr__(env, name, answered)

    return set_


def test_the_emptiness_before_a_shell_writes_is_not_sent(
    tree: FileSystem, bucket: Bucket, caller: Callable[..., None]
) -> None:
    """`command > file`: the shell closes one descriptor, and the command has another."""
    caller(caller_holds=True)
    fh, _ = tree.open("/f", os.O_WRONLY)
    tree.truncate(None, 0, fh)
    tree.flush(fh)
    assert bucket.data() == b"content"
    tree.write(fh, 0, b"written")
    tree.flush(fh)
    assert bucket.data() == b"written"
    tree.release(fh)


def test_an_emptiness_that_stays_is_sent_by_the_next_close(
    tree: FileSystem, bucket: Bucket, caller: Callable[..., None]
) -> None:
    caller(caller_holds=True)
    fh, _ = tree.open("/f", os.O_WRONLY)
    tree.truncate(None, 0, fh)
    tree.flush(fh)
    caller(caller_holds=False)
    tree.flush(fh)
    assert bucket.data() == b""
    tree.release(fh)


def test_within_execve_the_release_sends(
    tree: FileSystem, bucket: Bucket, caller: Callable[..., None]
) -> None:
    caller(caller_execs=True)
    fh, _ = tree.open("/f", os.O_RDWR)
    tree.write(fh, 0, b"X")
    tree.flush(fh)
    assert bucket.data() == b"content"
    tree.release(fh)
    assert bucket.data() == b"Xontent"


# Whose attributes wait for a rename


def test_a_writer_takes_along_what_waits(tree: FileSystem, bucket: Bucket) -> None:
    name = "/.f.Ab12xY"
    close(tree, tree.create(name, 0o600, os.O_WRONLY | os.O_EXCL))
    tree.chmod(name, 0o640)
    fh, _ = tree.open(name, os.O_RDWR)
    tree.write(fh, 0, b"X")
    close(tree, fh)
    detail = bucket.head(name[1:]).detail
    assert detail is not None
    assert detail.metadata["mode"] == str(stat.S_IFREG | 0o640)


# Directories


def test_what_is_held_back_is_there_after_fsyncdir(bucket: Bucket, tmp_path: Path) -> None:
    """durability=local answers close before the service has the file; fsyncdir waits for it."""
    with tree_of(bucket, tmp_path, uploads_behind=4) as tree:
        close(tree, tree.create("/d", 0o644, os.O_WRONLY | os.O_EXCL))
        fh = tree.opendir("/")
        tree.fsyncdir(fh)
        assert bucket.data("d") == b""
        tree.releasedir(fh)


def test_of_what_is_known_no_request_is_made(bucket: Bucket, tmp_path: Path) -> None:
    cache = CachedBucket(bucket, ttl=60, tag_ttl=60)
    with tree_of(cache, tmp_path) as tree:
        tree.getattr("/f")
        new = tree.create("/new", 0o644, os.O_WRONLY | os.O_EXCL)
        bucket.requests.clear()
        fh = tree.opendir("/")
        known = tree.getattr_known(fh, ["f", "new", "other"])
        assert [one and one["st_size"] for one in known] == [7, 0, None]
        assert bucket.requests == []
        tree.unlink("/new")
        tree.release(new)
        tree.releasedir(fh)
