"""`mount -o remount` of a mount that runs: the kernel's flags of it, and options of its process.

Read only, programs, and times of access are flags that the kernel keeps for a mount. `nosuid` and
`nodev` can be added, never taken away. Some options (`REMOUNTABLE`) are the process's, which is
asked to change them. All others were decided when it started.
"""

import ctypes
import errno
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from tagfs.config.fuse_options import IGNORED
from tagfs.config.options import DANGEROUS, REMOUNTABLE, SOURCES, TABLE
from tagfs.config.settings import Settings, chosen_options
from tagfs.errors import SettingsError
from tagfs.fs.mapping.xattr_names import REMOUNT
from tagfs.host.mount_table import Mount, ask_status, present_mounts

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

_ALWAYS_THERE: Final = frozenset({"remount", "suid", "dev", "max_read", "blksize"})
"""Words that mount(8), mount.fuse(8) or the kernel add, and nobody chose."""


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


def decided_before(words: Iterable[str]) -> list[str]:
    """Return those of the words that a remount cannot change."""
    other = {*FLAGS, *_OPPOSITES, *OF_TABLE, *_ALWAYS_THERE, *IGNORED, *REMOUNTABLE}
    return [word for word in words if word not in other and not word.startswith(("x-", "X-"))]


def remount(chosen: Settings, mountpoint: Path, words: Collection[str]) -> list[str]:
    """Change a mount to what is chosen by `words`, all of it or nothing; return what it keeps.

    That is what the mount does not tell, so that nobody knows whether it was to change.

    Raises:
        SettingsError: no such mount is there, something cannot be changed, or by this user.
    """
    mount = _mounted(str(chosen.url), mountpoint)
    status = ask_status(mount)
    kept = _kept(chosen, words, status.get("options"))
    flags = new_flags(mount.flags, words)
    if "ro" not in flags and status.get("read_only") is True:
        raise SettingsError(f"{mountpoint} was mounted read only: unmount it and mount it again")
    before = new_flags(mount.flags, ())
    if flags != before:
        _set_flags(mount, flags)
    try:
        _set_options(mount, chosen, sorted(REMOUNTABLE.intersection(words)))
    except SettingsError:
        if flags != before:
            _set_flags(mount, before)
        raise
    return kept


def _mounted(source: str, mountpoint: Path) -> Mount:
    path = os.path.realpath(mountpoint)
    at_place = [mount for mount in present_mounts() if mount.path == path]
    if not at_place or at_place[-1].source != source:
        raise SettingsError(f"{mountpoint} is no mount of {source}: remount changes one that runs")
    return at_place[-1]


def _kept(chosen: Settings, words: Collection[str], running: Mapping[str, str] | None) -> list[str]:
    """Compare what cannot change, as a line of fstab has it, with what the mount runs with."""
    wanted, fixed = chosen_options(chosen), decided_before(words)
    if running is None:
        return fixed
    untold = [name for name in fixed if name in SOURCES or (name in TABLE and TABLE[name].secret)]
    others = []
    for word in fixed:
        name = DANGEROUS.get(word, word)
        if word not in untold and wanted.get(name) != running.get(name):
            others.append(f"{word} (it is {running.get(name, 'not chosen')})")
    if others:
        raise SettingsError(
            f"no remount changes {', '.join(others)}: unmount and mount again; nothing was changed"
        )
    return untold


def _set_flags(mount: Mount, flags: Collection[str]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_ulong(sum(FLAGS[name] for name in flags) | _MS_REMOUNT)
    path = os.fsencode(mount.path)
    if library.mount(mount.source.encode(), path, b"fuse.tagfs", number, None) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise SettingsError(f"{mount.path} cannot be mounted anew: {reason}")


def _set_options(mount: Mount, chosen: Settings, names: Collection[str]) -> None:
    if not names:
        return
    options = ",".join(f"{name}={getattr(chosen, name)}" for name in names)
    try:
        os.getxattr(mount.path, REMOUNT + options)
    except OSError as error:
        reasons = {
            errno.EACCES: "it is another user's, who alone can change this",
            errno.EPERM: "only root and who mounted it can change this",
            errno.EOPNOTSUPP: "a tagfs that is older serves it",
        }
        reason = reasons.get(error.errno or 0, os.strerror(error.errno or 0))
        raise SettingsError(f"{mount.path}: {', '.join(names)}: {reason}") from None
