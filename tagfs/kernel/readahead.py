"""How far the kernel reads ahead on a mount: one number in sysfs, which root may raise."""

import contextlib
import os
import threading
from pathlib import Path

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
        device = _device(mountpoint)
        if device is not None:
            (SYSFS / device / "read_ahead_kb").write_text(str(kib), encoding="ascii")


def _device(mountpoint: Path) -> str | None:
    """Return "major:minor" of the FUSE mount on top of `mountpoint`, as mountinfo tells it.

    Not by stat(2), which would tell that of the disk below if it was unmounted meanwhile.
    """
    wanted = os.path.realpath(mountpoint)
    found = None
    for line in (
        Path("/proc/self/mountinfo")
        .read_text(encoding="utf-8", errors="surrogateescape")
        .splitlines()
    ):
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if _unescaped(fields[4]) == wanted:
            found = fields[2] if after.startswith("fuse") else None
    return found


def _unescaped(text: str) -> str:
    """Undo mountinfo's escapes of space, tab, newline and backslash."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
