"""`mount -o remount` of a mount that runs: what the kernel alone does of it, and nothing else.

Read only, programs, and times of access are flags that the kernel keeps for a mount; everything
else was decided when its process started. `nosuid` and `nodev` can be added, never taken away.
"""

import ctypes
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tagfs.errors import SettingsError
from tagfs.host.mount_table import ask_read_only, present_mounts

_MS_REMOUNT: Final = 32

FLAGS: Final[Mapping[str, int]] = {
    "ro": 1,
    "nosuid": 2,
    "nodev": 4,
    "noexec": 8,
    "noatime": 1024,
    "nodiratime": 2048,
    "relatime": 1 << 21,
    "strictatime": 1 << 24,
}
"""The kernel's flags of a mount (MS_* of mount(2)) by the words of its mount table."""

_OPPOSITES: Final[Mapping[str, frozenset[str]]] = {
    "rw": frozenset({"ro"}),
    "exec": frozenset({"noexec"}),
    "atime": frozenset({"noatime"}),
    "diratime": frozenset({"nodiratime"}),
    "norelatime": frozenset({"relatime"}),
    "nostrictatime": frozenset({"strictatime"}),
    "noatime": frozenset({"relatime", "strictatime"}),
    "relatime": frozenset({"noatime", "strictatime"}),
    "strictatime": frozenset({"noatime", "relatime"}),
}
"""Which flags a word takes away."""

OF_TABLE: Final = frozenset({"user_id", "group_id", "rootmode", "fd"})
"""What mount(8) takes from the mount table, where fstab has no line, and hands on."""

_UNCHANGED: Final = frozenset(
    {"remount", "suid", "dev", "allow_other", "default_permissions", "max_read", "blksize"}
)


def new_flags(present: Collection[str], words: Iterable[str]) -> set[str]:
    """Return the flags of a mount that has `present` and is to be mounted anew with `words`.

    Of several words on one matter the last holds, as with mount(8).
    """
    flags = {name for name in present if name in FLAGS}
    for word in words:
        flags -= _OPPOSITES.get(word, frozenset())
        if word in FLAGS:
            flags.add(word)
    return flags


def left_alone(words: Iterable[str]) -> list[str]:
    """Return those of the words that a remount changes nothing of, without what is always there."""
    known = {*FLAGS, *_OPPOSITES, *OF_TABLE, *_UNCHANGED}
    return [word for word in words if word not in known and not word.startswith("x-")]


def remount(source: str, mountpoint: Path, words: Sequence[str]) -> None:
    """Change the flags of a mount of `source`.

    Raises:
        SettingsError: nothing of it is mounted there, it began read only, or the kernel refuses.
    """
    path = os.path.realpath(mountpoint)
    at_place = [mount for mount in present_mounts() if mount.path == path]
    if not at_place or at_place[-1].source != source:
        raise SettingsError(f"{mountpoint} is no mount of {source}: remount changes one that runs")
    flags = new_flags(at_place[-1].flags, words)
    if "ro" not in flags and ask_read_only(at_place[-1]):
        raise SettingsError(f"{mountpoint} was mounted read only: unmount it and mount it again")
    library = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_ulong(sum(FLAGS[name] for name in flags) | _MS_REMOUNT)
    if library.mount(source.encode(), os.fsencode(path), b"fuse.tagfs", number, None) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise SettingsError(f"{mountpoint} cannot be mounted anew: {reason}")
