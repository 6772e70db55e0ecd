"""Who keeps a mount busy, as far as this process may see.

Only links of /proc are read, and names of processes. The kernel answers these without a call of the
file system and without the lock of a process's memory, which one that waits for a mount may hold:
nothing here can wait for anything. So what a process has mapped and closed is not found.
"""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PATIENCE: Final = 2.0
"""Seconds of looking: hosts have many processes, and a user waits."""

_SHOWN: Final = 5
"""Holders that are named."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process, and what it has of a mount."""

    pid: int
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}) {self.what}"


def find_holders(mountpoint: str, proc: Path = Path("/proc")) -> Iterator[Holder]:
    """Yield the processes that work in a mount, run from it or have a file of it open."""
    until = time.monotonic() + _PATIENCE
    for process in (entry for entry in proc.iterdir() if entry.name.isdecimal()):
        if time.monotonic() > until:
            return
        found = _use(process, mountpoint)
        if found and int(process.name) != os.getpid():
            yield Holder(int(process.name), _name(process), found)


def describe(mountpoint: str, holders: Iterable[Holder], mounts_below: Iterable[str]) -> str:
    """Return who keeps a mount busy, in words."""
    known = [f"{below} is mounted in it" for below in mounts_below]
    known += [str(holder) for holder in holders]
    shown = known[:_SHOWN]
    if len(known) > _SHOWN:
        shown.append(f"{len(known) - _SHOWN} more")
    return (
        f"{mountpoint} is in use"
        + (f": {'; '.join(shown)}" if shown else " by a process that cannot be seen from here")
        + f": end that first, or detach it now: tagfs umount --lazy {mountpoint}"
    )


def _use(process: Path, mountpoint: str) -> str:
    for name, words in (("cwd", "works in"), ("exe", "runs"), ("root", "has as its root")):
        target = _target(process / name)
        if _is_below(target, mountpoint):
            return f"{words} {target}"
    try:
        links = list((process / "fd").iterdir())
    except OSError:
        return ""
    for link in links:
        target = _target(link)
        if _is_below(target, mountpoint):
            return f"has {target} open"
    return ""


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115  (what it says, never what is there)
    except OSError:
        return ""


def _is_below(path: str, mountpoint: str) -> bool:
    return path == mountpoint or path.startswith(mountpoint.rstrip("/") + "/")


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "?"
