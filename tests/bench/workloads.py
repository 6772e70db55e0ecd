"""What is timed: each workload prepares the bucket through the SDK, then works on a cold mount."""

import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SMALL = 1000


@dataclass(frozen=True)
class Sizes:
    """How much there is to do: files in small workloads, bytes in large ones."""

    files: int
    large: int


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes:
        prepare: fills the bucket; gets a put function (key, bytes) and the sizes.
        run: works on the mountpoint, with a local scratch directory.
    """

    name: str
    prepare: Callable[[Callable[[str, bytes], Any], Sizes], None]
    run: Callable[[Path, Path, Sizes], object]


def sh(*args: str | Path) -> None:
    subprocess.run([str(a) for a in args], check=True, capture_output=True, timeout=600)


def nothing(_put: Callable[[str, bytes], Any], _sizes: Sizes) -> None: ...


def small_files(put: Callable[[str, bytes], Any], sizes: Sizes) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: put(f"d/f{n:05}", b"x" * SMALL), range(sizes.files)))


def large_file(put: Callable[[str, bytes], Any], sizes: Sizes) -> None:
    put("large", os.urandom(2**20) * (sizes.large // 2**20))


def create(point: Path, _scratch: Path, sizes: Sizes) -> None:
    (point / "new").mkdir()
    for number in range(sizes.files):
        (point / f"new/f{number}").write_bytes(b"x" * SMALL)


def create_by_eight(point: Path, _scratch: Path, sizes: Sizes) -> None:
    (point / "new").mkdir()
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda n: (point / f"new/f{n}").write_bytes(b"x" * SMALL), range(sizes.files))
        )


def local_tree(scratch: Path, sizes: Sizes) -> Path:
    tree = scratch / "tree"
    for number in range(sizes.files):
        file = tree / f"s{number % 10}" / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * SMALL)
    return tree


def rsync_twice(point: Path, scratch: Path, sizes: Sizes) -> None:
    tree = local_tree(scratch, sizes)
    for _ in range(2):
        sh("rsync", "-a", f"{tree}/", f"{point}/in/")


def untar(point: Path, scratch: Path, sizes: Sizes) -> None:
    sh("tar", "cf", scratch / "t.tar", "-C", local_tree(scratch, sizes), ".")
    sh("tar", "xf", scratch / "t.tar", "-C", point)


def sequential_write(point: Path, _scratch: Path, sizes: Sizes) -> None:
    block = os.urandom(2**20)
    with (point / "written").open("wb") as file:
        for _ in range(sizes.large // 2**20):
            file.write(block)
        os.fsync(file.fileno())


def sequential_read(point: Path, _scratch: Path, _sizes: Sizes) -> None:
    with (point / "large").open("rb", buffering=0) as file:
        while file.read(2**20):
            pass


def random_reads(point: Path, _scratch: Path, sizes: Sizes) -> None:
    with (point / "large").open("rb", buffering=0) as file:
        for number in range(64):
            os.pread(file.fileno(), 4096, number * 7919 * 4096 % sizes.large)


def edit_one_byte(point: Path, _scratch: Path, sizes: Sizes) -> None:
    with (point / "large").open("r+b") as file:
        file.seek(sizes.large // 2)
        file.write(b"!")


def append(point: Path, _scratch: Path, _sizes: Sizes) -> None:
    with (point / "large").open("ab") as file:
        file.write(b"more")


def links(point: Path, _scratch: Path, sizes: Sizes) -> None:
    for number in range(sizes.files // 4):
        (point / f"l{number}").symlink_to("target")


WORKLOADS = (
    Workload("ls", small_files, lambda p, _s, _z: sh("ls", p / "d")),
    Workload("ls -l", small_files, lambda p, _s, _z: sh("ls", "-l", p / "d")),
    Workload("find", small_files, lambda p, _s, _z: sh("find", p, "-newermt", "2001-01-01")),
    Workload("cat *", small_files, lambda p, _s, _z: sh("sh", "-c", f"cat {p}/d/*")),
    Workload("cp -r out", small_files, lambda p, s, _z: sh("cp", "-r", p / "d", s / "out")),
    Workload("grep -r", small_files, lambda p, _s, _z: sh("sh", "-c", f"grep -rc x {p}/d | wc")),
    Workload("getfattr -R -d", small_files, lambda p, _s, _z: sh("getfattr", "-R", "-d", p / "d")),
    Workload("create", nothing, create),
    Workload("create, 8 writers", nothing, create_by_eight),
    Workload("cp -r in", nothing, lambda p, s, z: sh("cp", "-r", local_tree(s, z), p / "in")),
    Workload("tar x", nothing, untar),
    Workload("rsync -a, twice", nothing, rsync_twice),
    Workload("rm -r", small_files, lambda p, _s, _z: shutil.rmtree(p / "d")),
    Workload("mv of a directory", small_files, lambda p, _s, _z: (p / "d").rename(p / "e")),
    Workload("symlinks", nothing, links),
    Workload("sequential write", nothing, sequential_write),
    Workload("sequential read", large_file, sequential_read),
    Workload("64 random 4 KiB reads", large_file, random_reads),
    Workload("edit 1 byte of a large file", large_file, edit_one_byte),
    Workload("append to a large file", large_file, append),
    Workload("mv of a large file", large_file, lambda p, _s, _z: (p / "large").rename(p / "m")),
)
