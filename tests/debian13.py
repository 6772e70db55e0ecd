"""Debian 13 beside the host's own system: its tools, with a mount bound into its tree.

Built by debootstrap where that can run. What was built is kept for other runs in CACHE, where it is
made anew after a month, or when other packages are asked for; nothing else is left of it.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.emulated import CannotRun

PACKAGES = ("attr", "rsync", "rust-coreutils")
SUITE = "trixie"
CACHE = Path("/var/tmp/tagfs-tests")
MAX_AGE = 30 * 24 * 3600.0
"""Seconds after which a tree is made anew."""

WITHOUT_FUSE = """
    while read -r _ at kind _; do
        case $kind in fuse*) umount -l "$at" || : ;; esac
    done < /proc/self/mounts
    exec "$@"
"""
"""Lets go of the copies of other tests' mounts in a namespace that lasts: they could not end."""

UUTILS = "/usr/lib/cargo/bin/coreutils"
"""Where rust-coreutils has its programs under the names that everybody knows."""


class Debian13:
    """A root directory of Debian 13."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def run(self, *command: str, at: Path) -> subprocess.CompletedProcess[str]:
        """Run a program there, in the directory /mnt, which is `at` of this host."""
        script = (
            'mount --bind "$1" "$2/mnt" && mount -t tmpfs none "$2/tmp" && root=$2 && shift 2 && '
            'exec chroot "$root" sh -c \'cd /mnt && exec "$@"\' - "$@"'
        )
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "-", str(at), str(self._root), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def debian13() -> Debian13:
    """Return the tree, built if need be.

    Raises:
        CannotRun: it cannot be built here.
    """
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        raise CannotRun("Debian 13 needs root and debootstrap")
    CACHE.mkdir(mode=0o700, exist_ok=True)
    if CACHE.stat().st_uid != 0 or CACHE.is_symlink():
        raise CannotRun(f"{CACHE} is somebody else's")
    digest = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    root = CACHE / f"{SUITE}-{digest}"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists() or time.time() - root.stat().st_mtime > MAX_AGE:
            _build(root)
    return Debian13(root)


def _build(root: Path) -> None:
    """Make the tree under another name, which it loses when it is whole."""
    for old in CACHE.glob(f"{SUITE}-*"):
        shutil.rmtree(old)
    part = root.with_suffix(".part")
    names = ",".join(PACKAGES)
    # In a mount namespace of its own, so that nothing stays mounted whatever happens.
    command = ["unshare", "-m", "sh", "-c", WITHOUT_FUSE, "-"]
    command += ["debootstrap", "--variant=minbase", f"--include={names}"]
    try:
        done = subprocess.run(
            [*command, SUITE, str(part)], capture_output=True, text=True, check=False, timeout=280
        )
    except subprocess.TimeoutExpired:
        raise CannotRun("debootstrap takes too long") from None
    if done.returncode != 0:
        with contextlib.suppress(OSError):
            shutil.rmtree(part)
        raise CannotRun(f"debootstrap: {done.stdout[-300:]}{done.stderr[-300:]}")
    (part / "mnt").mkdir(exist_ok=True)
    os.utime(part)
    part.rename(root)
