"""System calls that Python's os module lacks, or has only in part."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_COLLAPSE, FALLOC_ZERO = 1, 2, 8, 16
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100

_libc = ctypes.CDLL(None, use_errno=True)
_libc.opendir.restype = _libc.readdir.restype = _libc.fdopendir.restype = ctypes.c_void_p
_libc.telldir.restype = ctypes.c_long
_libc.lseek.restype = ctypes.c_long


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))  # type: ignore[mutable-override]


class _Dirent(ctypes.Structure):
    _fields_ = (  # type: ignore[mutable-override]
        ("ino", ctypes.c_ulong),
        ("off", ctypes.c_long),
        ("reclen", ctypes.c_ushort),
        ("type", ctypes.c_ubyte),
        ("name", ctypes.c_char * 256),
    )


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def renameat2(old: Path, new: Path, flags: int) -> None:
    _checked(_libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags))


def utimensat(
    path: Path, atime: tuple[int, int], mtime: tuple[int, int], *, follow: bool = True
) -> None:
    """Set times as (seconds, nanoseconds), of which the latter may be UTIME_NOW or UTIME_OMIT."""
    times = (_Timespec * 2)(_Timespec(*atime), _Timespec(*mtime))
    flags = 0 if follow else AT_SYMLINK_NOFOLLOW
    _checked(_libc.utimensat(AT_FDCWD, os.fsencode(path), times, flags))


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    arguments = ctypes.c_int(mode), ctypes.c_long(offset), ctypes.c_long(length)
    _checked(_libc.fallocate(fd, *arguments))


class Directory:
    """A directory stream, as opendir(3) has it."""

    def __init__(self, path: Path) -> None:
        self._stream = ctypes.c_void_p(_libc.opendir(os.fsencode(path)))
        assert self._stream.value, path

    def read(self) -> str | None:
        """Return the next name, None at the end."""
        entry = _libc.readdir(self._stream)
        return os.fsdecode(_Dirent.from_address(entry).name) if entry else None

    def rest(self) -> list[str]:
        return list(iter(self.read, None))

    def tell(self) -> int:
        return int(_libc.telldir(self._stream))

    def seek(self, where: int) -> None:
        _libc.seekdir(self._stream, ctypes.c_long(where))

    def rewind(self) -> None:
        _libc.rewinddir(self._stream)

    def close(self) -> None:
        _libc.closedir(self._stream)


@contextlib.contextmanager
def as_user(uid: int, gid: int, groups: tuple[int, ...] = ()) -> Iterator[None]:
    """Run a block as another user, without any capability of root's."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
