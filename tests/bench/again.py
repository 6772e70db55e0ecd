"""Rows about what is remembered: of a second look, a second mount, and content that stays there."""

import os
import time

from tests.bench.service import Fill
from tests.bench.workload import TAGS, Place, Sizes, Workload, sh
from tests.debian13 import debian13
from tests.emulated import CannotRun

MIB = 2**20


def _read(place: Place) -> None:
    sh("dd if={} of=/dev/null bs=1M", place.point / "large")


def _read_again(place: Place) -> float:
    """Read a large file twice, the second time without the kernel's pages; time that."""
    _read(place)
    fd = os.open(place.point / "large", os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    began = time.monotonic()
    _read(place)
    return time.monotonic() - began


def _list(place: Place) -> None:
    sh("ls -l {}", place.point / "small")


def _list_by_debian13(place: Place) -> float:
    """Run the newer ls of Debian 13; the start of its tree does not count."""
    script = "a=$(date +%s%N); ls -l small >/dev/null && b=$(date +%s%N) && echo $((b - a))"
    try:
        done = debian13().run("sh", "-c", script, at=place.point)
    except CannotRun as error:
        raise OSError(str(error)) from None
    if done.returncode:
        raise OSError(f"ls of Debian 13: {done.stderr.strip()[:200]}")
    return int(done.stdout) / 1e9


def again(sizes: Sizes) -> list[Workload]:
    """Return the rows, titles telling the sizes."""
    mib, small = sizes.large // MIB, f"{sizes.small:,}"
    large = (Fill(f"large:1:{sizes.large}", TAGS),)
    return [
        Workload("read-again", f"second read of {mib} MiB, the kernel's pages gone", _read_again,
                 extras=("cached", "rclone-full")),
        Workload("read-anew", f"read of {mib} MiB that an earlier mount has read", _read,
                 before=_read, extras=("cached", "rclone-full")),
        Workload("cp-inside", f"cp of {mib} MiB inside the mount",
                 lambda p: sh("cp {} {}", p.point / "large", p.point / "copy"), large,
                 done=lambda _b, now: "copy" in now and now["copy"].size == sizes.large,
                 extras=("fuse2", "oss")),
        Workload("ls-l-anew", f"ls -l of {small} that an earlier mount has seen", _list,
                 before=_list, metadata=True, extras=("listing", "oss")),
        Workload("ls-l-debian13", f"ls -l of {small} by Debian 13's ls", _list_by_debian13,
                 metadata=True, extras=("listing", "oss")),
    ]  # fmt: skip
