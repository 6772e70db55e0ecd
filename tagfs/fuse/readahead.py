"""How far the kernel reads ahead on a mount: one number in sysfs, which root may raise."""

import contextlib
import os
import threading
from pathlib import Path

from tagfs.fuse.mountinfo import device_of, read_mountinfo

SYSFS = Path("/sys/class/bdi")


class Readahead:
    """Lets the kernel read more at once, from the first file on that is opened.

    It asks for 128 KiB otherwise, however much it may ask for, and sets its own number while it
    connects. Nothing is done where that is not allowed (a normal user, a container's read-only
    sysfs): reads are then smaller, no less right. The mount itself is never looked at from here:
    for that moment it could not be unmounted.
    """

    def __init__(self, mountpoint: Path, size: int) -> None:
        """`size`: bytes to read at once. Made before it is mounted."""
        self._path = os.path.realpath(mountpoint)
        self._kib = size // 1024
        self._begun = False

    def on_open(self) -> None:
        """Raise the number in a moment, if it was not done before."""
        if not self._begun:
            self._begun = True
            with contextlib.suppress(RuntimeError):  # the host gives no thread
                threading.Thread(target=self._raise, name="tagfs-readahead", daemon=True).start()

    def _raise(self) -> None:
        with contextlib.suppress(OSError):
            device = device_of(self._path, read_mountinfo())
            if device is not None:
                number = SYSFS / device / "read_ahead_kb"
                number.write_text(str(self._kib), encoding="ascii")
