"""The phases of a long run. Each works until its time is up and reports what it did."""

import importlib.util
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tagfs.store.http import attempts, retry
from tests.emulated import Emulator, emulator
from tests.faults.crashes import PART, Ground, Service, kill_service
from tests.faults.matrix import Field
from tests.faults.operations import OPERATIONS, is_possible
from tests.fuzzing.targets import TARGETS
from tests.mounting import mounted
from tests.simulation import runs as simulated
from tests.soak import tools
from tests.soak.hosts import run_hosts
from tests.soak.load import run_load
from tests.soak.model import World, Wrong
from tests.soak.siege import Plan, run_siege

SERVICES = ("oss", "obs", "s3")
STEPS_IN_A_WORLD = 5000
TOGETHER = 16
SHOWN = 3
"""Violations that are shown in full: to find the shortest of each takes its time."""


@dataclass
class Beat:
    """What a phase is given: a place, a seed, seconds, and what to call as it goes on."""

    place: Path
    seed: int
    seconds: float
    beat: Callable[[], None]
    fuse: str
    service: str

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    def goes_on(self) -> bool:
        self.beat()
        return time.monotonic() < self._end


def model(beat: Beat) -> dict[str, Any]:
    """Two file systems in this process over a bucket in memory, with faults: many steps."""
    steps = faults = 0
    problems: list[str] = []
    seed = beat.seed * 1_000_000
    while beat.goes_on():
        world = World(seed)
        try:
            world.run(STEPS_IN_A_WORLD)
        except Wrong as wrong:
            problems.append(f"seed {seed}, step {world.counts.total}: {wrong}; {world.log[-5:]}")
        steps += world.counts.total
        faults += world.trouble.injected
        world.close()
        seed += 1
    return {"steps": steps, "faults": faults, "problems": problems}


def simulation(beat: Beat) -> dict[str, Any]:
    """Whole hosts whose threads, clock and service go by a seed: one run after the other."""
    runs, problems = 0, list[str]()
    seed = beat.seed * 1_000_000
    while beat.goes_on():
        outcome = simulated.run(seed + runs)
        runs += 1
        if outcome.wrong and len(problems) < SHOWN:
            problems.append(str(simulated.shortest(outcome, 10)))
    return {"runs": runs, "steps": runs, "problems": problems}


def matrix(beat: Beat) -> dict[str, Any]:
    """Cells of the fault matrix of the client, all services, in another order every time."""
    retry.FIRST_DELAY, attempts.IDLE_TIMEOUT = 0.002, 0.25  # type: ignore[misc]
    chance = random.Random(beat.seed)
    cells = faults = 0
    problems: list[str] = []
    while beat.goes_on():
        kind = chance.choice(SERVICES)
        place = beat.place / str(cells)
        place.mkdir()
        with emulator(place, 100, service=kind) as running:
            operation = chance.choice(OPERATIONS)
            field = Field(running, operation)
            if is_possible(field.clean, operation):
                normal = field.measure()
                some = [cell for cell in field.cells(normal) if chance.random() < 0.6]
                with ThreadPoolExecutor(TOGETHER) as executor:
                    judged = executor.map(lambda cell: field.judge(cell, normal), some)  # noqa: B023
                    problems += [
                        f"{kind}: {c}: {text}" for c, text in zip(some, judged, strict=True) if text
                    ]
                cells += len(some)
                faults += sum(cell.times or 5 for cell in some)
            field.close()
        shutil.rmtree(place, ignore_errors=True)
    return {"cells": cells, "faults": faults, "problems": problems}


