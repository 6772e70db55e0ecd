"""Every call that changes the tree passes one gate first; who adds a call says which kind it is."""

import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagfs.errors import ReadOnly
from tagfs.fs.filesystem import FileSystem
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of

Call = Callable[[FileSystem], object]

CHANGES: dict[str, tuple[tuple[str, ...], Call]] = {
    "open": (("/f",), lambda tree: tree.open("/f", os.O_RDWR)),
    "create": ((), lambda tree: tree.create("/new", 0o644, os.O_WRONLY)),
    "truncate": (("/f",), lambda tree: tree.truncate("/f", 0)),
    "mkdir": ((), lambda tree: tree.mkdir("/new", 0o755)),
    "mknod": ((), lambda tree: tree.mknod("/new", 0o644, 0)),
    "symlink": ((), lambda tree: tree.symlink("/new", "f")),
    "rmdir": (("/d",), lambda tree: tree.rmdir("/d")),
    "unlink": (("/f",), lambda tree: tree.unlink("/f")),
    "unlink_open": (("/f",), lambda tree: tree.unlink_open("/f", "/alias", is_replaced=False)),
    "rename": (("/f", "/new"), lambda tree: tree.rename("/f", "/new")),
    "chmod": (("/f",), lambda tree: tree.chmod("/f", 0o600)),
    "chown": (("/f",), lambda tree: tree.chown("/f", 1, 1)),
    "utimens": (("/f",), lambda tree: tree.utimens("/f", 1, 1)),
    "setxattr": (("/f",), lambda tree: tree.setxattr("/f", "user.tag.k", b"v", 0)),
    "removexattr": (("/f",), lambda tree: tree.removexattr("/f", "user.tag.k")),
}
"""Calls that change what is at paths, and what they change that is there already."""

LOOKS = frozenset(
    "access close getattr getattr_known getxattr link listxattr now_ns opendir readdir readlink "
    "releasedir state statfs".split()
)
"""Calls that change nothing; `link` refuses."""

BY_HANDLE = frozenset(
    "copy_file_range flush forget_unlinked fsync fsyncdir read release write".split()
)
"""Calls that go on with what was opened, and passed the gate, before."""


@pytest.fixture
def bucket() -> MemoryBucket:
    bucket = MemoryBucket()
    for key in ("f", "d/"):
        bucket.put(key, BytesSource(b""), NewObject())
    return bucket


@pytest.fixture
def tree(bucket: MemoryBucket, tmp_path: Path) -> Iterator[FileSystem]:
    with tree_of(bucket, tmp_path) as filesystem:
        yield filesystem


def test_every_call_is_of_one_kind() -> None:
    calls = {n for n, _ in inspect.getmembers(FileSystem, inspect.isfunction) if n[0] != "_"}
    assert calls == CHANGES.keys() | LOOKS | BY_HANDLE


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_is_asked_or_changed_before_the_gate(
    tree: FileSystem, bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    entered: list[tuple[str, ...]] = []

    def refuse(*paths: str) -> None:
        entered.append(paths)
        raise ReadOnly("not now")

    monkeypatch.setattr(tree._gate, "enter", refuse)
    bucket.requests.clear()
    paths, call = CHANGES[name]
    with pytest.raises(ReadOnly):
        call(tree)
    assert not bucket.requests
    assert entered == ([()] if name == "truncate" else [paths])


@pytest.mark.parametrize("name", CHANGES)
def test_the_gate_lets_it_begin(
    tree: FileSystem, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settled: list[str] = []
    monkeypatch.setattr(tree._gate.copies, "settle", settled.append)
    paths, call = CHANGES[name]
    if name == "removexattr":
        tree.setxattr("/f", "user.tag.k", b"v", 0)
        settled.clear()
    call(tree)
    assert settled == list(paths)
