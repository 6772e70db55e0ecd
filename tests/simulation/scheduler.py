"""Tasks that take turns, on a clock that moves only when all of them wait: one seed, one order.

A task is a greenlet, so only one runs, and it runs on until it reaches a point at which a thread
might lose its turn: a lock, a condition, a queue, a request, a timer. There the seed decides who is
next, and whether a task stalls for a while, as a process does that the host gives no time.

Whatever is not decided by the seed here would make runs differ, so nothing in this package asks the
host's clock, its entropy, the order of a set, or the address of an object.
"""

import heapq
import itertools
import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from greenlet import GreenletExit, getcurrent, greenlet

POINTS = 60_000
"""Points of one run above which it is taken for endless."""

SWITCHES = (0.02, 0.1, 0.3, 1.0)
"""How likely a turn ends at a point, by run: long turns find other mistakes than short ones."""

STALLS = (0.0, 0.0, 0.0, 0.003, 0.02, 0.3)
"""How likely a task stalls at a point, by task: one that the host gives no time among many."""

LONGEST_STALL = 3.0
"""Seconds."""


class Stuck(Exception):
    """All wait for one another, or it goes on for ever; says where each task is."""


class Dead(BaseException):
    """The mount has died: raised in the calls that programs were in."""


class Task:
    """What a thread would be.

    Attributes:
        host: of which host it is part; it ends with that. None: of none.
        is_program: it makes calls of a mount: when that dies they fail, and the task goes on.
        is_cut: that has happened.
        stall: how likely it stalls at a point.
        rank: who is highest goes first, in runs that go by rank.
        deadline: when it stops waiting; None: never.
        woken: whether another task ended its wait.
    """

    def __init__(self, name: str, host: str | None, rank: float, stall: float) -> None:
        self.name = name
        self.stall = stall
        self.host = host
        self.rank = rank
        self.deadline: float | None = None
        self.woken = False
        self.is_over = False
        self.is_program = False
        self.is_cut = False
        self.greenlet: greenlet | None = None
        self.joining: list[Task] = []


