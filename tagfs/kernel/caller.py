"""The process whose call is being served: who it is, and what /proc tells of it.

No callback may wait for /proc of its caller. A descriptor that is close-on-exec is closed within
execve(2), whose task then holds its exec_update_lock until FUSE's FLUSH is answered; and reading
/proc/PID/fd, fdinfo, syscall, stat or cmdline of a task takes that same lock. A callback that
waited for it would never answer: neither the program nor tagfs nor any `ps` of the host would go
on. So a thread of its own looks, and the callback waits for milliseconds. No answer in that time
is an answer as well, "unknown", and whoever asks has a safe way to go on without knowing. The
thread ends its look by itself as soon as the call is answered.

For the same reason nothing here asks the kernel about a file of our own mount: stat(2) through a
link of /proc/PID/fd would come back as a callback. Links are read, never followed.
"""

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tagfs.kernel.binding import Binding
from tagfs.kernel.mountinfo import MountPoint, device_of, parse_mountinfo

T = TypeVar("T")

PATIENCE = 0.05
"""Seconds that a callback waits for a look at its caller; it takes 0.1 ms."""

LOOKERS = 4
"""Threads that look, and so callers within execve(2) that may hold one each. While they do, no
other look is made: unknown."""

_RENAMES = {"x86_64": {82, 264, 316}, "aarch64": {38, 276}, "riscv64": {276}}
"""Numbers of rename, renameat and renameat2."""

_UNLINKS = {"x86_64": {87, 263}, "aarch64": {35}, "riscv64": {35}}
"""Numbers of unlink and unlinkat."""


class Lookers:
    """A few threads that do what may take for ever, for those who cannot wait. Thread-safe.

    They are daemons: the process may end while one of them waits for the kernel.
    """

    def __init__(self, threads: int = LOOKERS, patience: float = PATIENCE) -> None:
        self._threads = threads
        self._patience = patience
        self._lock = threading.Lock()
        self._started = 0
        self._busy = 0
        self._looks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def ask(self, look: Callable[[], T]) -> T | None:
        """Return what `look` does; None if it fails, takes too long, or no thread is free."""
        if not self._reserve():
            return None
        answers: list[T] = []
        over, given_up = threading.Event(), threading.Event()

        def run() -> None:
            if not given_up.is_set():
                with contextlib.suppress(Exception):  # an unreadable /proc tells nothing
                    answers.append(look())
            with self._lock:
                self._busy -= 1
            over.set()

        self._looks.put(run)
        if over.wait(self._patience):
            return answers[0] if answers else None
        given_up.set()
        return None

    def _reserve(self) -> bool:
        """Make sure that a thread is there for one look more."""
        with self._lock:
            if self._busy == self._threads:
                return False
            if self._started == self._busy:
                try:
                    threading.Thread(target=self._serve, name="tagfs-looker", daemon=True).start()
                except RuntimeError:  # the host gives no thread
                    return False
                self._started += 1
            self._busy += 1
            return True

    def _serve(self) -> None:
        while True:
            self._looks.get()()


class Caller:
    """The process whose call is being served. Thread-safe."""

    def __init__(
        self,
        binding: Binding,
        mountpoint: Path,
        lookers: Lookers | None = None,
        proc: Path = Path("/proc"),
    ) -> None:
        """Made before it is mounted: to resolve the path later would be a call to ourselves."""
        self._context = binding.context
        self._mountpoint = os.path.realpath(mountpoint)
        self._lookers = lookers or Lookers()
        self._proc = proc
        self._device: str | None = None
        # In a PID namespace whose /proc is another one's, its numbers are other processes'.
        self._trusts_numbers = _read_link(f"{proc}/self") == str(os.getpid())

    def __call__(self) -> tuple[int, int]:
        """Return its uid and gid."""
        uid, gid, _pid = self._context()
        return uid, gid

    def mounted(self) -> None:
        """Learn which file system is ours; called when the kernel has begun to ask."""
        self._device = device_of(self._mountpoint, _read(f"{self._proc}/self/mountinfo"))

    def renames(self) -> bool | None:
        """Say whether it is in rename(2) or unlink(2); None if nothing tells.

        libfuse moves an open file out of the way by one and the same call before it is unlinked
        and before another is renamed over it.
        """
        pid = self._pid()
        if pid is None:
            return None
        number = self._lookers.ask(lambda: _read(f"{self._proc}/{pid}/syscall").split()[0])
        if number is None or not number.isdigit():
            return None
        # Neither of the two: io_uring, or a program of another architecture with other numbers.
        machine = os.uname().machine
        if int(number) in _RENAMES.get(machine, ()):
            return True
        return False if int(number) in _UNLINKS.get(machine, ()) else None

    def holds(self, path: str) -> bool:
        """Say whether it has `path` of this mount still open; False if that is not known.

        A shell's `> file` opens it, duplicates the descriptor and closes the first one, all before
        a byte is written. That close is not the end of the file, and only /proc tells.
        """
        pid, device = self._pid(), self._device
        if pid is None or device is None:
            return False
        look = _Descriptors(f"{self._proc}/{pid}", f"{self._proc}/self", device)
        return bool(self._lookers.ask(lambda: path in look.paths()))

    def _pid(self) -> int | None:
        """Return its number in our PID namespace; None if it has none there, or that is of no use.

        It is the calling thread's, which /proc takes as well.
        """
        _uid, _gid, pid = self._context()
        return pid if pid > 0 and self._trusts_numbers else None


class _Descriptors:
    """What a process has open of one file system, as paths in that file system.

    A descriptor's link shows the path by which it was opened: through a bind mount, or from the
    root of another mount namespace. Its `mnt_id` names the mount, and the mount table what of the
    file system that mount shows, and where.
    """

    def __init__(self, process: str, own: str, device: str) -> None:
        self._process = process
        self._own = own
        self._device = device
        self._ours: dict[int, MountPoint] | None = None
        self._theirs: dict[int, MountPoint] | None = None

    def paths(self) -> Iterator[str]:
        for fd in Path(self._process, "fd").iterdir():
            target = _read_link(str(fd))
            if not target.startswith("/"):  # a pipe, a socket, or closed meanwhile
                continue
            mount = self._mount(_mount_number(f"{self._process}/fdinfo/{fd.name}"))
            if mount is not None and mount.device == self._device:
                path = mount.inside(target)
                if path is not None:
                    yield path

    def _mount(self, number: int) -> MountPoint | None:
        """Return a mount as links are shown to us: from our root, or from another namespace's."""
        if self._ours is None:
            self._ours = _table(self._own)
        found = self._ours.get(number)
        if found is None:
            if self._theirs is None:
                self._theirs = _table(self._process, _read_link(f"{self._process}/root"))
            found = self._theirs.get(number)
        return found


def _table(process: str, root: str = "/") -> dict[int, MountPoint]:
    """Return the mounts that a process sees, by number; the table is relative to its `root`."""
    mounts = parse_mountinfo(_read(f"{process}/mountinfo"))
    above = root.rstrip("/")
    return {
        mount.number: MountPoint(
            mount.number,
            mount.device,
            mount.root,
            (above + mount.path).rstrip("/") or "/",
            mount.kind,
        )
        for mount in mounts
    }


def _mount_number(fdinfo: str) -> int:
    try:
        lines = _read(fdinfo).splitlines()
    except OSError:  # closed meanwhile
        return -1
    return next((int(line[7:]) for line in lines if line.startswith("mnt_id:")), -1)


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="surrogateescape")


def _read_link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
