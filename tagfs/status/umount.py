"""`tagfs umount`: takes a mount off, and waits until its server has finished uploading."""

import contextlib
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tagfs.errors import TagfsError
from tagfs.host.mount_table import present_mounts
from tagfs.host.mountpoint import is_stale, unmount
from tagfs.status.query import ask

_AT_ONCE: Final = 1.0
"""Seconds after which the reason for the wait is printed."""


def unmount_all(path: Path, *, lazy: bool, stale: bool, say: Callable[[str], None]) -> None:
    """Unmount; unless `lazy`, return when the server's process has ended.

    With `stale`, only a mount whose server is dead is taken off, and anything else is left alone.

    Raises:
        SettingsError: nothing is mounted there, or it is in use.
        TagfsError: it is off, but not everything was uploaded.
    """
    path = path.absolute()
    if stale:
        if is_stale(path):
            unmount(path, lazy=True)
        return
    answer = _status(path)
    unmount(path, lazy=lazy or is_stale(path))
    pid, staging = answer.get("pid"), answer.get("staging")
    if lazy or not isinstance(pid, int):
        return
    _wait_for(pid, say)
    if isinstance(staging, str) and Path(staging).exists():
        raise TagfsError(
            f"{path} is unmounted, but {staging} holds what could not be uploaded: run"
            f" `tagfs recover {answer.get('cache_dir')}`"
        )


def _status(path: Path) -> dict[str, Any]:
    """Return what the mount says of itself; nothing if it is none, is dead or does not answer."""
    found = [mount for mount in present_mounts() if mount.path == str(path)]
    return ask(found[-1]).status if found else {}


def _wait_for(pid: int, say: Callable[[str], None]) -> None:
    """Wait for a process that need not be a child; its number may be another's already."""
    with contextlib.suppress(OSError):
        if b"tagfs" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return
        descriptor = os.pidfd_open(pid)
        try:
            if not select.select([descriptor], [], [], _AT_ONCE)[0]:
                say(f"unmounted; waiting for its server (pid {pid}) to finish uploads")
                select.select([descriptor], [], [])
        finally:
            os.close(descriptor)
