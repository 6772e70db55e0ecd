"""200 users of two mounts, and all that goes wrong on hosts: what was acknowledged is there.

Mounts are killed, recovered and mounted again, the service stops and starts, disks of caches are
full, clocks jump. The first mount is as by default, the second says `durability=local`; both have a
catalogue and a cache of content on a small disk of their own. At the end the vendor's SDK is asked
for every file of every ledger.
"""

import contextlib
import multiprocessing
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.emulated import Emulator
from tests.faults.crashes import PART, Service
from tests.judges import Judge, judge_of
from tests.mounting import KEYS, command, wait_for
from tests.ports import free_port
from tests.soak.load import Usage
from tests.soak.users import Board, File, Ledger, work

USERS = 200
DISK = "256m"
QUIET = 0.4
"""Share of the time, at the end, in which no mount is killed, so that growth can be seen."""

STEPS = (3600, -3600, 86_400, -86_400, 40 * 86_400, 0)
"""Seconds by which the clock of a mount is other than the service's."""


UNSAVED = "its program had neither closed it nor called fsync"
"""What recovery says of what nobody was promised; it is kept."""


@dataclass
class Host:
    """A mount in a process whose clock can be set, with its cache on a disk of its own."""

    service: Emulator
    path: Path
    options: str
    preload: Path
    process: subprocess.Popen[bytes] | None = None
    usage: list[Usage] = field(default_factory=list)
    logs: int = 0

    def __post_init__(self) -> None:
        self.path.mkdir()
        self.cache = self.path.with_suffix(".cache")
        self.cache.mkdir()
        self.clock = self.path.with_suffix(".clock")
        self.clock.write_bytes(bytes(8))

    def start(self) -> None:
        arguments = command(
            self.service, f"{self.service.service}://bucket-0", self.path, self.options
        )
        preload = {"LD_PRELOAD": str(self.preload), "SOAK_CLOCK": str(self.clock)}
        environment = {**os.environ, **KEYS, **preload}
        with self.path.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log)
        process = self.process
        wait_for(lambda: os.path.ismount(self.path) or process.poll() is not None, 120)
        if process.poll() is not None:
            raise AssertionError(f"a mount ended at once: {self.log()[-2000:]}")
        self.usage.append(Usage(process.pid))

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        off = ["fusermount", "-uz", str(self.path)]
        subprocess.run(off, check=False, stderr=subprocess.DEVNULL)

    def end(self) -> str:
        """Unmount; say what went wrong."""
        assert self.process is not None
        if self.process.poll() is not None:
            return f"{self.path.name} ended by itself with status {self.process.returncode}"
        off, said = ["fusermount", "-u", str(self.path)], set[str]()
        for _ in range(60):
            done = subprocess.run(off, check=False, capture_output=True, text=True)
            said.add(done.stderr.strip())
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
                return ""
        self.kill()
        return f"{self.path.name} does not end: {said}"

    def recover(self) -> str:
        """Finish what was staged; say what is left."""
        arguments = [sys.executable, "-m", "tagfs", "recover", str(self.cache)]
        done = subprocess.run(
            arguments, env={**os.environ, **KEYS}, capture_output=True, text=True, check=False
        )
        lines = [line for line in (done.stdout + done.stderr).splitlines() if UNSAVED not in line]
        if "Traceback" not in done.stderr and not any("unfinished: " in line for line in lines):
            return ""
        return f"recovery of {self.path.name}: {lines[-40:]}"

    def set_clock(self, seconds: int) -> None:
        with self.clock.open("r+b") as file:  # in place: the mount has it mapped
            file.write(struct.pack("q", seconds))

    def log(self) -> str:
        return self.path.with_suffix(".log").read_text(errors="replace")


@dataclass(frozen=True)
class Plan:
    """What a siege is: a service, a place, a seed, seconds, and the libfuse of either mount."""

    kind: str
    place: Path
    seed: int
    seconds: float
    fuses: tuple[str, str] = ("3", "2")


