"""Mountpoints: is a directory fit to be one, and taking a mount off it."""

import errno
import logging
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tagfs.errors import SettingsError
from tagfs.fuse.mountinfo import read_mountinfo
from tagfs.host.holders import describe, find_holders

log = logging.getLogger(__name__)


def check_mountpoint(path: Path, *, nonempty: bool = False) -> Path:
    """Return the absolute path of a directory that something can be mounted on.

    A mount whose server died ("Transport endpoint is not connected") is taken off first.

    Raises:
        SettingsError: missing, no directory, in use, or not empty.
    """
    path = path.absolute()
    if is_stale(path):
        log.warning("%s is a mount whose server died; it is taken off", path)
        unmount(path, lazy=True)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        missing = error.errno == errno.ENOENT
        hint = "does not exist: make the directory first" if missing else f": {error.strerror}"
        raise SettingsError(f"{path} {hint}") from None
    if not stat.S_ISDIR(mode):
        raise SettingsError(f"{path} is not a directory")
    if os.path.ismount(path):
        raise SettingsError(f"{path} is a mountpoint already: see `tagfs umount {path}`")
    if not nonempty and any(path.iterdir()):
        raise SettingsError(f"{path} is not empty: choose another, or add -o nonempty")
    return path


def check_apart(mountpoint: Path, files: Mapping[str, Path | None]) -> None:
    """See that nothing that the mount itself reads and writes lies where it will be.

    Each use of it would be a call to ourselves, made while another one is answered. `files` by the
    options that name them.

    Raises:
        SettingsError
    """
    point = Path(os.path.realpath(mountpoint))
    for option, path in files.items():
        if path is not None and Path(os.path.realpath(path)).is_relative_to(point):
            raise SettingsError(
                f"{option} {path} would be in the mount itself: choose another with -o {option}="
            )


def is_stale(path: Path) -> bool:
    """Say whether a mount is there whose server has died.

    By statvfs(3), because the kernel answers stat(2) from its cache for a moment.
    """
    try:
        os.statvfs(path)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def unmount(path: Path, *, lazy: bool = False) -> None:
    """Take a FUSE mount off a directory.

    Raises:
        SettingsError: nothing is mounted there, or it is in use.
    """
    path = path.absolute()
    commands = [[tool, "-u"] + ["-z"] * lazy for tool in ("fusermount3", "fusermount")]
    if os.getuid() == 0:
        commands.insert(0, ["umount"] + ["-l"] * lazy)
    for command in commands:
        tool = shutil.which(command[0])
        if tool is None:
            continue
        done = subprocess.run(  # noqa: S603  (no shell, and the path is one argument)
            [tool, *command[1:], "--", str(path)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode == 0:
            return
        raise SettingsError(_reason(path, done.stderr or done.stdout))
    raise SettingsError("neither fusermount3 nor umount is there: apt install fuse3")


def _reason(path: Path, said: str) -> str:
    """Return why a mount could not be taken off, from what the host's command said."""
    lines = said.strip().splitlines()
    text = lines[-1] if lines else f"{path} could not be unmounted"
    if "busy" in text:
        point = os.path.realpath(path)
        inside = [mount.path for mount in read_mountinfo() if mount.path.startswith(f"{point}/")]
        return describe(str(path), find_holders(point), inside)
    if re.search("not mounted|not found in|no mount point", text):
        return f"nothing is mounted on {path}: see `tagfs status`"
    return text
