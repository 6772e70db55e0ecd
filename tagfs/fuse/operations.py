"""FUSE callbacks: each one calls the file system; `__call__` alone logs, maps and catches.

A plain class on purpose: the base class of fusepy answers `utimens`, `flush` and `fsync` with
success although it does nothing. What is not written here answers ENOSYS (ENOTSUP for xattrs).
"""

import errno
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from tagfs.errors import TagfsError
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.stat_fields import Stat
from tagfs.fs.openfiles.kernel_pages import Pages
from tagfs.fuse.hidden_files import HiddenFiles
from tagfs.fuse.recent_failures import RecentFailures

log = logging.getLogger(__name__)

UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2
"""What utimensat(2) puts into tv_nsec, with tv_sec 0 by libfuse, for "now" and "leave it"."""


class Operations:
    """What fusepy calls, in its spelling: `operations(name, *arguments)`."""

    use_ns = True
    flag_nullpath_ok = True
    """An unlinked file is named by its handle alone: no path, and no copy of it."""
    flag_utime_omit_ok = True
    """Setting one of two times reaches us as such."""

    def __init__(
        self,
        filesystem: FileSystem,
        hidden: HiddenFiles,
        failures: RecentFailures | None = None,
    ) -> None:
        """`hidden` takes the calls by which libfuse hides open files."""
        self._fs = filesystem
        self._hidden = hidden
        self._failures = failures or RecentFailures()

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Run one callback; nothing leaves but an OSError with a positive errno."""
        if log.isEnabledFor(logging.DEBUG):  # which SIGUSR2 changes
            log.debug("%s%s", name, _shown(arguments))
        try:
            return getattr(self, name)(*arguments)
        except BaseException as error:  # noqa: BLE001  (the one net under all callbacks)
            self._fail(name, arguments, error)

    # Looking

    def getattr(self, path: str | None, fh: int | None = None) -> Stat:
        return self._hidden.getattr(path, fh)

    def access(self, path: str, amode: int) -> None:
        self._fs.access(path, amode)

    def readlink(self, path: str) -> str:
        return self._fs.readlink(path)

    def opendir(self, path: str) -> int:
        return self._fs.opendir(path)

    def readdir(self, path: str | None, fh: int) -> Iterator[tuple[str, int, int]]:
        return self._guarded("readdir", path, self._fs.readdir(fh))

    def getattr_known(self, fh: int, names: Sequence[str]) -> list[Stat | None]:
        return self._fs.getattr_known(fh, names)

    def releasedir(self, _path: str | None, fh: int) -> None:
        self._fs.releasedir(fh)

    def fsyncdir(self, _path: str | None, _datasync: int, fh: int) -> None:
        self._fs.fsyncdir(fh)

    def statfs(self, _path: str) -> dict[str, int]:
        return self._fs.statfs()

    # Files

    def open(self, path: str, flags: int) -> tuple[int, Pages]:
        # Programs' opens have at least O_LARGEFILE. Without any flag the kernel opens it itself, to
        # ask for what lsattr(1) shows, as borg does of every file.
        return self._hidden.open(path, flags, looks=flags == 0)

    def create(self, path: str, mode: int, flags: int) -> int:
        return self._fs.create(path, mode, flags)

    def read(self, _path: str | None, size: int, offset: int, fh: int) -> bytes | memoryview:
        return self._fs.read(fh, offset, size)

    def write(self, _path: str | None, data: bytes | memoryview, offset: int, fh: int) -> int:
        return self._fs.write(fh, offset, data)

    def write_page(self, _path: str | None, data: bytes | memoryview, offset: int, fh: int) -> int:
        return self._fs.write(fh, offset, data, mapped=True)

    def copy_file_range(self, fh: int, start: int, target: int, offset: int, length: int) -> int:
        return self._fs.copy_file_range(fh, start, target, offset, length)

    def truncate(self, path: str | None, length: int, fh: int | None = None) -> None:
        self._fs.truncate(path, length, fh)

    def flush(self, _path: str | None, fh: int) -> None:
        self._fs.flush(fh)

    def fsync(self, _path: str | None, _datasync: int, fh: int) -> None:
        self._fs.fsync(fh)

    def release(self, _path: str | None, fh: int) -> None:
        self._fs.release(fh)

    # The tree

    def mkdir(self, path: str, mode: int) -> None:
        self._fs.mkdir(path, mode)

    def mknod(self, path: str, mode: int, rdev: int) -> None:
        self._fs.mknod(path, mode, rdev)

    def rmdir(self, path: str) -> None:
        self._fs.rmdir(path)

    def unlink(self, path: str) -> None:
        self._hidden.unlink(path)

    def rename(self, old: str, new: str) -> None:
        self._hidden.rename(old, new)

    def rename_noreplace(self, old: str, new: str) -> None:
        self._hidden.rename(old, new, exclusive=True)

    def symlink(self, path: str, text: str) -> None:
        self._fs.symlink(path, text)

    def link(self, path: str, existing: str) -> None:
        self._fs.link(path, existing)

    # Attributes

    def chmod(self, path: str, mode: int) -> None:
        self._fs.chmod(path, mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        self._fs.chown(path, uid, gid)

    def utimens(self, path: str, times: tuple[int, int] | None) -> None:
        now = self._fs.now_ns()
        atime, mtime = times or (now, now)
        self._fs.utimens(path, _time(atime, now), _time(mtime, now))

    # Extended attributes

    def getxattr(self, path: str, name: str, *_position: int) -> bytes:
        return self._fs.getxattr(path, name)

    def listxattr(self, path: str, size: int = 0) -> list[str]:
        return self._fs.listxattr(path, size)

    def setxattr(self, path: str, name: str, value: bytes, flags: int, *_position: int) -> None:
        self._fs.setxattr(path, name, value, flags)

    def removexattr(self, path: str, name: str) -> None:
        self._fs.removexattr(path, name)

    # Failing

    def _guarded(self, name: str, path: str | None, items: Iterator[Any]) -> Iterator[Any]:
        """Pass items on; what fails while they are made is mapped like any other failure."""
        try:
            yield from items
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001  (see `__call__`)
            self._fail(name, (path,), error)

    def _fail(self, name: str, arguments: tuple[Any, ...], error: BaseException) -> NoReturn:
        if isinstance(error, TagfsError):
            number, level = error.errno, error.log_level
            if log.isEnabledFor(level):
                log.log(level, "%s%s: %s: %s", name, _shown(arguments), type(error).__name__, error)
        else:
            number, level = errno.EIO, logging.ERROR
            log.error("%s%s: a bug in tagfs", name, _shown(arguments), exc_info=error)
        if level > logging.DEBUG:
            self._failures.add(name, _path(arguments), f"{type(error).__name__}: {error}")
        raise OSError(number, os.strerror(number)) from None


def _time(value: int, now: int) -> int | None:
    return {UTIME_NOW: now, UTIME_OMIT: None}.get(value, value)


def _path(arguments: tuple[Any, ...]) -> str | None:
    """Return the path that a call is about; an unlinked file has none."""
    return next((a for a in arguments[:1] if isinstance(a, str)), None)


def _shown(arguments: tuple[Any, ...]) -> str:
    parts = (f"{len(a)} bytes" if isinstance(a, bytes | memoryview) else repr(a) for a in arguments)
    return f"({', '.join(parts)})"
