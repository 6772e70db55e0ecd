"""A directory on the local disk and one on a mount, to which the same things are done.

The local one is the model: what a call returns there, or the errno that it fails with, is what it
must do on the mount.
"""

import errno
import mmap
import os
import random
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

LONG_AGO = 1_500_000_000 * 10**9
"""Only a program that sets times makes a file this old."""

PATTERN = random.Random(0).randbytes(2_000_000)

Outcome = tuple[str, Any]


def data(seed: int, length: int) -> bytes:
    """Return bytes that are others at every place and for every seed."""
    start = seed * 7919 % 1_000_000
    return PATTERN[start : start + length]


def outcome(call: Callable[[], Any]) -> Outcome:
    try:
        return "returned", call()
    except OSError as error:
        return "failed", errno.errorcode.get(error.errno or 0)


class Files:
    """A file that is open in both directories."""

    def __init__(self, local: int, mounted: int, flags: int) -> None:
        self.fds = (local, mounted)
        self.flags = flags

    @property
    def writable(self) -> bool:
        return self.flags & os.O_ACCMODE != os.O_RDONLY

    @property
    def is_unlinked(self) -> bool:
        return os.fstat(self.fds[0]).st_nlink == 0

    @property
    def local_path(self) -> Path:
        """Where the file is now, after all renames."""
        return Path(os.readlink(f"/proc/self/fd/{self.fds[0]}"))


class Twins:
    """Two directories that must never differ."""

    def __init__(self, local: Path, mounted: Path) -> None:
        self.roots = (local, mounted)

    def path(self, name: str) -> Outcome:
        """Compare what stat reports of a path."""
        return self.both(lambda root: facts(os.lstat(root / name)))

    def both(self, call: Callable[[Path], Any]) -> Outcome:
        """Do the same in both directories, and compare what came of it."""
        local, mounted = (outcome(partial(call, root)) for root in self.roots)
        assert mounted == local, f"on the mount it {shown(mounted)}, locally it {shown(local)}"
        return mounted

    def open(self, name: str, flags: int, mode: int) -> Files | None:
        """Open a file in both; None if neither could be opened."""
        local, mounted = (outcome(partial(os.open, r / name, flags, mode)) for r in self.roots)
        if (local[0], mounted[0]) == ("returned", "returned"):
            return Files(local[1], mounted[1], flags)
        for _, fd in (o for o in (local, mounted) if o[0] == "returned"):
            os.close(fd)
        assert mounted == local, f"on the mount open {mounted}, locally {local}"
        return None

    def with_fd(self, files: Files, call: Callable[[int], Any]) -> Outcome:
        """Do the same with both descriptors, and compare what came of it."""
        local, mounted = (outcome(partial(call, fd)) for fd in files.fds)
        assert mounted == local, f"on the mount it {shown(mounted)}, locally it {shown(local)}"
        return mounted


def shown(result: Outcome) -> str:
    text = repr(result[1])
    return f"{result[0]} {text if len(text) < 300 else text[:300] + '...'}"


def facts(found: os.stat_result) -> tuple[Any, ...]:
    """Return what stat must report alike: of directories no size; times if a program set them."""
    mtime = found.st_mtime_ns if found.st_mtime_ns <= LONG_AGO else "now"
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        return kind, stat.S_IMODE(found.st_mode)
    return kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_size, mtime


def write_mapped(fd: int, offset: int, new: bytes) -> int:
    """Change a file through a shared mapping; return how many bytes of it could be."""
    size = os.fstat(fd).st_size
    if offset >= size:
        return 0
    with mmap.mmap(fd, size) as mapped:
        end = min(offset + len(new), size)
        mapped[offset:end] = new[: end - offset]
        mapped.flush()
    return end - offset
