"""Load: many processes at mixed work on one mount, and what the mount uses meanwhile."""

import errno
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PROCESSES = 64
SIZES = (0, 1, 100, 4096, 20_000, 150_000)
SLOW = 60.0
"""Seconds that no call may take."""


@dataclass
class Usage:
    """Resident memory (bytes) and descriptors of a process, once a second."""

    pid: int
    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def sample(self) -> None:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        self.memory.append(pages * os.sysconf("SC_PAGE_SIZE"))
        self.descriptors.append(len(os.listdir(f"/proc/{self.pid}/fd")))

    def grows(self) -> str:
        """Say what still grew over the second half: its last quarter against the one before."""
        reported = []
        for name, values, slack in (
            ("memory", self.memory, 8 * 1024**2),
            ("descriptors", self.descriptors, 40),
        ):
            quarter = max(len(values) // 4, 1)
            before, last = values[-2 * quarter : -quarter] or values[:1], values[-quarter:]
            if min(last) > max(before) * 1.05 + slack:
                reported.append(f"{name} from {max(before)} to {min(last)}")
        return ", ".join(reported)


@dataclass
class Reported:
    """What all workers together did."""

    calls: int = 0
    slowest: float = 0.0
    errors: list[str] = field(default_factory=list)


def run_load(
    path: Path,
    pid: int,
    seconds: float,
    processes: int = PROCESSES,
    beat: Callable[[], None] = lambda: None,
) -> tuple[Reported, Usage]:
    """Let processes work for so long; the mount has this `pid`."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(path, number, seconds, results), daemon=True)
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    usage, reported = Usage(pid), Reported()
    end = time.monotonic() + seconds + SLOW
    while any(worker.is_alive() for worker in workers) and time.monotonic() < end:
        usage.sample()
        beat()
        _gather(results, reported)
        time.sleep(min(1.0, seconds / 10))
    _gather(results, reported)
    for worker in workers:
        if worker.is_alive():
            reported.errors.append(f"process {worker.pid} hangs")
            worker.kill()
        worker.join(5)
    return reported, usage


def _gather(results, reported: Reported) -> None:
    while not results.empty():
        calls, slowest, error = results.get()
        reported.calls += calls
        reported.slowest = max(reported.slowest, slowest)
        if error:
            reported.errors.append(error)


def _work(path: Path, number: int, seconds: float, results) -> None:
    worker = Worker(path, number)
    error = ""
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            worker.step()
        worker.finish()
    except BaseException as failure:  # noqa: BLE001  reported by the parent
        error = f"worker {number}: {failure!r}"
    results.put((worker.calls, worker.slowest, error))
    os._exit(0)  # nothing of the parent's is to be cleaned up here


class Worker:
    """One process: files of its own, checked whenever they are read, and a shared directory."""

    def __init__(self, path: Path, number: int) -> None:
        self._chance = random.Random(number)
        self._own = path / f"worker-{number}"
        self._shared = path / "shared"
        self._files: dict[str, bytes] = {}
        self._tags: dict[str, bytes] = {}
        self.calls = 0
        self.slowest = 0.0
        self._do(lambda: self._own.mkdir(exist_ok=True))
        self._do(lambda: self._shared.mkdir(exist_ok=True))

    def step(self) -> None:
        acts = [self._write, self._write, self._append, self._read, self._read]
        acts += [self._rename, self._tag, self._list, self._unlink, self._storm, self._share]
        self._chance.choice(acts)()

    def finish(self) -> None:
        """Read everything once more."""
        for name in list(self._files):
            self._check(name)

    def _do(self, call):
        began = time.monotonic()
        result = call()
        self.calls += 1
        self.slowest = max(self.slowest, time.monotonic() - began)
        return result

    def _name(self) -> str:
        return self._chance.choice("abcdef")

    def _write(self) -> None:
        name = self._name()
        data = self._chance.randbytes(self._chance.choice(SIZES))
        self._do(lambda: (self._own / name).write_bytes(data))
        self._files[name] = data

    def _append(self) -> None:
        name, data = self._name(), self._chance.randbytes(50)

        def append() -> None:
            with (self._own / name).open("ab") as file:
                file.write(data)

        self._do(append)
        self._files[name] = self._files.get(name, b"") + data

    def _check(self, name: str) -> None:
        found = self._do((self._own / name).read_bytes)
        assert found == self._files[name], f"{name}: {len(found)} bytes are not what was written"
        if name in self._tags:
            tag = self._do(lambda: os.getxattr(self._own / name, "user.tag.k"))
            assert tag == self._tags[name], f"{name}: tag {tag!r}"

    def _read(self) -> None:
        if self._files:
            self._check(self._chance.choice(sorted(self._files)))

    def _rename(self) -> None:
        if not self._files:
            return
        old, new = self._chance.choice(sorted(self._files)), self._name()
        if old != new:
            self._do(lambda: (self._own / old).rename(self._own / new))
            self._files[new] = self._files.pop(old)
            tag = self._tags.pop(old, None)
            if tag is not None:
                self._tags[new] = tag

    def _tag(self) -> None:
        if self._files:
            name = self._chance.choice(sorted(self._files))
            value = str(self._chance.randrange(100)).encode()
            self._do(lambda: os.setxattr(self._own / name, "user.tag.k", value))
            self._tags[name] = value

    def _list(self) -> None:
        found = set(self._do(lambda: os.listdir(self._own)))
        assert found == set(self._files), f"{found} is listed, {set(self._files)} is there"

    def _unlink(self) -> None:
        if self._files:
            name = self._chance.choice(sorted(self._files))
            self._do((self._own / name).unlink)
            del self._files[name]
            self._tags.pop(name, None)

    def _storm(self) -> None:
        """Open and close again and again."""
        if self._files:
            path = self._own / self._chance.choice(sorted(self._files))
            for _ in range(10):
                self._do(lambda: os.close(os.open(path, os.O_RDONLY)))

    def _share(self) -> None:
        """Replace a file that all others replace, too: what is read is always one of theirs."""
        data = bytes([self._chance.randrange(256)]) * 1000
        name = self._shared / self._chance.choice("xyz")
        self._do(lambda: name.write_bytes(data))
        try:
            found = self._do(name.read_bytes)
        except OSError as error:
            if error.errno != errno.ESTALE:  # replaced while it was read
                raise
            return
        assert len(set(found)) <= 1, "a mix of two files"
