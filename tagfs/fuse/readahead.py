"""How far the kernel reads ahead on a mount: one number in sysfs, which root may raise."""

import contextlib
import os
import threading
from pathlib import Path

from tagfs.fuse.mountinfo import device_of, read_mountinfo

SYSFS = Path("/sys/class/bdi")


def raise_soon(mountpoint: Path, size: int) -> None:
    """Let the kernel read `size` bytes at once, as soon as the mount answers.

    It asks for 128 KiB otherwise, however much it may ask for. Does nothing where that is not
    allowed (a normal user, a container's read-only sysfs): reads are then smaller, no less right.
    """
    threading.Thread(
        target=_raise, args=(mountpoint, size // 1024), name="tagfs-readahead", daemon=True
    ).start()


def _raise(mountpoint: Path, kib: int) -> None:
    with contextlib.suppress(OSError):
        os.statvfs(mountpoint)  # waits until the kernel is connected, and has set its own number
        # Not by stat(2): that of the disk below, if it was unmounted meanwhile.
        device = device_of(os.path.realpath(mountpoint), read_mountinfo())
        if device is not None:
            (SYSFS / device / "read_ahead_kb").write_text(str(kib), encoding="ascii")
