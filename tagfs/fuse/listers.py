"""Who asks for the names of extended attributes although it wants none of ours.

GNU `ls -l` since coreutils 9.6 and that of uutils call llistxattr(2) for every file of a directory,
to find out whether it has an ACL. A file's tags cost a request; that answer costs none.

Only the name of the caller tells: uutils' `ls` makes the very same call (size 0) as getfattr(1) and
cp(1). The kernel reads /proc/PID/comm without a lock that a system call may hold, even while the
process is in execve(2). The arguments are another matter (they are read from its memory, which may
be locked while it waits for us), so that look is left to `Lookers`.
"""

from collections.abc import Callable
from pathlib import Path

from tagfs.fuse.lookers import Lookers

LISTERS = frozenset({"ls", "dir", "vdir"})
"""Programs that show no name of an extended attribute."""

TOGETHER = "coreutils"
"""uutils' single program: its first argument, or the name it is called by, says which it is."""


class Listers:
    """Says whether the process that is being served lists directories, and wants no names."""

    def __init__(self, pid: Callable[[], int | None], lookers: Lookers) -> None:
        """`pid` tells the number of the process that is being served, None if it has none here."""
        self._pid = pid
        self._lookers = lookers

    def __call__(self) -> bool | None:
        """Say so; None where nothing tells: of another PID namespace, a process has no number."""
        pid = self._pid()
        name = "" if pid is None else _read(Path(f"/proc/{pid}/comm")).strip()
        if not name:
            return None
        if name != TOGETHER:
            return name in LISTERS
        arguments = self._lookers.ask(lambda: _read(Path(f"/proc/{pid}/cmdline")).split("\0"))
        return _program(arguments or []) in LISTERS


def _program(arguments: list[str]) -> str:
    """Return which program of many `coreutils ARGUMENT...` is."""
    return arguments[1] if len(arguments) > 1 else ""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
