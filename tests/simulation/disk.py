"""The local disk of a simulated host, in memory: what `os`, `fcntl` and `pathlib` have of one.

A process that dies leaves its files as they are, and gives back its descriptors with their locks. A
power cut takes what was not synced in part: of a file's blocks some are new and some old, of the
changes of a directory the first ones are there. Each call may fail, or write less than was asked.
"""

import errno
import fcntl
import io
import itertools
import os
import pathlib
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

BLOCK = 16
"""Bytes that a power cut leaves or takes together."""

FREE = 1024**3


@dataclass(eq=False)
class Inode:
    """A file or a directory.

    Attributes:
        kept: its bytes as they were synced last.
        entries: of a directory; None of a file.
        kept_entries: as they were synced last.
        changes: what was done to the entries since: a name, and the file it has had then.
        locked: the descriptor that holds its lock.
    """

    number: int
    mode: int
    mtime: float
    data: bytearray = field(default_factory=bytearray)
    kept: bytes = b""
    entries: "dict[str, Inode] | None" = None
    kept_entries: "dict[str, Inode]" = field(default_factory=dict)
    changes: "list[tuple[str, Inode | None]]" = field(default_factory=list)
    locked: "Opened | None" = None

    def has(self, name: str, node: "Inode | None") -> None:
        """Let a name stand for a file from now on, or for nothing."""
        assert self.entries is not None
        self.changes.append((name, node))
        if node is None:
            del self.entries[name]
        else:
            self.entries[name] = node

    def sync(self) -> None:
        """Make all of it last."""
        self.kept = bytes(self.data)
        if self.entries is not None:
            self.kept_entries, self.changes = dict(self.entries), []


@dataclass(eq=False)
class Opened:
    """What a descriptor stands for; several may stand for one.

    Attributes:
        host: whose process has it.
    """

    node: Inode
    flags: int
    host: str
    at: int = 0
    descriptors: int = 1