def kills(beat: Beat) -> dict[str, Any]:
    """The mount, the service or recovery is killed, at any request of any act."""
    chance = random.Random(beat.seed)
    with emulator(beat.place, 400, service="oss") as running:
        ground = Ground(running, beat.place, fuse=beat.fuse)
        service = Service("oss", beat.place / "mortal")
        (beat.place / "mortal").mkdir()
        url = service.start()
        mortal = Ground(
            Emulator("oss", url, iter(()), beat.place / "none"), beat.place / "mortal", "bucket-0"
        )
        problems: list[str] = []
        while beat.goes_on():
            act = chance.choice(ground.possible())
            after = chance.random() < 0.5
            number = chance.randrange(1, 13)
            kinds = act.change if chance.random() < 0.5 else ".*"
            number = 1 if kinds != ".*" else number
            what = chance.choice(("mount", "mount", "mount", "recovery", "service"))
            if what == "mount":
                text = ground.kill_mount(act, number, after=after, kinds=kinds)
            elif what == "recovery":
                text = ground.kill_recovery(act, number, after=after)
            else:
                text = kill_service(mortal, service, act, number, after=after, kinds=kinds)
            if text not in {"", "done"}:
                when = "after" if after else "before"
                problems.append(f"{what} at {act.name} {kinds} {number} {when}: {text}")
        service.kill()
        mortal.proxy.close()
        ground.proxy.close()
    return {"kills": ground.kills + mortal.kills, "faults": 0, "problems": problems}


