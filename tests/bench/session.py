"""A whole run of the program: its stages, one latency after the other, saved as it goes."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tagfs import __version__
from tests.bench import light, memory, scale, start, tables
from tests.bench.plan import Cell, Profile, buckets, rows
from tests.bench.results import Result, Run, load, machine
from tests.bench.running import Runner
from tests.bench.service import serving
from tests.bench.subjects import Subject, rclone_program, version
from tests.bench.workload import SHARED

_KEEP = 16 * 2**20  # of runs that wrote more than this, what they wrote is removed at once


class Session:
    """Measures, prints a line for each run, and saves after each."""

    def __init__(self, profile: Profile, subjects: Sequence[Subject], out: Path, file: str) -> None:
        self.profile = profile
        self.subjects = subjects
        self.out = out
        self.file = out / file
        self.run = Run(facts=facts(profile))
        self.deadline = time.monotonic() + profile.minutes * 60

    def measure(self, wanted: Callable[[str], bool]) -> None:
        """Measure all rows at all latencies; what is left at the deadline is left out."""
        for latency, ids in self.profile.stages:
            seen = {r.workload for r in self.run.results if r.latency == latency}

            def chosen(name: str, ids: frozenset[str] | None = ids, seen: set[str] = seen) -> bool:
                return wanted(name) and name not in seen and (ids is None or name in ids)

            plan = list(rows(self.profile, self.subjects, chosen))
            if not plan:
                continue
            if time.monotonic() > self.deadline:
                self._leave_out(plan, latency)
            else:
                self._at(latency, plan)

    def _leave_out(self, plan: list[list[Cell]], latency: float) -> None:
        names = ", ".join(row[0].workload.id for row in plan)
        self.note(f"out of time, left out at {latency * 1000:g} ms: {names}")
        self.run.facts[f"left out for want of time, {latency * 1000:g} ms"] = names

    def _at(self, latency: float, plan: list[list[Cell]]) -> None:
        with tempfile.TemporaryDirectory(prefix="tagfs-bench-") as name, ExitStack() as stack:
            work = Path(name)
            if (at := f"{latency * 1000:g}") not in self.run.light:
                self.run.light[at] = light.measure(work / "light", latency)
            kinds = {cell.subject.service for row in plan for cell in row}
            services = {}
            for kind in sorted(kinds):
                wanted = buckets(plan, self.profile.sizes, kind)
                services[kind] = stack.enter_context(serving(work / kind, kind, latency, wanted))
            runner = Runner(services, self.profile.sizes, self.profile.timeout)
            for number, row in enumerate(plan):
                if time.monotonic() > self.deadline:
                    self._leave_out(plan[number:], latency)
                    return
                self._row(runner, row, latency)

    def _row(self, runner: Runner, row: list[Cell], latency: float) -> None:
        """Measure one row: subjects take turns, and those that took long enough sit out."""
        spent: dict[str, float] = {}
        for turn in range(self.profile.repeat):
            for cell in row:
                taken = spent.get(cell.subject.id, 0.0)
                if turn >= len(cell.buckets) or taken >= self.profile.enough:
                    continue
                bucket = cell.buckets[turn]
                result = runner.measure(cell.workload, cell.subject, bucket, latency)
                if result.bytes_in > _KEEP and bucket != SHARED:
                    runner.empty(cell.subject.service, bucket)
                failed = result.error and not result.timed_out
                spent[cell.subject.id] = taken + max(result.settled_seconds, 0.0)
                if result.error:
                    spent[cell.subject.id] = self.profile.enough
                self.run.results.append(result)
                self.note(line(result) + ("  FAILED" if failed else ""))
        self.save()

    def memory(self) -> None:
        """Measure the mounts' memory."""

        def report(name: str, value: float | str) -> None:
            if isinstance(value, float):
                self.run.memory[name] = value
            self.note(f"{name}: {value if isinstance(value, str) else f'{value:.0f} MiB'}")
            self.save()

        sizes = self.profile.sizes
        memory.measure(list(self.subjects), large=sizes.large, files=sizes.small, report=report)

    def start(self) -> None:
        """Measure how long commands take to start."""
        for name, figures in start.measure():
            self.run.start[name] = figures
            self.note(f"{name}: " + ", ".join(f"{v:.3f} {unit}" for unit, v in figures.items()))
        self.save()

    def scale(self, counts: list[int]) -> None:
        """Measure cost against the number of objects."""

        def report(row: dict[str, object]) -> None:
            self.run.scale.append(row)
            self.note(", ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}"
                                for k, v in row.items()))  # fmt: skip
            self.run.memory.update(scale.memory_of(self.run.scale))
            self.save()

        listing = next(s for s in self.subjects if s.id == "listing")
        scale.measure(listing, counts, 120.0, report)

    def save(self) -> None:
        """Write what there is so far."""
        self.run.save(self.file)
        tables.write(load(self.out.glob("*.json")), self.out)

    def note(self, text: str) -> None:
        """Print a line."""
        print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def line(result: Result) -> str:
    """Return one run as a line."""
    share = result.service_cpu_seconds / max(result.settled_seconds, 1e-3)
    return (
        f"{result.latency * 1000:3g} ms  {result.workload:16} {result.subject:13}"
        f"{result.settled_seconds:8.2f} s {result.count:7} requests  cpu {result.cpu_seconds:6.2f}"
        f"  service {100 * share:3.0f} %  {result.peak_mib:5.0f} MiB  {result.error[:120]}"
    )


def facts(profile: Profile) -> dict[str, str]:
    """Return what the numbers depend on."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "tagfs": f"{__version__} ({version('git', '-C', '/', '-C', str(Path.cwd()), 'log', '-1', '--format=%h')})",  # noqa: E501
        "s3fs": version("s3fs", "--version"),
        "rclone": version(rclone_program(), "version"),
        "fio": version("fio", "--version"),
        **machine(),
        "repeat": str(profile.repeat),
        **{f"size {name}": str(value) for name, value in asdict(profile.sizes).items()},
    }
