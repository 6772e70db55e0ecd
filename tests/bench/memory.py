"""How much memory a tagfs mount takes: idle, and under every load at once."""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.bench.running import timed
from tests.bench.service import Fill, Service, serving
from tests.bench.subjects import Request, Running, Subject
from tests.bench.workload import sh

MIB = 2**20
_IDLE = 2.0


def measure(
    subjects: list[Subject], *, large: int, files: int, report: Callable[[str, float | str], None]
) -> None:
    """Report resident MiB by what was done, the largest of each but for idle; or an error."""
    fills = [Fill(f"small/f{{:05d}}:{files}:10000")]
    fills += [Fill(f"large{n}:1:{large // 4}") for n in range(4)]
    for subject in (s for s in subjects if s.id in ("tagfs", "fuse2", "oss")):
        loads = ("256M", "64M") if subject.id == "tagfs" else ("256M",)
        buckets = {f"load-{size.lower()}": tuple(fills) for size in loads}
        with tempfile.TemporaryDirectory(prefix="tagfs-bench-") as name:
            work = Path(name)
            with serving(work / "service", subject.service, 0.0, {"idle": (), **buckets}) as at:
                works = {f"idle, {subject.title}": partial(_idle, at, subject, work / "idle")}
                for size in loads:
                    label = f"load, memory={size}, {subject.title}"
                    works[label] = partial(_loaded, at, subject, size, work / size, large)
                for label, one in works.items():
                    try:
                        report(label, one())
                    except (OSError, RuntimeError) as error:
                        report(label, str(error))


def _idle(service: Service, subject: Subject, work: Path) -> float:
    with _mounted(service, subject, "idle", work) as mount:
        time.sleep(_IDLE)
        return mount.memory_mib("VmRSS")


def _loaded(service: Service, subject: Subject, size: str, work: Path, large: int) -> float:
    with _mounted(service, subject, f"load-{size.lower()}", work, f"memory={size}") as mount:
        outcome = timed(lambda: _load(mount.path, large // MIB // 8), 120, mount.kill)
        if outcome.error:
            raise OSError(f"the load of {subject.title}: {outcome.error}")
        return mount.memory_mib()


def _load(point: Path, mib: int) -> None:
    """Read, walk and write at once, with more files open than a desktop has."""
    work: list[Callable[[], None]] = [
        *(lambda n=n: sh("dd if={} of=/dev/null bs=1M", point / f"large{n}") for n in range(4)),
        *(lambda n=n: sh(f"dd if=/dev/zero of={{}} bs=1M count={mib}", point / f"new{n}")
          for n in range(4)),
        lambda: sh("cat {}/*", point / "small"),
        lambda: sh("getfattr -R -d {}", point / "small"),
        lambda: sh("ls -l {}", point / "small"),
    ]  # fmt: skip
    with ThreadPoolExecutor(len(work)) as pool:
        list(pool.map(lambda one: one(), work))


@contextmanager
def _mounted(
    service: Service, subject: Subject, bucket: str, work: Path, options: str = ""
) -> Iterator[Running]:
    """Mount with further options; unmounted whatever happens."""
    request = Request(service.url, bucket, work / "mnt", work / "scratch")
    assert subject.command is not None
    command = subject.command

    def extended(request: Request) -> list[str]:
        whole = command(request)
        return [*whole[:-1], f"{whole[-1]},{options}"] if options else whole

    mount = Running(replace(subject, command=extended), request)
    try:
        yield mount
    finally:
        mount.close()
