"""Cost against the number of objects: one directory with all of them, and a tree of thousands."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.running import timed
from tests.bench.service import Fill, Service, serving
from tests.bench.subjects import Request, Running, Subject
from tests.bench.workload import TAGS, sh

BUCKET = "scale"
EACH = 1000
SAMPLE = 100


def flat(count: int) -> tuple[Fill, ...]:
    """Return a directory of `count` objects."""
    return (Fill(f"d/f{{:07d}}:{count}:100", TAGS),)


def deep(count: int) -> tuple[Fill, ...]:
    """Return directories of a thousand objects each, ten in every directory above."""
    return tuple(
        Fill(f"d/{number // 10:04d}/{number % 10}/f{{:04d}}:{min(EACH, count)}:100", TAGS)
        for number in range(max(1, count // EACH))
    )


SHAPES: dict[str, Callable[[int], tuple[Fill, ...]]] = {"flat": flat, "deep": deep}


def measure(
    subject: Subject, counts: list[int], timeout: float, report: Callable[[dict[str, Any]], None]
) -> None:
    """Measure each shape and count, and report every row as soon as it is known."""
    for count in counts:
        for shape, fills in SHAPES.items():
            with tempfile.TemporaryDirectory(prefix="tagfs-bench-") as name:
                work = Path(name)
                with serving(work / "service", "s3", 0.0, {BUCKET: fills(count)}) as service:
                    report({"shape": shape, "objects": count,
                          **_row(service, subject, work, shape, count, timeout)})  # fmt: skip


def _row(
    service: Service, subject: Subject, work: Path, shape: str, count: int, timeout: float
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    with _mounted(service, subject, work / "ls") as mount:
        mark = service.mark()
        first = "ls -U {}" if shape == "flat" else "ls -UR {}"
        row["ls, s"] = _seconds(lambda: sh(first, mount.path / "d"), timeout, mount)
        row["ls again, s"] = _seconds(lambda: sh(first, mount.path / "d"), timeout, mount)
        row["LISTs of both"] = service.tally(BUCKET, [(mark, service.mark())]).requests.get(
            "GET list", 0
        )
        row["resident after ls, MiB"] = mount.memory_mib("VmRSS")
        row["largest by ls, MiB"] = mount.memory_mib()
    with _mounted(service, subject, work / "find") as mount:
        row["find, s"] = _seconds(lambda: sh("find {}", mount.path / "d"), timeout, mount)
        row["largest by find, MiB"] = mount.memory_mib()
    sample = list(_sample(shape, count))
    with _mounted(service, subject, work / "getfattr") as mount:
        row[f"getfattr of {SAMPLE}, s"] = _seconds(
            lambda: _read_tags(mount.path, sample), timeout, mount
        )
    return row


def _sample(shape: str, count: int) -> Iterator[str]:
    """Yield paths spread evenly over all objects."""
    each = min(EACH, count)
    for index in range(SAMPLE):
        number = index * count // SAMPLE
        if shape == "flat":
            yield f"d/f{number:07d}"
        else:
            place, file = divmod(number, each)
            yield f"d/{place // 10:04d}/{place % 10}/f{file:04d}"


def _read_tags(point: Path, sample: list[str]) -> None:
    for path in sample:
        if os.getxattr(point / path, "user.tag.team") != b"blue":
            raise OSError(f"{path} has not its tags")


def _seconds(work: Callable[[], None], timeout: float, mount: Running) -> float | str:
    """Return how long work takes, or why that is not known."""
    if mount.process.poll() is not None:
        return "the mount had ended"
    outcome = timed(work, timeout, mount.kill)
    return outcome.error or outcome.seconds


@contextmanager
def _mounted(service: Service, subject: Subject, work: Path) -> Iterator[Running]:
    mount = Running(subject, Request(service.url, BUCKET, work / "mnt", work / "scratch"))
    try:
        time.sleep(0.2)
        yield mount
    finally:
        mount.close()


def memory_of(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the memory figures of the largest count of each shape that was walked whole."""
    found = {}
    for row in rows:
        if row["objects"] >= 1_000_000 and isinstance(row["ls, s"], float):
            found[f"1,000,000 entries, {row['shape']}, ls"] = row["largest by ls, MiB"]
            found[f"1,000,000 entries, {row['shape']}, find"] = row["largest by find, MiB"]
    return found
