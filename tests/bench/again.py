"""Rows about what is remembered: of a second look, a second mount, and content that stays there."""

import os
from pathlib import Path

from tests.bench.service import Fill
from tests.bench.tagging import XATTR
from tests.bench.workload import TAGS, Place, Sizes, Workload, detailed, listing, sh
from tests.debian13 import debian13
from tests.emulated import CannotRun

MIB = 2**20


def _read(place: Place) -> None:
    sh("dd if={} of=/dev/null bs=1M", place.point / "large")


def _forget_pages(place: Place) -> None:
    """Throw the kernel's pages away: those of the mount's file, and those of caches on the disk."""
    for path in (place.point / "large", *place.scratch.rglob("*")):
        if not path.is_file():
            continue
        fd = os.open(path, os.O_RDONLY)
        try:
            if path.is_relative_to(place.scratch):
                os.fsync(fd)  # the kernel keeps what the disk has not
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def _read_and_forget(place: Place) -> None:
    _read(place)
    _forget_pages(place)


def _local_file(directory: Path, sizes: Sizes) -> None:
    """Make a file of its full size on the disk, whose pages can be thrown away."""
    block = os.urandom(MIB)
    with (directory / "large").open("wb") as file:
        for _ in range(sizes.large // MIB):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _list(place: Place) -> None:
    sh("ls -l {}", place.point / "small")


def _list_medium(place: Place) -> None:
    sh("ls -l {}", place.point / "medium")


def _read_tags(place: Place) -> None:
    sh("getfattr -R -d {}", place.point / "small")


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
    mib, small, medium = sizes.large // MIB, f"{sizes.small:,}", f"{sizes.medium:,}"
    large = (Fill(f"large:1:{sizes.large}", TAGS),)

    def lists(count: int) -> dict[str, int]:
        few = dict.fromkeys(("tagfs", "listing", "oss"), listing(count))
        return few | {"minio": detailed(count)}

    stored = dict.fromkeys(("tagfs", "oss"), listing(sizes.small) + sizes.small)
    return [
        Workload("read-again", f"second read of {mib} MiB, the kernel's pages gone", _read,
                 warm=_read_and_forget, disk=_local_file, must=True, asked=sizes.large,
                 extras=("cached", "rclone-full", "disk")),
        Workload("read-anew", f"read of {mib} MiB that an earlier mount has read", _read,
                 before=_read, asked=sizes.large, extras=("cached", "rclone-full")),
        Workload("cp-inside", f"cp of {mib} MiB inside the mount",
                 lambda p: sh("cp {} {}", p.point / "large", p.point / "copy"), large,
                 done=lambda _b, now: "copy" in now and now["copy"].size == sizes.large,
                 must=True, deferred=True, extras=("fuse2", "oss")),
        Workload("ls-l-anew", f"ls -l of {small} that an earlier mount has seen", _list,
                 before=_list, must=True, metadata=True, budgets=lists(sizes.small),
                 extras=("listing", "oss", "minio")),
        Workload("ls-l-anew-medium", f"ls -l of {medium} that an earlier mount has seen",
                 _list_medium, before=_list_medium, patience=30, must=True, metadata=True,
                 budgets=lists(sizes.medium), main=False, extras=("tagfs", "listing", "s3fs")),
        Workload("ls-l-debian13", f"ls -l of {small} by Debian 13's ls", _list_by_debian13,
                 must=True, metadata=True, extras=("listing", "oss", "minio"),
                 budgets=lists(sizes.small) | stored),
        Workload("getfattr-again", f"getfattr -R -d of {small} that this mount has seen",
                 _read_tags, warm=_read_tags, must=True, metadata=True, wants=XATTR,
                 budgets=dict.fromkeys(lists(0), 0), extras=("listing", "oss", "minio")),
        Workload("getfattr-anew", f"getfattr -R -d of {small} that an earlier mount has seen",
                 _read_tags, before=_read_tags, metadata=True, wants=XATTR,
                 extras=("listing", "oss", "minio")),
    ]  # fmt: skip
