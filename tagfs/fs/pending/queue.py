"""Changes that a program was told of before the service has them: one queue for all of them.

A name that was taken away while its file is open, and may be given anew at once; what was set on a
temporary file; a closed file; an upload that is slow: each is a `Change` of one subject, due at a
time. It is begun once, by whoever claims it first: the scheduler when it is due, `flush` before
that, `taken` by who makes it part of something else, or nobody, after `cancel`. One that has begun
is waited for, so nothing that is made at its path can be struck by it.

One thread looks after what is due, a few make the changes, however many there are. What fails is
tried again, and as long as anything fails, nothing more should be answered early (`is_trusted`).

The lock guards the bookkeeping and is never held while a change is applied. `flush`, `taken` and
`cancel` must not be called by who holds what `apply` needs.
"""

import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from tagfs.errors import TagfsError
from tagfs.fs.clock import Clock
from tagfs.fs.mapping.paths import is_below
from tagfs.fs.pending.change import Change, Kind, State, Work
from tagfs.fs.pending.scheduler import Scheduler

log = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = 1.0, 60.0
"""Seconds before a change that failed is tried again: at first, and at most."""

LEVELS = {Kind.DELETE: logging.WARNING, Kind.ATTRIBUTES: logging.ERROR}
"""How the first failure is logged that nobody waits for. The change is tried again."""

THREADS = 4
"""Changes that are made at once, apart from uploads."""


