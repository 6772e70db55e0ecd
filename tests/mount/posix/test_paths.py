"""Errors that path_resolution(7) has for every call that takes a path."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mount.posix.conftest import Pair
from tests.mount.posix.syscalls import as_user, utimensat

LONG = "n" * 256
DEEP = "/".join(["d" * 250] * 17)  # over PATH_MAX, 4,096 bytes


def opened(path: str, flags: int) -> None:
    os.close(os.open(path, flags, 0o644))


def _chdir(path: str) -> None:
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path)
        os.fchdir(before)
    finally:
        os.close(before)


CALLS: dict[str, Callable[[str], Any]] = {
    "open": lambda p: opened(p, os.O_RDONLY),
    "open-write": lambda p: opened(p, os.O_WRONLY),
    "open-directory": lambda p: opened(p, os.O_RDONLY | os.O_DIRECTORY),
    "open-nofollow": lambda p: opened(p, os.O_RDONLY | os.O_NOFOLLOW),
    "creat": lambda p: opened(p, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    "creat-exclusive": lambda p: opened(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL),
    "mkdir": os.mkdir,
    "rmdir": os.rmdir,
    "unlink": os.unlink,
    "symlink": lambda p: os.symlink("text", p),
    "mkfifo": os.mkfifo,
    "mknod": lambda p: os.mknod(p, stat.S_IFREG | 0o600),
    "truncate": lambda p: os.truncate(p, 1),
    "chmod": lambda p: os.chmod(p, 0o700),
    "chown": lambda p: os.chown(p, -1, -1),
    "lchown": lambda p: os.lchown(p, -1, -1),
    "utimensat": lambda p: utimensat(Path(p), (1, 0), (1, 0)),
    "stat": lambda p: stat.S_IFMT(os.stat(p).st_mode),
    "lstat": lambda p: stat.S_IFMT(os.lstat(p).st_mode),
    "access": lambda p: os.access(p, os.R_OK),
    "readlink": os.readlink,
    "rename-from": lambda p: os.rename(p, os.path.dirname(p.rstrip("/")) + "/moved"),
    "rename-to": lambda p: os.rename("source", p),
    "listdir": lambda p: sorted(os.listdir(p)),
    "getxattr": lambda p: os.getxattr(p, "user.tag.none"),
    "listxattr": os.listxattr,
    "removexattr": lambda p: os.removexattr(p, "user.tag.none"),
    "statvfs": lambda p: os.statvfs(p).f_namemax,
    "chdir": _chdir,
}


PLACES = [
    "",
    "missing",
    "missing/",
    "missing/below",
    "file/",
    "file/below",
    "file/..",
    "dir/",
    "dir/.",
    "dir/..",
    "full",
    "full/",
    "loop",
    "loop/",
    "loop/below",
    "dangling",
    "dangling/",
    "dangling/below",
    "to-file",
    "to-file/",
    "to-dir",
    "to-dir/",
    "to-dir/.",
    "dir/missing/..",
    LONG,
    f"dir/{LONG}",
    f"{LONG}/below",
    f"file/{LONG}",
    DEEP,
]
"""What may stand where a path is wanted. Each call sees each of them in a tree of its own."""


def plant(tree: Path) -> None:
    tree.mkdir()
    (tree / "dir").mkdir()
    (tree / "full").mkdir()
    (tree / "full" / "entry").touch()
    (tree / "file").write_bytes(b"content")
    (tree / "loop").symlink_to("loop")
    (tree / "dangling").symlink_to("nowhere")
    (tree / "to-file").symlink_to("file")
    (tree / "to-dir").symlink_to("dir")


def inside(tree: Path, call: Callable[[], Any]) -> Any:
    """Run a call in `tree`, so that relative paths and PATH_MAX are judged alike."""
    before = os.open(".", os.O_RDONLY)
    os.chdir(tree)
    try:
        return call()
    finally:
        os.fchdir(before)
        os.close(before)


def shape(tree: Path) -> list[str]:
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))


@pytest.mark.parametrize("name", CALLS)
def test_path_resolution(pair: Pair, name: str) -> None:
    """Whatever stands where a path is wanted, result or errno are those of a local directory."""
    pair.both(lambda root: plant(root / "tree"))
    for number, place in enumerate(PLACES):
        call = CALLS[name]

        def attempt(root: Path, place: str = place, call: Callable[[str], Any] = call) -> Any:
            tree = root / "tree"
            if name == "rename-to":
                (tree / "source").touch()
            return inside(tree, lambda: call(place))

        try:
            pair.both(attempt)
        except AssertionError as error:
            raise AssertionError(f"{name}({place[:40]!r}): {error}") from None
        shapes = [shape(root / "tree") for root in pair.roots]
        assert shapes[0] == shapes[1], (name, place[:40])
        if number and shapes[0] != shape_of_plant():
            for root in pair.roots:
                os.rename(root / "tree", root / f"used{number}")
                plant(root / "tree")


def shape_of_plant() -> list[str]:
    links = ["loop", "dangling", "to-file", "to-dir"]
    return sorted(["dir", "full", "full/entry", "file", *links])


DENIED = sorted(set(CALLS) - {"statvfs", "chdir"})


@pytest.mark.usefixtures("root_user")
def test_permission_denied(pair: Pair) -> None:
    """A directory that may not be searched, and one that may not be written, as a second user."""
    for root in pair.roots:
        for name, mode in (("unsearchable", 0o600), ("unwritable", 0o755)):
            (root / name).mkdir()
            (root / name / "file").touch()
            (root / name / "dir").mkdir()
            (root / name).chmod(mode)
    for name in DENIED:
        for place in ("unsearchable/file", "unwritable/file", "unwritable/new", "unwritable/dir"):

            def attempt(root: Path, name: str = name, place: str = place) -> Any:
                if name == "rename-to":
                    (root / "source").touch()
                with as_user(1234, 1234):
                    if name == "rename-from":
                        return os.rename(root / place, root / "moved")
                    return inside(root, lambda: CALLS[name](place))

            try:
                pair.both(attempt)
            except AssertionError as error:
                raise AssertionError(f"{name}({place!r}): {error}") from None