def load(beat: Beat) -> dict[str, Any]:
    """64 processes on one mount; what it uses must not grow over the second half."""
    with emulator(beat.place, 5) as running:
        path = beat.place / "mnt"
        with mounted(running, running.take(), path, _options(beat)) as mount:
            reported, usage = run_load(
                path, mount.process.pid, max(beat.seconds - 10, 5), beat=beat.beat
            )
            problems = list(reported.errors)
            if usage.grows():
                problems.append(f"the mount grows: {usage.grows()}")
    return {
        "calls": reported.calls,
        "slowest_seconds": round(reported.slowest, 2),
        "memory_mib": [max(usage.memory[: len(usage.memory) // 2]) >> 20, usage.memory[-1] >> 20],
        "descriptors": [max(usage.descriptors), usage.descriptors[-1]],
        "problems": problems,
    }


def siege(beat: Beat) -> dict[str, Any]:
    """200 users of two mounts; kills, restarts, full disks, clocks that jump."""
    fuses = ("3", "2") if beat.fuse == "auto" else (beat.fuse, beat.fuse)
    return run_siege(Plan(beat.service, beat.place, beat.seed, beat.seconds, fuses), beat.beat)


def fuzz(beat: Beat) -> dict[str, Any]:
    """Every reader of the table gets bytes that make it go where it was not yet."""
    if importlib.util.find_spec("atheris") is None:
        return {"skipped": ["atheris is not installed: extra fuzz"], "problems": []}
    runs, problems = 0, list[str]()
    seconds = max(int(beat.seconds / len(TARGETS)), 1)
    for name in TARGETS:
        words = ["--seconds", str(seconds), "--seed", str(beat.seed)]
        corpus = beat.place / name.replace(" ", "-")
        command = [sys.executable, "-m", "tests.fuzzing", name, *words, "--corpus", str(corpus)]
        with (beat.place / "output").open("w+b") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
            while process.poll() is None:
                beat.beat()
                time.sleep(1)
            output.seek(0)
            text = output.read().decode(errors="replace")
        executed = re.search(r"number_of_executed_units: (\d+)", text)
        runs += int(executed[1]) if executed else 0
        found = [path.read_bytes()[:500] for path in corpus.glob("*-*") if path.name[:4] != "seed"]
        if process.returncode or found:
            problems.append(f"{name}: {found} {text[-3000:]}")
    return {"runs": runs, "targets": len(TARGETS), "problems": problems}


def mount_model(beat: Beat) -> dict[str, Any]:
    """Invented programs on a real mount and a local directory: no difference."""
    steps, problems = 0, list[str]()
    while beat.goes_on():
        status, output = _pytest(beat, "tests/mount/test_model.py", TAGFS_SOAK_STEPS="4000")
        if status == 0:
            steps += 8000
        elif beat.goes_on():
            problems.append(output[-3000:])
    return {"steps": steps, "problems": problems}


def posix(beat: Beat) -> dict[str, Any]:
    """Every call of POSIX beside a local directory, on all services and either libfuse, once.

    It takes six minutes; what of it was not done when the time is up is said to be missing.
    """
    status, output = _pytest(beat, "tests/mount/posix", TAGFS_POSIX="all")
    said = output.strip().rpartition("\n")[2]
    counts = {what: int(number) for number, what in re.findall(r"(\d+) (passed|skipped)", said)}
    problems = [output[-3000:]] if status not in {0, pytest.ExitCode.INTERRUPTED} else []
    return {**counts, "steps": counts.get("passed", 0), "whole": status == 0, "problems": problems}


def _pytest(beat: Beat, tests: str, **environment: str) -> tuple[int, str]:
    """Run tests until they or the time end; return the status and what was printed."""
    options = ["-q", "-n0", "-o", "timeout=0", "-p", "no:cacheprovider"]
    options.append(f"--basetemp={beat.place / 'pytest'}")
    with tempfile.TemporaryFile("w+", dir=beat.place) as printed:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pytest",
                tests,
                *options,
                f"--basetemp={beat.place / 'pytest'}",
            ],
            env={**os.environ, "TAGFS_FUSE": beat.fuse, **environment},
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        while process.poll() is None:
            time.sleep(1)
            if not beat.goes_on():
                process.send_signal(signal.SIGINT)  # it unmounts, and ends its service
                process.wait(120)
        printed.seek(0)
        return process.returncode, printed.read()


def two_mounts(beat: Beat) -> dict[str, Any]:
    """Two mounts of one bucket through a proxy with faults: what one closed the other reads."""
    steps = faults = 0
    problems: list[str] = []
    for number, kind in enumerate(SERVICES):
        place = beat.place / kind
        place.mkdir()
        end = time.monotonic() + beat.seconds / len(SERVICES)
        with emulator(place, 5, service=kind) as running:
            reported = run_hosts(
                running,
                place,
                beat.seed + number,
                lambda end=end: beat.goes_on() and time.monotonic() < end,  # type: ignore[misc]
                fuse=beat.fuse,
            )
        steps, faults = steps + reported[0], faults + reported[1]
        problems += [f"{kind}: {text}" for text in reported[2]]
    return {"steps": steps, "faults": faults, "problems": problems}


def programs(beat: Beat) -> dict[str, Any]:
    """stress-ng, fio, dbench, sqlite, git and a build, one after the other, on one mount."""
    done: list[str] = []
    skipped: list[str] = []
    problems: list[str] = []
    with emulator(beat.place, 5) as running:
        path = beat.place / "mnt"
        with mounted(running, running.take(), path, _options(beat)):
            share = beat.seconds / len(tools.TOOLS)
            for name, tool in tools.TOOLS.items():
                beat.beat()
                place = path / name.replace(" ", "-")
                place.mkdir()
                try:
                    tool(place, max(share / 2, 1), beat.beat)
                    done.append(name)
                except tools.Missing as missing:
                    skipped.append(str(missing))
                except (AssertionError, subprocess.SubprocessError, OSError) as error:
                    problems.append(f"{name}: {error}"[:2000])
    return {"done": done, "skipped": skipped, "problems": problems}


def _options(beat: Beat) -> str:
    return f"part_size={PART},fuse={beat.fuse}"


@dataclass(frozen=True)
class Phase:
    """One part of the run, and its share of the time."""

    run: Callable[[Beat], dict[str, Any]]
    share: float


PHASES = {
    "simulation": Phase(simulation, 4),
    "model": Phase(model, 4),
    "matrix": Phase(matrix, 2),
    "kills": Phase(kills, 5),
    "load": Phase(load, 2),
    "fuzz": Phase(fuzz, 4),
    "siege": Phase(siege, 4),
    "mount model": Phase(mount_model, 3),
    "posix": Phase(posix, 3),
    "two mounts": Phase(two_mounts, 2),
    "programs": Phase(programs, 2),
}