class Siege:
    """What happens to two mounts and their service."""

    def __init__(self, plan: Plan, users: int) -> None:
        kind, place = plan.kind, plan.place
        self._chance = random.Random(plan.seed)
        self.board = Board(users)
        self._service = Service(kind, place, f"127.0.0.1:{free_port()}")
        url = self._service.start()
        self.emulator = Emulator(kind, url, iter(()), place / "none")
        self.judge: Judge = judge_of(kind, url, "bucket-0")
        preload = _clock(place)
        common = f"part_size={PART},ttl=5,tag_ttl=5,catalogue=on,cache_size=100M,timeout=120"
        more = (f"fuse={plan.fuses[0]}", f"fuse={plan.fuses[1]},durability=local")
        self.hosts = [
            Host(self.emulator, place / name, f"{common},{options}", preload)
            for name, options in zip("ab", more, strict=True)
        ]
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.when: list[str] = []

    @contextlib.contextmanager
    def mounts(self) -> Iterator[tuple[Path, Path]]:
        with ExitStack() as stack:
            stack.callback(self._service.kill)
            for host in self.hosts:
                stack.enter_context(_disk(host.cache))
                host.start()
                stack.callback(host.kill)
            yield self.hosts[0].path, self.hosts[1].path

    def strike(self, *, gently: bool) -> None:
        """Let something happen."""
        acts = [self._clock_steps, self._service_restarts, self._disk_is_full]
        acts += [] if gently else [self._mount_is_killed, self._mount_is_killed]
        act = self._chance.choice(acts)
        name, number = act.__name__.strip("_"), self._chance.randrange(2)
        self.counts[name] += 1
        began = time.monotonic()
        act(number)
        self.when.append(f"{began:.0f}-{time.monotonic():.0f}: {name} {'ab'[number]}")

    def _clock_steps(self, number: int) -> None:
        self.hosts[number].set_clock(self._chance.choice(STEPS))

    def _service_restarts(self, _: int) -> None:
        self._service.stand_by()
        self._service.kill()
        time.sleep(self._chance.choice((0, 1, 10)))
        self._service.start()

    def _disk_is_full(self, number: int) -> None:
        filler = self.hosts[number].cache / "filler"
        end = time.monotonic() + 8
        with filler.open("wb", buffering=0) as file:
            while time.monotonic() < end:
                self.board.full[number] = time.monotonic()
                try:
                    file.write(bytes(256 * 1024))
                except OSError:
                    time.sleep(0.05)
        filler.unlink()
        self.board.full[number] = time.monotonic()

    def _mount_is_killed(self, number: int) -> None:
        host = self.hosts[number]
        self.board.turns[number] += 1
        host.kill()
        time.sleep(self._chance.choice((0, 0.5, 3)))
        if left := host.recover():
            self.problems.append(left)
        host.start()
        self.board.turns[number] += 1

    def sample(self) -> None:
        for host in self.hosts:
            with contextlib.suppress(OSError, IndexError):
                host.usage[-1].sample()

    def end(self) -> None:
        """Unmount both, recover both, and note what that says."""
        for host in self.hosts:
            host.set_clock(0)
            self.problems += filter(None, [host.end(), host.recover()])
            for word in ("a bug in tagfs", "Traceback"):
                if word in host.log():
                    at = host.log().index(word)
                    self.problems.append(
                        f"{host.path.name}.log: {host.log()[at - 200 : at + 2500]}"
                    )


def run_siege(plan: Plan, beat: Callable[[], None], users: int = USERS) -> dict[str, Any]:
    """Let users work under siege for so long; compare their ledgers with the service."""
    siege, context = Siege(plan, users), multiprocessing.get_context("fork")
    for number in range(users):
        siege.judge.put(f"user-{number:03}/", b"")
        siege.judge.put(f"user-{number:03}/f/", b"")
    ledgers = [plan.place / f"ledger-{number}" for number in range(users)]
    with siege.mounts() as mounts:
        processes = [
            context.Process(
                target=work, args=(number, mounts, siege.board, plan.seed, ledger), daemon=True
            )
            for number, ledger in enumerate(ledgers)
        ]
        for process in processes:
            process.start()
        _strike(siege, plan.seconds, beat)
        _wait_for(processes, siege, beat)
        _while_beating(siege.end, beat)
        reported = [pickle.loads(file.read_bytes()) for file in ledgers if file.exists()]
        missing = _compare(siege.judge, reported, beat)
    return _reported(siege, reported, missing)


