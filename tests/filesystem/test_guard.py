"""`no_delete`, `no_overwrite`, `file_mode` and `dir_mode`: what each call does under them."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tagfs.errors import AlreadyExists, NotPermitted
from tagfs.fs.filesystem import FileSystem
from tagfs.store.objects import BytesSource, NewObject
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import tree_of, write


def _write_into(tree: FileSystem, path: str) -> None:
    fh, _ = tree.open(path, os.O_WRONLY)
    try:
        tree.write(fh, 0, b"changed")
        tree.flush(fh)
    finally:
        tree.release(fh)


def _unlink_open(tree: FileSystem, *, is_replaced: bool | None) -> None:
    fh, _ = tree.open("/f", os.O_RDONLY)
    try:
        tree.unlink_open("/f", "/alias", is_replaced=is_replaced)
    finally:
        tree.release(fh)


CALLS: dict[str, tuple[Callable[[FileSystem], object], set[str]]] = {
    "unlink": (lambda tree: tree.unlink("/f"), {"no_delete"}),
    "unlink of an open file": (
        lambda tree: _unlink_open(tree, is_replaced=False),
        {"no_delete"},
    ),
    "rename over an open file": (
        lambda tree: _unlink_open(tree, is_replaced=True),
        {"no_delete", "no_overwrite"},
    ),
    "either of them": (
        lambda tree: _unlink_open(tree, is_replaced=None),
        {"no_delete", "no_overwrite"},
    ),
    "rmdir": (lambda tree: tree.rmdir("/empty"), {"no_delete"}),
    "rename over a file": (lambda tree: tree.rename("/g", "/f"), {"no_delete", "no_overwrite"}),
    "rename over a directory": (
        lambda tree: tree.rename("/other", "/empty"),
        {"no_delete", "no_overwrite"},
    ),
    "open for writing": (lambda tree: _write_into(tree, "/f"), {"no_overwrite"}),
    "truncate": (lambda tree: tree.truncate("/f", 1), {"no_overwrite"}),
    "rename": (lambda tree: tree.rename("/f", "/free"), set()),
    "rename of a directory": (lambda tree: tree.rename("/other", "/free"), set()),
    "write of a new file": (lambda tree: write(tree, "/new"), set()),
    "write of an empty file": (lambda tree: _write_into(tree, "/nothing"), set()),
    "mkdir": (lambda tree: tree.mkdir("/d", 0o755), set()),
    "chmod": (lambda tree: tree.chmod("/f", 0o600), set()),
    "tag": (lambda tree: tree.setxattr("/f", "user.tag.team", b"blue", 0), set()),
}


@pytest.mark.parametrize("choice", ["no_delete", "no_overwrite"])
@pytest.mark.parametrize("call", CALLS)
def test_what_is_refused(call: str, choice: str, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    for key in ("f", "g", "nothing", "empty/", "other/"):
        data = b"" if key.endswith(("/", "nothing")) else b"content"
        bucket.put(key, BytesSource(data), NewObject())
    run, refused_by = CALLS[call]
    chosen: dict[str, Any] = {choice: True}
    with tree_of(bucket, tmp_path, None, **chosen) as tree:
        if choice not in refused_by:
            run(tree)
        else:
            with pytest.raises(NotPermitted, match=choice):
                run(tree)
    if choice in refused_by:
        assert bucket.get("f").data == bucket.get("g").data == b"content"
        assert {page.key for page in bucket.list("").objects} == {"f", "g", "nothing"}
        for key in ("empty/", "other/"):
            bucket.head(key)


def test_a_file_that_is_being_made_can_be_written_to_its_end(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    with tree_of(bucket, tmp_path, no_overwrite=True) as tree:
        fh = tree.create("/f", 0o644, os.O_WRONLY)
        tree.write(fh, 0, b"one")
        tree.fsync(fh)
        tree.write(fh, 3, b"two")
        tree.flush(fh)
        tree.release(fh)
        assert bucket.get("f").data == b"onetwo"
        with pytest.raises(NotPermitted):
            _write_into(tree, "/f")


def test_what_another_host_makes_meanwhile_stays(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    with tree_of(bucket, tmp_path, no_overwrite=True) as tree:
        fh = tree.create("/f", 0o644, os.O_WRONLY)
        bucket.put("f", BytesSource(b"theirs"), NewObject())
        tree.write(fh, 0, b"ours")
        with pytest.raises(AlreadyExists):
            tree.flush(fh)
        tree.release(fh)
    assert bucket.get("f").data == b"theirs"


def test_an_exclusive_rename_says_what_it_always_says(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    for key in ("f", "g"):
        bucket.put(key, BytesSource(b"x"), NewObject())
    with tree_of(bucket, tmp_path, no_delete=True) as tree, pytest.raises(AlreadyExists):
        tree.rename("/g", "/f", exclusive=True)


@pytest.mark.parametrize(
    ("choices", "file", "directory"),
    [
        ({}, 0o644, 0o755),
        ({"umask": 0o077}, 0o600, 0o700),
        ({"file_mode": 0o640}, 0o640, 0o755),
        ({"dir_mode": 0o711, "umask": 0o077}, 0o600, 0o711),
        ({"file_mode": 0, "dir_mode": 0o777}, 0, 0o777),
    ],
)
def test_modes_where_no_metadata_has_one(choices, file, directory, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    bucket.put("d/f", BytesSource(b"x"), NewObject())
    with tree_of(bucket, tmp_path, **choices) as tree:
        assert stat.S_IMODE(tree.getattr("/d/f")["st_mode"]) == file
        assert stat.S_IMODE(tree.getattr("/d")["st_mode"]) == directory
        write(tree, "/made")
        assert stat.S_IMODE(tree.getattr("/made")["st_mode"]) == 0o600
