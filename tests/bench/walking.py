"""Rows that list, look up and read many small objects; all of them only read."""

import os
import shutil
from contextlib import suppress

from tests.bench.service import Fill
from tests.bench.workload import SMALL, TAGS, Place, Sizes, Workload, detailed, listing, sh

DIRECTORIES = 10


def shared_fills(sizes: Sizes) -> tuple[Fill, ...]:
    """Return what the bucket holds that all reading rows share."""
    each = sizes.small // DIRECTORIES
    quarter = sizes.large // 4
    return (
        Fill(f"small/f{{:05d}}:{sizes.small}:{SMALL}", TAGS),
        Fill(f"medium/f{{:05d}}:{sizes.medium}:{SMALL}", TAGS),
        Fill(f"many/f{{:06d}}:{sizes.many}:10", TAGS),
        *(Fill(f"tree/s{n}/f{{:04d}}:{each}:{SMALL}", TAGS) for n in range(DIRECTORIES)),
        Fill(f"large:1:{sizes.large}", TAGS),
        Fill(f"huge:1:{8 * sizes.large}", TAGS),
        *(Fill(f"quarter{n}:1:{quarter}", TAGS) for n in range(4)),
    )


def _stat(place: Place) -> None:
    each = place.sizes.small // DIRECTORIES
    for number in range(place.sizes.sample):
        place.point.joinpath(f"tree/s{number % DIRECTORIES}/f{number * 7919 % each:04d}").stat()


def _missing(place: Place) -> None:
    for number in range(place.sizes.sample):
        with suppress(FileNotFoundError):
            os.stat(place.point / f"tree/s{number % DIRECTORIES}/not-there-{number}")
            raise OSError("a missing path is there")


def _copy_out(place: Place) -> None:
    sh("cp -r {} {}", place.point / "small", place.local / "out")
    if len(os.listdir(place.local / "out")) != place.sizes.small:
        raise OSError("not all files were copied")
    shutil.rmtree(place.local / "out", ignore_errors=True)


def walking(sizes: Sizes) -> list[Workload]:
    """Return the rows, titles telling the sizes."""
    small, medium, many = f"{sizes.small:,}", f"{sizes.medium:,}", f"{sizes.many:,}"
    also = ("listing", "rclone-times")

    def lists(count: int) -> dict[str, int]:
        return dict.fromkeys(("tagfs", "listing"), listing(count))

    def shows(count: int) -> dict[str, int]:
        stored = dict.fromkeys(("tagfs", "fuse2", "oss"), listing(count) + count)
        return stored | {"listing": listing(count), "minio": detailed(count)}

    return [
        Workload("ls-l", f"ls -l of {small}", lambda p: sh("ls -l {}", p.point / "small"),
                 must=True, metadata=True, budgets=shows(sizes.small),
                 extras=("fuse2", "listing", "oss", "minio", "rclone-times")),
        Workload("cat", f"cat {small} small files", lambda p: sh("cat {}/*", p.point / "small"),
                 factor=5, must=True, extras=("fuse2", "listing", "oss")),
        Workload("cp-out", f"cp -r of {small} small files out of the mount", _copy_out,
                 factor=5, must=True, extras=("listing", "oss")),
        Workload("ls", f"ls of {small}", lambda p: sh("ls {}", p.point / "small"),
                 metadata=True, budgets=lists(sizes.small), extras=("listing",)),
        Workload("ls-medium", f"ls of {medium}", lambda p: sh("ls {}", p.point / "medium"),
                 metadata=True, budgets=lists(sizes.medium), extras=("listing",)),
        Workload("ls-many", f"ls of {many}", lambda p: sh("ls -U {}", p.point / "many"),
                 patience=30, metadata=True, budgets=lists(sizes.many), extras=("listing",)),
        Workload("ls-l-medium", f"ls -l of {medium}", lambda p: sh("ls -l {}", p.point / "medium"),
                 patience=30, must=True, metadata=True, budgets=shows(sizes.medium), extras=also),
        Workload("ls-l-many", f"ls -l of {many}", lambda p: sh("ls -l {}", p.point / "many"),
                 metadata=True, budgets=shows(sizes.many), extras=also, main=False),
        Workload("find", f"find -newermt in a tree of {small}",
                 lambda p: sh("find {} -newermt 2001-01-01", p.point / "tree"),
                 metadata=True, extras=also),
        Workload("stat", f"stat of {sizes.sample} paths", _stat, metadata=True,
                 extras=("listing",)),
        Workload("missing", f"stat of {sizes.sample} missing paths", _missing, metadata=True),
    ]  # fmt: skip
