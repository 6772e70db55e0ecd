"""Who asks for the names of extended attributes although it wants none of ours.

GNU `ls -l` since coreutils 9.6 and that of uutils call llistxattr(2) for every file of a directory,
to find out whether it has an ACL. A file's tags cost a request; that answer costs none.

Only the name of the caller tells: uutils' `ls` makes the very same call (size 0) as getfattr(1) and
cp(1). The kernel reads /proc/PID/comm without a lock that a system call may hold, even while the
process is in execve(2). The arguments are another matter (they are read from its memory, which may
be locked while it waits for us), so that look has its time and goes on without us.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from tagfs.kernel.binding import Binding

LISTERS = frozenset({"ls", "dir", "vdir"})
"""Programs that show no name of an extended attribute."""

TOGETHER = "coreutils"
"""uutils' single program: its first argument, or the name it is called by, says which it is."""

PATIENCE = 0.1
"""Seconds in which a process's arguments are read, or count as not known."""

AT_ONCE = 8
"""Looks at arguments under way, and stuck, at most."""


class Listers:
    """Says whether the process that is being served lists directories, and wants no names."""

    def __init__(self, binding: Binding) -> None:
        self._context = binding.context
        self._looks = threading.Semaphore(AT_ONCE)

    def __call__(self) -> bool | None:
        """Say so; None where nothing tells: of another PID namespace, a process has no number."""
        _uid, _gid, pid = self._context()
        name = _read(Path(f"/proc/{pid}/comm")).strip()
        if not name:
            return None
        if name != TOGETHER:
            return name in LISTERS
        return _program(self._arguments(pid)) in LISTERS

    def _arguments(self, pid: int) -> list[str]:
        """Return the arguments of a process, none if they do not come in time."""
        if not self._looks.acquire(blocking=False):
            return []
        found: list[str] = []

        def look() -> None:
            try:
                found.extend(_read(Path(f"/proc/{pid}/cmdline")).split("\0"))
            finally:
                self._looks.release()

        return _within(PATIENCE, look, found)


def _within(seconds: float, look: Callable[[], None], found: Iterable[str]) -> list[str]:
    thread = threading.Thread(target=look, name="tagfs-look", daemon=True)
    thread.start()
    thread.join(seconds)
    return [] if thread.is_alive() else list(found)


def _program(arguments: list[str]) -> str:
    """Return which program of many `coreutils ARGUMENT...` is."""
    return arguments[1] if len(arguments) > 1 else ""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