def _while_beating(call: Callable[[], None], beat: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(call)
        while not running.done():
            beat()
            time.sleep(1)
    running.result()


def _wait_for(processes: Sequence[BaseProcess], siege: Siege, beat: Callable[[], None]) -> None:
    """Let users come to their end."""
    siege.board.ends.value = True
    end = time.monotonic() + 600
    while any(one.is_alive() for one in processes) and time.monotonic() < end:
        siege.sample()
        beat()
        time.sleep(1)
    siege.problems += siege.board.hanging()
    for process in processes:
        if process.is_alive():
            siege.problems.append(f"{process.name} does not end")
            process.kill()


def _strike(siege: Siege, seconds: float, beat: Callable[[], None]) -> None:
    """Let things happen, one after the other, and no kills towards the end."""
    began = time.monotonic()
    with ThreadPoolExecutor(1) as executor:
        coming, running = began + 10, None
        while time.monotonic() < began + seconds or (running and not running.done()):
            now = time.monotonic()
            if running and running.done():
                running.result()
                running, coming = None, now + 10
            if running is None and coming < now < began + seconds:
                gently = now > began + seconds * (1 - QUIET)
                running = executor.submit(siege.strike, gently=gently)
            siege.sample()
            beat()
            if hanging := siege.board.hanging():
                siege.problems += hanging
                break
            time.sleep(1)


def _compare(judge: Judge, ledgers: list[Ledger], beat: Callable[[], None]) -> list[str]:
    """Ask the service for every file of every ledger; return what is other than acknowledged."""

    def one(ledger: Ledger) -> list[str]:
        start = f"user-{ledger.number:03}/"
        keys = {key[len(start) :] for key in judge.keys(start) if not key.endswith("/")}
        known = ledger.files.keys() | ledger.links.keys()
        wrong = [f"{start}{name} is missing" for name in known - keys]
        wrong += [f"{start}{name} is in no ledger" for name in keys - known - ledger.failed.keys()]
        for name in keys & ledger.files.keys():
            found = File(judge.get(start + name), judge.tags(start + name))
            if found not in (ledger.files[name], ledger.failed.get(name)):
                expected = ledger.files[name]
                wrong.append(
                    f"{start}{name}: {len(found.data)} bytes {found.data[:8]!r} {found.tags}, "
                    f"not {len(expected.data)} {expected.data[:8]!r} {expected.tags}"
                )
        beat()
        return wrong

    with ThreadPoolExecutor(4) as executor:
        return [text for wrong in executor.map(one, ledgers) for text in wrong]


def _reported(siege: Siege, ledgers: list[Ledger], missing: list[str]) -> dict[str, Any]:
    wrong = [text for ledger in ledgers for text in ledger.wrong]
    grown = [
        f"{h.path.name} grows: {h.usage[-1].grows()}" for h in siege.hosts if h.usage[-1].grows()
    ]
    calls = sum((Counter(ledger.calls) for ledger in ledgers), Counter[str]())
    return {
        "calls": sum(calls.values()),
        "acts": dict(calls),
        "excused": sum(ledger.excused for ledger in ledgers),
        "slowest_seconds": max(ledger.slowest for ledger in ledgers),
        "files": sum(len(ledger.files) for ledger in ledgers),
        "kills": siege.counts["mount_is_killed"],
        "faults": siege.counts.total(),
        "strikes": dict(siege.counts),
        "when": siege.when,
        "usage": {host.path.name: _used(host.usage[-1]) for host in siege.hosts},
        "problems": siege.problems + wrong + missing + grown,
    }


def _used(usage: Usage) -> dict[str, list[int]]:
    """Return memory in MiB and descriptors at five moments of the last mount's life."""
    last = len(usage.memory) - 1
    moments = [last * part // 4 for part in range(5)] if usage.memory else []
    return {
        "mib": [usage.memory[moment] >> 20 for moment in moments],
        "descriptors": [usage.descriptors[moment] for moment in moments],
        "seconds": [last + 1],
    }


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Put a small disk in memory there, where that is allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "soak", str(path)]
    done = subprocess.run(mount, check=False, capture_output=True)
    try:
        yield
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(path)], check=False)


def _clock(place: Path) -> Path:
    """Compile what sets the clock of a process."""
    made = place / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made