class Simulation:
    """Runs tasks in an order that its seed decides.

    Attributes:
        now: seconds.
        trace: what was done, by whom and when.
        current: the task whose turn it is; None outside of the run.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 1000.0
        self.trace: list[str] = []
        self.current: Task | None = None
        self.decisions = 0
        self.ending = False
        self._switch = self.chance.choice(SWITCHES)
        self._by_rank = self.chance.random() < 0.3
        self._hub = getcurrent()
        self._tasks: list[Task] = []
        self._ready: list[Task] = []
        self._timers: list[tuple[float, int, Task]] = []
        self._numbers = itertools.count()
        self._points = 0
        self._dead: set[str] = set()

    # For whoever sets a run up

    def run(self, work: Callable[[], None], name: str = "main") -> None:
        """Run a task, and all that it begins, until it is over.

        Raises:
            Stuck, or what the task raises
        """
        failed: list[BaseException] = []

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001  to be raised where `run` was called
                failed.append(error)

        main = self.spawn(name, guarded)
        while not main.is_over:
            self._turn()
        if failed:
            raise failed[0]

    def close(self) -> None:
        """End all that still waits, with everything that it holds."""
        self.ending = True
        self.current = None
        for task in self._tasks:
            for _ in range(20):
                if task.greenlet is None or not task.greenlet:
                    break
                with suppress(Exception):  # of what is tidied up after its host has died
                    task.greenlet.throw(GreenletExit)
            task.greenlet = None

    def spawn(self, name: str, work: Callable[[], object], host: str | None = None) -> Task:
        """Begin a task; without a host of its own it is part of that of who begins it."""
        if host is None and self.current is not None:
            host = self.current.host
        task = Task(name, host, self.chance.random(), self.chance.choice(STALLS))

        def whole() -> None:
            try:
                work()
            finally:
                task.is_over = True
                if not self.ending:
                    self.wake(task.joining)

        task.greenlet = greenlet(whole, self._hub)
        self._tasks.append(task)
        if host not in self._dead:
            self._ready.append(task)
        return task

    def crash(self, host: str) -> None:
        """Let all tasks of a host stop where they are, for ever; but for those of programs.

        Raises:
            Dead: in a program's call, as in all others of them.
        """
        self.note(f"{host} dies")
        self._dead.add(host)
        self._ready = [task for task in self._ready if task.host != host]
        for task in self._tasks:
            if task.host == host and task.is_program and not task.is_over:
                task.is_cut, task.deadline = True, None
                if task is not self.current:
                    self._ready.append(task)
        if self.current is not None and self.current.host == host:
            if self.current.is_program:
                raise Dead
            self._to_hub()

    def is_dead(self, task: Task) -> bool:
        """Say whether a task ended with its host."""
        return task.host in self._dead and not task.is_program

    def is_down(self, host: str) -> bool:
        """Say whether a host has died."""
        return host in self._dead

    @contextmanager
    def on(self, host: str) -> Iterator[None]:
        """Let what the current task begins meanwhile be of a host."""
        task = self.current
        assert task is not None
        task.host, before = host, task.host
        try:
            yield
        finally:
            task.host = before

    # For whoever has the turn

    def note(self, text: str) -> None:
        """Write down what is done."""
        who = self.current.name if self.current is not None else "-"
        self.trace.append(f"{self.now - 1000:9.4f} {who:14} {text}")

    def point(self) -> None:
        """Perhaps let another go on, or stall."""
        task = self.current
        if task is None:
            return
        self._points += 1
        if task.is_cut:
            return
        drawn = self.chance.random()
        if drawn < task.stall:
            self.sleep(self.chance.random() ** 3 * LONGEST_STALL)
        elif drawn < task.stall + self._switch or self._points > POINTS:
            if self._by_rank and self.chance.random() < 0.05:
                task.rank = self.chance.random()
            self._ready.append(task)
            self._to_hub()

    def sleep(self, seconds: float) -> None:
        """Wait until the time has come."""
        self.wait([], seconds)

    def wait(self, queue: list[Task], seconds: float | None = None) -> bool:
        """Wait in a queue until another wakes the task; False if its time was over before that."""
        task = self.current
        if task is None:
            if self.ending:
                raise GreenletExit
            raise Stuck("only a task can wait")
        if task.is_cut:
            raise Dead
        task.woken = False
        task.deadline = None
        queue.append(task)
        if seconds is not None:
            task.deadline = self.now + max(seconds, 0.0)
            heapq.heappush(self._timers, (task.deadline, next(self._numbers), task))
        self._to_hub()
        if task in queue:
            queue.remove(task)
        return task.woken

    def wake(self, queue: list[Task], number: int | None = None) -> None:
        """Let the first who wait in a queue go on; all of them without a number."""
        while queue and (number is None or number > 0):
            task = queue.pop(0)
            if self.is_dead(task) or task.is_over or task.is_cut:
                continue
            task.woken, task.deadline = True, None
            self._ready.append(task)
            if number is not None:
                number -= 1

    def join(self, task: Task, seconds: float | None = None) -> bool:
        """Wait for the end of a task."""
        end = None if seconds is None else self.now + seconds
        while not task.is_over:
            left = None if end is None else end - self.now
            if left is not None and left <= 0:
                return False
            self.wait(task.joining, left)
        return True

    # The hub

    def _to_hub(self) -> None:
        self._hub.switch()
        if self.current is not None and self.current.is_cut:
            raise Dead

    def _turn(self) -> None:
        if self._points > POINTS:
            raise Stuck("it goes on for ever\n" + self._places())
        if not self._ready:
            self._advance()
        self._expire()
        number = self._pick()
        self.decisions = (self.decisions * 31 + number + 1) % 2**61
        task = self._ready.pop(number)
        assert task.greenlet is not None
        self.current = task
        try:
            task.greenlet.switch()
        finally:
            self.current = None

    def _pick(self) -> int:
        if self._by_rank:
            return max(range(len(self._ready)), key=lambda n: self._ready[n].rank)
        return self.chance.randrange(len(self._ready))

    def _advance(self) -> None:
        """Nobody can go on: move on to when the next one can."""
        while self._timers:
            due, _, task = self._timers[0]
            if task.deadline == due and not self.is_dead(task):
                self.now = max(self.now, due)
                return
            heapq.heappop(self._timers)
        raise Stuck("all wait for one another\n" + self._places())

    def _expire(self) -> None:
        while self._timers and self._timers[0][0] <= self.now:
            due, _, task = heapq.heappop(self._timers)
            if task.deadline == due and not self.is_dead(task):
                task.deadline = None
                self._ready.append(task)

    def _places(self) -> str:
        return "\n".join(
            f"{task.name}: {_place(task.greenlet.gr_frame)}"
            for task in self._tasks
            if task.greenlet is not None and not task.is_over and not self.is_dead(task)
        )


def _place(frame: FrameType | None) -> str:
    """Say where a task is, in the code that is simulated."""
    frames = [f for f in traceback.extract_stack(frame) if "/tagfs/" in f.filename]
    return " < ".join(f"{f.filename.rpartition('/tagfs/')[2]}:{f.lineno}" for f in frames[:-6:-1])
