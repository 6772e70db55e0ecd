"""Rows that move much content of large objects, or little of it."""

import json
import subprocess
from collections.abc import Callable

from tests.bench.service import Fill
from tests.bench.workload import TAGS, Objects, Place, Sizes, Workload, sh

MIB = 2**20
RANDOM = frozenset({"random"})


def _edit(place: Place) -> None:
    with (place.point / "large").open("r+b") as file:
        file.seek(place.sizes.large // 2)
        file.write(b"!")


def _append(place: Place) -> None:
    with (place.point / "large").open("ab") as file:
        file.write(b"more")


def _four_readers(place: Place) -> None:
    sh(
        'for n in 0 1 2 3; do dd if={}/quarter$n of=/dev/null bs=1M & all="$all $!"; done; '
        "for one in $all; do wait $one || exit 1; done",
        place.point,
    )


def _random_reads(block: int, count: int) -> Callable[[Place], float]:
    """Return a run of fio; its own time is reported, for it takes half a second to start."""

    def run(place: Place) -> float:
        command = ["fio", "--name=r", f"--filename={place.point}/huge", "--readonly"]
        command += ["--rw=randread", f"--bs={block}", f"--number_ios={count}", "--ioengine=psync"]
        command += ["--randseed=7", "--thread", "--allow_file_create=0", "--output-format=json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"fio: {(done.stderr or done.stdout).strip()[:200]}")
        report = json.loads(done.stdout[done.stdout.index("{") :])["jobs"][0]["read"]
        if report["total_ios"] < count:
            raise OSError(f"fio read {report['total_ios']} blocks of {count}")
        return float(report["runtime"]) / 1000

    return run


def _changed(size: int) -> Callable[[Objects, Objects], bool]:
    def done(before: Objects, now: Objects) -> bool:
        return now["large"].size == size and now["large"] != before["large"]

    return done


def moving(sizes: Sizes) -> list[Workload]:
    """Return the rows, titles telling the sizes."""
    mib = sizes.large // MIB
    large = (Fill(f"large:1:{sizes.large}", TAGS),)
    whole = max(1, min(sizes.reads // 2, mib // 2))
    extras = ("fuse2", "oss", "rclone-full")
    return [
        Workload("read", f"sequential read of {mib} MiB",
                 lambda p: sh("dd if={} of=/dev/null bs=1M", p.point / "large"),
                 must=True, extras=extras, asked=sizes.large),
        Workload("write", f"sequential write of {mib} MiB, with fsync",
                 lambda p: sh(f"dd if=/dev/zero of={{}} bs=1M count={mib} conv=fsync",
                              p.point / "written"), (),
                 done=lambda _b, now: "written" in now and now["written"].size == sizes.large,
                 must=True, deferred=True, extras=("local", *extras), asked=sizes.large),
        Workload("edit", f"1 byte changed in {mib} MiB", _edit, large, done=_changed(sizes.large),
                 factor=2, must=True, deferred=True, extras=("local", "oss", "rclone-full")),
        Workload("append", f"4 bytes appended to {mib} MiB", _append, large,
                 done=_changed(sizes.large + 4), factor=2, must=True, deferred=True,
                 extras=("local", "oss")),
        Workload("readers", f"4 readers of {mib // 4} MiB each", _four_readers,
                 extras=("rclone-full",), asked=sizes.large),
        Workload("random-4k", f"{sizes.reads} random reads of 4 KiB in {8 * mib} MiB",
                 _random_reads(4096, sizes.reads), extras=("fuse2", "rclone-full"),
                 wants=RANDOM, asked=4096 * sizes.reads),
        Workload("random-1m", f"{whole} random reads of 1 MiB in {8 * mib} MiB",
                 _random_reads(MIB, whole), extras=("rclone-full",), wants=RANDOM,
                 asked=MIB * whole),
        Workload("mv-file", f"mv of a file of {mib} MiB",
                 lambda p: sh("mv {} {}", p.point / "large", p.point / "moved"), large,
                 done=lambda _b, now: "large" not in now and "moved" in now, metadata=True),
    ]  # fmt: skip
