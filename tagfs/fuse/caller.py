"""The process whose call is being served: who it is, and what /proc tells of it.

All that may take that process's locks is looked up by `Lookers`, and "unknown" is an answer.

Nothing here asks the kernel about a file of our own mount: stat(2) through a link of /proc/PID/fd
would come back as a callback. Links are read, never followed.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from tagfs.fuse.binding import Binding
from tagfs.fuse.lookers import Lookers
from tagfs.fuse.mountinfo import MountPoint, device_of, parse_mountinfo

EXEC_LOOKERS = 8
"""Threads that find out who is within execve(2): of their own, for each is held by one that is."""

_RENAMES = {"x86_64": {82, 264, 316}, "aarch64": {38, 276}, "riscv64": {276}}
"""Numbers of rename, renameat and renameat2."""

_MKDIRS = {"x86_64": {83, 258}, "aarch64": {34}, "riscv64": {34}}
"""Numbers of mkdir and mkdirat."""

_UNLINKS = {"x86_64": {87, 263}, "aarch64": {35}, "riscv64": {35}}
"""Numbers of unlink and unlinkat."""


class Caller:
    """The process whose call is being served. Thread-safe."""

    def __init__(
        self,
        binding: Binding,
        mountpoint: Path,
        lookers: Lookers,
        proc: Path = Path("/proc"),
    ) -> None:
        """Made before it is mounted: to resolve the path later would be a call to ourselves."""
        self._context = binding.context
        self._mountpoint = os.path.realpath(mountpoint)
        self._lookers = lookers
        self._exec_lookers = Lookers(EXEC_LOOKERS)
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
        self._device = device_of(
            self._mountpoint, parse_mountinfo(_read(f"{self._proc}/self/mountinfo"))
        )

    def is_rename(self) -> bool | None:
        """Say whether it is in rename(2) or unlink(2); None if nothing tells.

        libfuse moves an open file out of the way by one and the same call before it is unlinked
        and before another is renamed over it.
        """
        number = self._system_call()
        # Neither of the two: io_uring, or a program of another architecture with other numbers.
        machine = os.uname().machine
        if number in _RENAMES.get(machine, ()):
            return True
        return False if number in _UNLINKS.get(machine, ()) else None

    def is_mkdir(self) -> bool:
        """Say whether it is in mkdir(2); False if nothing tells."""
        return self._system_call() in _MKDIRS.get(os.uname().machine, ())

    def _system_call(self) -> int | None:
        pid = self.pid()
        if pid is None:
            return None
        number = self._lookers.ask(lambda: _read_syscall(f"{self._proc}/{pid}").split()[0])
        return int(number) if number is not None and number.isdigit() else None

    def holds(self, path: str) -> bool:
        """Say whether it has `path` of this mount still open; False if that is not known.

        A shell's `> file` opens it, duplicates the descriptor and closes the first one, all before
        a byte is written. That close is not the end of the file, and only /proc tells.
        """
        pid, device = self.pid(), self._device
        if pid is None or device is None:
            return False
        look = _Descriptors(f"{self._proc}/{pid}", f"{self._proc}/self", device)
        return bool(self._lookers.ask(lambda: path in look.paths()))

    def is_exec(self) -> bool:
        """Say whether it is within execve(2), which closes descriptors; False if not known.

        Its /proc then waits for that call to end, and so does every `ps` of the host.
        """
        pid = self.pid()
        if pid is None:
            return False
        return self._exec_lookers.stalls(lambda: _read_syscall(f"{self._proc}/{pid}"))

    def pid(self) -> int | None:
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


def _read_syscall(process: str) -> bytes:
    """Return which system call a process is in; asked for at every close(2), so by three calls."""
    fd = os.open(f"{process}/syscall", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 256)  # a line of nine numbers
    finally:
        os.close(fd)


def _read_link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