class PendingChanges:
    """All changes of a mount that the service has not yet. Thread-safe."""

    def __init__(
        self, clock: Clock, pool: Callable[[int, str], Executor] = ThreadPoolExecutor
    ) -> None:
        """`pool` makes so many threads of a name."""
        self._clock = clock
        self._pool = pool
        self._lock = threading.RLock()
        self._moved_on = threading.Condition(self._lock)  # a change has another state
        self._changes: dict[tuple[Hashable, Kind], Change] = {}
        self._failing = 0
        self._threads: Executor | None = None
        self._scheduler = Scheduler(clock, "tagfs-pending", self._begin)
        self._closed = False

    @property
    def is_trusted(self) -> bool:
        """Whether more may be answered early: nothing that was fails."""
        return not self._closed and not self._failing

    def find(self, subject: Hashable, kind: Kind) -> Change | None:
        """Return what waits for a subject, or runs."""
        return self._changes.get((subject, kind))

    def add(self, subject: Hashable, kind: Kind, work: Work, delay: float = 0.0) -> None:
        """Have a change made in `delay` seconds.

        One of its kind that waits for that subject does this instead, no later than it was due;
        one that runs is followed by it.
        """
        with self._lock:
            change = self._changes.get((subject, kind))
            while change is not None and change.state is State.ENDING:
                self._moved_on.wait()
                change = self._changes.get((subject, kind))
            due = self._clock() + delay
            if change is None:
                work.acquire()
                change = Change(subject, kind, work, due)
                self._changes[subject, kind] = change
                self._push(change)
                return
            change.work = work
            if change.state is State.RUNNING:
                change.again = due if change.again is None else min(due, change.again)
            elif due < change.due:
                change.due = due
                self._push(change)

    def hasten(self, subject: Hashable, kind: Kind) -> None:
        """Have a change made now that waits, and do not wait for that."""
        change = self.find(subject, kind)
        if change is None:
            return
        with self._lock:
            if change.state is State.WAITING:
                change.due = self._clock()
                self._push(change)

    def cancel(self, subject: Hashable, kind: Kind) -> bool:
        """Take a change back. False if there was none to take back, or it had begun: it is over.

        One that fails while it is waited for is taken back as well: it is not tried again.
        """
        change = self.find(subject, kind)
        if change is None:
            return False
        with self._lock:
            change.again = None
            is_ours = self._claim(change, wait=True)
        if is_ours:
            self._end(change)
        return is_ours

    @contextmanager
    def held_back(self, subject: Hashable, kind: Kind) -> Iterator[None]:
        """Let a change neither be under way nor begin; what is done meanwhile must be brief."""
        with self._lock:
            while (change := self.find(subject, kind)) is not None and change.is_busy:
                self._moved_on.wait()
            yield

    @contextmanager
    def taken(self, subject: Hashable, kind: Kind) -> Iterator[Change | None]:
        """Make a change as part of something else: it is over then, or waits on if that fails."""
        change = self.find(subject, kind)
        if change is None or not self._claim(change, wait=True):
            yield None
            return
        try:
            yield change
        except BaseException:
            with self._lock:
                self._wait_until(change, change.due)
            raise
        self._succeeded(change)

    def flush(self, subject: Hashable, kind: Kind) -> None:
        """Make a change now, if there is one.

        Raises:
            TagfsError: it was not made, and waits on unless that is of no use.
        """
        change = self.find(subject, kind)
        if change is not None:
            self._flush(change)

    def flush_below(self, directory: str, kind: Kind) -> None:
        """Make all changes of what lies in a directory, at any depth, several at once.

        Raises:
            TagfsError: one was not made; all were tried.
        """
        changes = [change for change in self.all(kind) if is_below(change.path, directory)]
        for _change, error in self._try_all(changes):
            raise error

    def all(self, kind: Kind) -> list[Change]:
        """Return all changes of a kind."""
        if not self._changes:
            return []
        with self._lock:
            return [change for change in self._changes.values() if change.kind is kind]

    def close(self) -> list[tuple[Change, Exception]]:
        """Make everything, kind by kind; return what fails, which stays undone."""
        with self._lock:
            self._closed = True
            self._moved_on.notify_all()
        self._scheduler.close()
        failed = [failure for kind in Kind for failure in self._try_all(self.all(kind))]
        if self._threads is not None:
            self._threads.shutdown()
        return failed

    # Making changes: without the lock

    def _try_all(self, changes: list[Change]) -> list[tuple[Change, Exception]]:
        """Make changes now; return what fails."""
        if len(changes) > 1:
            tries = [self._executor().submit(self._try, change) for change in changes]
            results = [(change, done.result()) for change, done in zip(changes, tries, strict=True)]
        else:
            results = [(change, self._try(change)) for change in changes]
        return [(change, error) for change, error in results if error is not None]

    def _try(self, change: Change) -> Exception | None:
        try:
            self._flush(change)
        except Exception as error:  # noqa: BLE001  (whoever asked for it raises or logs it)
            return error
        return None

    def _flush(self, change: Change) -> None:
        while self._claim(change, wait=True):
            self._run(change)

    def _claim(self, change: Change, *, wait: bool) -> bool:
        """Be the one that makes a change; False if it is over, or runs and is not waited for."""
        with self._lock:
            while wait and change.is_busy:
                self._moved_on.wait()
            is_ours = change.state is State.WAITING
            if is_ours:
                change.state = State.RUNNING
            return is_ours

    def _run(self, change: Change) -> None:
        """Make a change that was claimed; what fails waits for another try, unless that is final.

        Raises:
            Exception: what it failed with.
        """
        try:
            change.work.apply()
        except BaseException as error:
            self._failed(change, error)
            raise
        self._succeeded(change)

    def _succeeded(self, change: Change) -> None:
        with self._lock:
            self._count(change, 0)
            if change.again is not None:
                self._wait_until(change, change.again)
                return
        self._end(change)

    def _failed(self, change: Change, error: BaseException) -> None:
        is_final = isinstance(error, Exception) and change.work.is_final(error)
        with self._lock:
            if not is_final:
                self._count(change, change.failures + 1)
                wait = min(LAST_RETRY, FIRST_RETRY * 2 ** min(change.failures - 1, 9))
                self._wait_until(change, self._clock() + wait)
                return
            if change.again is not None:
                self._wait_until(change, change.again)
                return
        self._end(change)

    def _end(self, change: Change) -> None:
        """Let go of a change that was claimed."""
        with self._lock:
            self._count(change, 0)
            change.state = State.ENDING
        try:
            change.work.release()
        except Exception:
            log.exception("%s: a bug in tagfs", change.path)
        with self._lock:
            change.state = State.OVER
            del self._changes[change.subject, change.kind]
            self._moved_on.notify_all()

    def _run_due(self, change: Change) -> None:
        """Make a change in a thread for that, unless somebody has it already."""
        if self._closed or change.due > self._clock() or not self._claim(change, wait=False):
            return
        try:
            self._run(change)
        except TagfsError as error:
            if change.state is State.OVER:
                log.error("%s: %s: %s", change.path, change.kind.value, error)  # noqa: TRY400
            else:
                level = LEVELS[change.kind] if change.failures == 1 else logging.DEBUG
                log.log(level, "%s: %s yet: %s", change.path, change.kind.value, error)
        except Exception:
            log.exception("%s: %s: a bug in tagfs", change.path, change.kind.value)

    def _begin(self, change: Change) -> None:
        with self._lock:
            is_due = change.state is State.WAITING and change.due <= self._clock()
            if is_due and not self._closed:
                self._executor().submit(self._run_due, change)

    def _executor(self) -> Executor:
        with self._lock:
            if self._threads is None:
                self._threads = self._pool(THREADS, "tagfs-pending")
            return self._threads

    # Under the lock

    def _wait_until(self, change: Change, due: float) -> None:
        change.state, change.due, change.again = State.WAITING, due, None
        self._push(change)
        self._moved_on.notify_all()

    def _push(self, change: Change) -> None:
        if change.due <= self._clock():
            self._begin(change)
        else:
            self._scheduler.at(change.due, change)

    def _count(self, change: Change, failures: int) -> None:
        self._failing += (failures > 0) - (change.failures > 0)
        change.failures = failures