class Disk:
    """The disks of all hosts, each below a directory of its own.

    Attributes:
        effect: called before each call that changes something; may end the host.
        fault: called with each such call's name; what it returns is raised, or has it write less.
        host: says whose process makes a call.
    """

    def __init__(self, chance: random.Random, clock: Callable[[], float]) -> None:
        self._chance, self._clock = chance, clock
        self._numbers = itertools.count(2)
        self._descriptors: dict[int, Opened] = {}
        self._ended: set[int] = set()
        self._free = itertools.count(1000)
        self.root = Inode(1, stat.S_IFDIR | 0o755, clock(), entries={})
        self.effect: Callable[[], None] = lambda: None
        self.fault: Callable[[str], int | None] = lambda _call: None
        self.host: Callable[[], str] = lambda: ""

    # What ends

    def end(self, host: str) -> None:
        """Give back all that a process had open."""
        for number, opened in list(self._descriptors.items()):
            if opened.host == host:
                self.close(number)
                self._ended.add(number)

    def cut_power(self, directory: str) -> None:
        """Take what was not synced below a directory, in part."""
        self._cut(self._at(directory))

    def _cut(self, node: Inode) -> None:
        if node.entries is None:
            new, old = bytes(node.data), node.kept
            size = len(self._chance.choice((new, old)))
            for at in range(0, size, BLOCK):
                from_one = self._chance.choice((new, old))[at : at + BLOCK]
                node.data[at : at + BLOCK] = from_one.ljust(BLOCK, b"\0")
            del node.data[size:]
        else:
            node.entries = dict(node.kept_entries)
            done = self._chance.randint(0, len(node.changes))
            for name, now in node.changes[:done]:
                node.entries.pop(name, None)
                if now is not None:
                    node.entries[name] = now
            for below in node.entries.values():
                self._cut(below)
        node.sync()

    # Finding

    def _at(self, path: Any, dir_fd: int | None = None) -> Inode:
        node = self.root if dir_fd is None else self._of(dir_fd).node
        for part in pathlib.PurePosixPath(path).parts:
            if part == "/":
                continue
            if node.entries is None:
                raise _error(errno.ENOTDIR, path)
            found = node.entries.get(part)
            if found is None:
                raise _error(errno.ENOENT, path)
            node = found
        return node

    def _above(self, path: Any, dir_fd: int | None = None) -> tuple[Inode, str]:
        pure = pathlib.PurePosixPath(path)
        return self._at(pure.parent, dir_fd), pure.name

    def _new(self, mode: int, **more: Any) -> Inode:
        return Inode(next(self._numbers), mode, self._clock(), **more)

    def _change(self, call: str) -> int | None:
        """Begin a call that changes something.

        Return what it does not do: a number of errno, 0 for all but a part.
        """
        self.effect()
        fault = self.fault(call)
        if fault:
            raise _error(fault, call)
        return fault

    # What `os` has for files

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        above, name = self._above(path, dir_fd)
        node = self.root if not name else (above.entries or {}).get(name)
        if node is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, path)
            self._change("open")
            node = self._new(stat.S_IFREG | (mode & ~0o022))
            above.has(name, node)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise _error(errno.EEXIST, path)
        if flags & os.O_TRUNC and node.data:
            self._change("open")
            del node.data[:]
        return self._opened(Opened(node, flags, self.host()))

    def _opened(self, opened: Opened) -> int:
        number = next(self._free)
        self._descriptors[number] = opened
        return number

    def _of(self, fd: int) -> Opened:
        found = self._descriptors.get(fd)
        if fd in self._ended:
            self.effect()
            return Opened(self._new(stat.S_IFREG, entries={}), 0, "")  # what tidies up afterwards
        if found is None:
            raise _error(errno.EBADF, fd)
        return found

    def close(self, fd: int) -> None:
        if fd in self._ended:
            return
        opened = self._of(fd)
        del self._descriptors[fd]
        opened.descriptors -= 1
        if not opened.descriptors and opened.node.locked is opened:
            opened.node.locked = None

    def dup(self, fd: int) -> int:
        opened = self._of(fd)
        opened.descriptors += 1
        return self._opened(opened)

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        return bytes(self._of(fd).node.data[offset : offset + length])

    def read(self, fd: int, length: int) -> bytes:
        opened = self._of(fd)
        data = self.pread(fd, length, opened.at)
        opened.at += len(data)
        return data

    def pwrite(self, fd: int, data: Any, offset: int) -> int:
        node = self._of(fd).node
        data = bytes(data)
        if self._change("write") is not None:
            data = data[: self._chance.randint(min(1, len(data)), len(data))]
        node.data.extend(bytes(max(0, offset - len(node.data))))
        node.data[offset : offset + len(data)] = data
        node.mtime = self._clock()
        return len(data)

    def write(self, fd: int, data: Any) -> int:
        opened = self._of(fd)
        if opened.flags & os.O_APPEND:
            opened.at = len(opened.node.data)
        done = self.pwrite(fd, data, opened.at)
        opened.at += done
        return done

    def ftruncate(self, fd: int, size: int) -> None:
        node = self._of(fd).node
        self._change("truncate")
        node.data.extend(bytes(max(0, size - len(node.data))))
        del node.data[size:]

    def fsync(self, fd: int) -> None:
        node = self._of(fd).node
        self._change("sync")
        node.sync()

    def fdopen(self, fd: int, mode: str = "r", buffering: int = -1) -> Any:
        raw = _Raw(self, fd)
        if "w" in mode or not buffering:
            return raw
        return io.BufferedReader(raw)

    # What it has for names and attributes

    def stat(self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Any:  # noqa: ARG002  the shape of what it stands for
        return _stat(self._at(path, dir_fd))

    def fstat(self, fd: int) -> Any:
        return _stat(self._of(fd).node)

    def chmod(self, path: Any, mode: int, *, dir_fd: int | None = None) -> None:
        node = self._at(path, dir_fd)
        self._change("chmod")
        node.mode = stat.S_IFMT(node.mode) | mode

    def fchmod(self, fd: int, mode: int) -> None:
        node = self._of(fd).node
        self._change("chmod")
        node.mode = stat.S_IFMT(node.mode) | mode

    def utime(self, fd: int) -> None:
        self._of(fd).node.mtime = self._clock()

    def replace(
        self, old: Any, new: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        source, name = self._above(old, src_dir_fd)
        target, other = self._above(new, dst_dir_fd)
        self._change("rename")
        node = self._at(old, src_dir_fd)
        target.has(other, node)
        source.has(name, None)

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        above, name = self._above(path, dir_fd)
        self._at(path, dir_fd)
        self.effect()  # a deletion that fails is that of a broken disk
        self._at(path, dir_fd)  # another may have been faster
        above.has(name, None)

    def mkdir(self, path: Any, mode: int) -> None:
        above, name = self._above(path)
        if name in (above.entries or {}):
            raise _error(errno.EEXIST, path)
        self._change("open")
        above.has(name, self._new(stat.S_IFDIR | (mode & ~0o022), entries={}))

    def rmdir(self, path: Any) -> None:
        if self._at(path).entries:
            raise _error(errno.ENOTEMPTY, path)
        self.unlink(path)

    def names(self, path: Any) -> list[str]:
        node = self._of(path).node if isinstance(path, int) else self._at(path)
        return list(node.entries or ())

    @contextmanager
    def scandir(self, path: Any) -> Iterator[list[Any]]:
        yield [
            SimpleNamespace(name=name, stat=lambda at=name, **_: self.stat(f"{path}/{at}"))
            for name in self.names(path)
        ]

    def statvfs(self, _path: Any) -> Any:
        return SimpleNamespace(f_bavail=FREE, f_blocks=2 * FREE, f_frsize=1)

    # What `fcntl` has

    def flock(self, fd: int, operation: int) -> None:
        opened = self._of(fd)
        holder = opened.node.locked
        if holder not in (None, opened):
            raise _error(errno.EWOULDBLOCK, fd)
        if operation & fcntl.LOCK_EX:
            opened.node.locked = opened


class _Raw(io.RawIOBase):
    """A descriptor as a file object without a buffer."""

    def __init__(self, disk: Disk, fd: int) -> None:
        super().__init__()
        self._disk, self._fd = disk, fd

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def readinto(self, buffer: Any) -> int:
        data = self._disk.read(self._fd, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        return self._disk.write(self._fd, data)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._disk.close(self._fd)


def _stat(node: Inode) -> Any:
    return SimpleNamespace(
        st_mode=node.mode,
        st_size=len(node.data),
        st_uid=os.geteuid(),
        st_mtime=node.mtime,
        st_mtime_ns=int(node.mtime * 1e9),
    )


def _error(number: int, what: Any) -> OSError:
    return OSError(number, os.strerror(number), str(what))


def path_class(disk: Disk) -> type[pathlib.PurePosixPath]:  # noqa: C901  a class
    """Return what stands for `pathlib.Path` on a disk."""

    class LocalPath(pathlib.PurePosixPath):
        """A path on the disk of a simulation."""

        def mkdir(
            self, mode: int = 0o777, *, parents: bool = False, exist_ok: bool = False
        ) -> None:
            try:
                disk.mkdir(self, mode)
            except FileNotFoundError:
                if not parents:
                    raise
                self.parent.mkdir(parents=True, exist_ok=True)
                self.mkdir(mode, exist_ok=exist_ok)
            except FileExistsError:
                if not exist_ok:
                    raise

        def exists(self) -> bool:
            try:
                disk.stat(self)
            except OSError:
                return False
            return True

        def unlink(self, *, missing_ok: bool = False) -> None:
            try:
                disk.unlink(self)
            except FileNotFoundError:
                if not missing_ok:
                    raise

        def is_symlink(self) -> bool:
            return False

        def stat(self) -> Any:
            return disk.stat(self)

        lstat = stat

        def rmdir(self) -> None:
            disk.rmdir(self)

        def replace(self, target: Any) -> None:
            disk.replace(self, target)

        def absolute(self) -> "LocalPath":
            return self

        def iterdir(self) -> Iterator["LocalPath"]:
            return iter([self / name for name in disk.names(self)])

        def glob(self, pattern: str) -> Iterator["LocalPath"]:
            return iter([path for path in self.iterdir() if path.match(pattern)])

    return LocalPath


def names(disk: Disk) -> dict[object, object]:
    """Return what stands for what on a disk, by the thing itself."""
    calls = {name: getattr(os, name) for name in dir(os) if not name.startswith("__")}
    ours = {name: getattr(disk, name) for name in _CALLS}
    return {
        os: SimpleNamespace(**{**calls, **ours, "fdatasync": disk.fsync}),
        fcntl: SimpleNamespace(
            flock=disk.flock,
            **{name: getattr(fcntl, name) for name in dir(fcntl) if "LOCK_" in name},
        ),
        pathlib.Path: path_class(disk),
    }


_CALLS = (
    "open close dup pread read pwrite write ftruncate fsync fdopen stat fstat chmod fchmod utime "
    "replace unlink mkdir rmdir scandir statvfs"
).split()
