"""What keeps this host from mounting, found before the mount begins."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagfs.config.fuse_options import SELINUX
from tagfs.errors import SettingsError


def check_host(options: Mapping[str, Any]) -> None:
    """Raise what keeps this host from mounting with these options of libfuse.

    Raises:
        SettingsError: no /dev/fuse, no right to open it, or none to do what is for root alone; a
            label of SELinux where there is none.
    """
    device = Path("/dev/fuse")
    if not device.exists():
        raise SettingsError("/dev/fuse is missing: load the kernel module (modprobe fuse)")
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise SettingsError(f"/dev/fuse cannot be opened: {error.strerror}") from None
    for name in ("allow_other", "allow_root"):
        if options.get(name) and os.getuid() != 0 and not may_allow_other():
            raise SettingsError(
                f"{name} is for root, unless {FUSE_CONF} has a line 'user_allow_other'"
            )
    for name in ("suid", "dev"):
        if options.get(name) and os.getuid() != 0:
            raise SettingsError(f"allow_{name} is for root alone")
    labels = [name for name in SELINUX if options.get(name)]
    if labels and not runs_selinux():
        raise SettingsError(
            f"{labels[0]} is a label of SELinux, which this kernel does not run: leave it out, as"
            " mount(8) does there"
        )


FILE_SYSTEMS = Path("/proc/filesystems")


def runs_selinux() -> bool:
    """Say whether the kernel runs SELinux; where nothing tells, that it may."""
    try:
        return "\tselinuxfs\n" in FILE_SYSTEMS.read_text(encoding="ascii")
    except OSError:
        return True


FUSE_CONF = Path("/etc/fuse.conf")


def may_allow_other() -> bool:
    """Say whether fusermount lets normal users admit others to their mounts."""
    try:
        text = FUSE_CONF.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(line.strip() == "user_allow_other" for line in text.splitlines())
