"""Who asks for the names of extended attributes although it wants none of ours.

GNU `ls -l` since coreutils 9.6 and that of uutils call llistxattr(2) for every file of a directory,
to find out whether it has an ACL. A file's tags cost a request; that answer costs none.

Only the name of the caller tells: uutils' `ls` makes the very same call (size 0) as getfattr(1) and
cp(1). The kernel reads /proc/PID/comm without a lock that a system call may hold, even while the
process is in execve(2). The arguments are another matter (they are read from its memory, which may
be locked while it waits for us), so that look is left to `Lookers`.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tagfs.fuse.lookers import Lookers

LISTERS = frozenset({"ls", "dir", "vdir"})
"""Programs that show no name of an extended attribute."""

TOGETHER = "coreutils"
"""uutils' single program: its first argument, or the name it is called by, says which it is."""


_LONGEST = 64
"""Bytes of a name; the kernel keeps 16."""


class Listers:
    """Says whether the process that is being served lists directories, and wants no names."""

    def __init__(self, pid: Callable[[], int | None], lookers: Lookers) -> None:
        """`pid` tells the number of the process that is being served, None if it has none here."""
        self._pid = pid
        self._lookers = lookers
        self._last: tuple[int, _Descriptor] | None = None  # the process that asked last

    def __call__(self) -> bool | None:
        """Say so; None where nothing tells: of another PID namespace, a process has no number."""
        pid = self._pid()
        name = "" if pid is None else self._name(pid)
        if not name:
            return None
        if name != TOGETHER:
            return name in LISTERS
        arguments = self._lookers.ask(lambda: _read(Path(f"/proc/{pid}/cmdline")).split("\0"))
        return _program(arguments or []) in LISTERS

    def _name(self, pid: int) -> str:
        """Return the name of a process, as it is now; "" if there is none.

        `ls` asks for every file: to open what tells its name takes ten times as long as to read it.
        Once a process has ended nothing can be read there, whoever has its number now.
        """
        last = self._last
        with suppress(OSError):
            if last is not None and last[0] == pid:
                return last[1].read()
        with suppress(OSError):
            self._last = pid, (opened := _Descriptor(f"/proc/{pid}/comm"))
            return opened.read()
        return ""


class _Descriptor:
    """A small open file, closed when nobody reads it any more."""

    __slots__ = ("_fd",)

    def __init__(self, path: str) -> None:
        self._fd = -1
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def read(self) -> str:
        return os.pread(self._fd, _LONGEST, 0).decode(errors="replace").strip()


def _program(arguments: list[str]) -> str:
    """Return which program of many `coreutils ARGUMENT...` is."""
    return arguments[1] if len(arguments) > 1 else ""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
