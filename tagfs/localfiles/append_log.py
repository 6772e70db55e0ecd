"""A file of lines that only grows, whose lines are on the disk when `append` returns.

Many threads share one fsync: the first writes for all who wait.
"""

import errno
import fcntl
import os
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from tagfs.errors import SettingsError
from tagfs.localfiles.atomic import sync_path

TORN: Final = b"~"
"""What the end of a line is made that was not written whole: half of a number is another one."""


class DurableLines(AbstractContextManager["DurableLines"]):
    """Appends lines to a file. Thread-safe.

    Args:
        exclusive: nobody else may have the file open so.
    """

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._lines: list[bytes] = []
        self._given = 0
        self._kept = 0
        self._writing = False
        self._broken = ""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from None
        if exclusive:
            self._lock()
        sync_path(path.absolute().parent)
        self._end_torn_line()

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, line: bytes) -> None:
        """Add a line (without its end); it is on the disk on return.

        Raises:
            SettingsError: it could not be written.
        """
        with self._changed:
            self._lines.append(line + b"\n")
            self._given += 1
            mine = self._given
            while self._kept < mine:
                if self._broken:
                    raise SettingsError(self._broken)
                if self._writing:
                    self._changed.wait()
                else:
                    self._write_all()

    def note(self, line: bytes) -> None:
        """Add a line that survives the end of this process, and is on the disk after `sync`.

        Raises:
            SettingsError: it could not be written, and nothing is any more.
        """
        with self._changed:
            if self._broken:
                raise SettingsError(self._broken)
            try:
                _write(self._file, line + b"\n")
            except OSError as error:
                self._broken = f"{self._path}: {error.strerror}"
                raise SettingsError(self._broken) from None

    def sync(self) -> None:
        """Put on the disk what was noted."""
        _sync(self._file)

    def close(self) -> None:
        """Put all on the disk and close the file."""
        if self._file >= 0:
            _sync(self._file)
            os.close(self._file)
            self._file = -1

    def _write_all(self) -> None:
        """Write for all who wait; the lock is held on entry and on return, not meanwhile."""
        lines, upto = self._lines, self._given
        self._lines = []
        self._writing = True
        self._changed.release()
        broken = ""
        try:
            _write(self._file, b"".join(lines))
            _sync(self._file)
        except OSError as error:
            broken = f"{self._path}: {error.strerror}"
        finally:
            self._changed.acquire()
            self._writing = False
            self._changed.notify_all()
        if broken:
            self._broken = broken
        else:
            self._kept = max(self._kept, upto)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise SettingsError(f"{self._path} is used by another run") from None

    def _end_torn_line(self) -> None:
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            _write(self._file, TORN + b"\n")


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync(file: int) -> None:
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a pipe or a device has no disk
            raise
