"""The kernel's mount table: /proc/PID/mountinfo, as proc_pid_mountinfo(5) has it."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TABLE: Final = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class MountPoint:
    """One line: a file system, or a part of it, at one place.

    Attributes:
        number: of this mount; no other one on the host has it, in whatever namespace.
        device: "major:minor" of the file system; a bind mount has that of what it shows.
        root: what is shown of the file system, as a path in it; "/" is all of it.
        path: where.
        kind: the file system's type, such as "fuse.tagfs".
        source: what the file system says that it shows.
        flags: the kernel's, such as "ro" and "nosuid".
    """

    number: int
    device: str
    root: str
    path: str
    kind: str
    source: str = ""
    flags: frozenset[str] = field(default=frozenset(), compare=False)

    def inside(self, path: str) -> str | None:
        """Return what a path of the host is in the file system; None if it is not on this mount."""
        point = self.path.rstrip("/")
        if path != self.path and not path.startswith(point + "/"):
            return None
        return (self.root.rstrip("/") + path[len(point) :]).rstrip("/") or "/"


def parse_mountinfo(text: str) -> Iterator[MountPoint]:
    """Yield the mounts of a table, the uppermost of a place last."""
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        if dash:
            number, _parent, device, root, path, flags, *_optional = before.split(" ")
            kind, source, *_ = [*after.split(" "), ""]
            yield MountPoint(
                int(number),
                device,
                _unescaped(root),
                _unescaped(path),
                kind,
                _unescaped(source),
                frozenset(flags.split(",")),
            )


def read_mountinfo() -> Iterator[MountPoint]:
    """Yield the mounts that this process sees."""
    return parse_mountinfo(os.fsdecode(TABLE.read_bytes()))


def device_of(mountpoint: str, table: Iterable[MountPoint]) -> str | None:
    """Return the device of the FUSE file system that is on top of a place; None: there is none."""
    on_top = None
    for mount in table:
        if mount.path == mountpoint:
            on_top = mount
    return on_top.device if on_top is not None and on_top.kind.startswith("fuse") else None


def _unescaped(text: str) -> str:
    """Undo the escapes of space, tab, newline and backslash."""
    if "\\" not in text:
        return text
    raw = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), os.fsencode(text))
    return os.fsdecode(raw)
