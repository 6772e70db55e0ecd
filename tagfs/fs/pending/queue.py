"""Changes that a program takes for made before the service has them: one queue for all.

A name that was taken away while its file is open, and may be given anew at once; what was set on a
temporary file; a closed file; a staged file whose upload is slow: each is a `Change` of one
subject, due at a time. It is begun once, by whoever claims it first: the scheduler when it is due,
`flush` before that, `taken` by who makes it part of something else, or nobody, after `cancel`. One
that has begun is waited for, so nothing that is made at its path can be struck by it.

One thread looks after what is due, a few make the changes, however many there are. What fails is
tried again, and as long as anything fails, nothing more should be answered early (`is_trusted`).

The lock guards the bookkeeping and is never held while a change is applied. `flush`, `taken` and
`cancel` must not be called by who holds what `apply` needs.
"""

import functools
import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from tagfs.fs.clock import Clock
from tagfs.fs.mapping.paths import is_below
from tagfs.fs.pending.batches import try_all
from tagfs.fs.pending.change import LOCAL, Change, Kind, State, Work
from tagfs.fs.pending.failures import log_failure, retry_delay
from tagfs.fs.pending.scheduler import Scheduler
from tagfs.fs.pending.threads import ChangeThreads

log = logging.getLogger(__name__)


class PendingChanges:
    """All changes of a mount that the service has not yet. Thread-safe."""

    def __init__(self, clock: Clock, threads: ChangeThreads) -> None:
        self._clock = clock
        self._threads = threads
        self._lock = threading.RLock()
        self._moved_on = threading.Condition(self._lock)  # a change has another state
        self._changes: dict[tuple[Hashable, Kind], Change] = {}
        self._failing = 0
        self._scheduler = Scheduler(clock, "tagfs-pending", self._begin, lambda one: one.waits)
        self._accepted = frozenset(Kind)

    @property
    def is_trusted(self) -> bool:
        """Whether more may be answered early: nothing that was fails."""
        return len(self._accepted) == len(Kind) and not self._failing

    def accepts(self, kind: Kind) -> bool:
        """Whether changes of a kind are still made: not after the end."""
        return kind in self._accepted

    def find(self, subject: Hashable, kind: Kind) -> Change | None:
        """Return what waits for a subject, or runs."""
        return self._changes.get((subject, kind))

    def add(self, subject: Hashable, kind: Kind, work: Work, delay: float = 0.0) -> bool:
        """Have a change made in `delay` seconds; False after the end: none is made any more.

        One of its kind that waits for that subject does this instead, no later than it was due;
        one that runs is followed by it.
        """
        with self._lock:
            change = self._changes.get((subject, kind))
            while change is not None and change.state is State.ENDING:
                self._moved_on.wait()
                change = self._changes.get((subject, kind))
            due = self._clock() + delay
            if kind not in self._accepted:
                return False
            if change is None:
                work.acquire()
                change = Change(subject, kind, work, due)
                self._changes[subject, kind] = change
                self._push(change)
                return True
            change.work = work
            if change.state is State.RUNNING:
                change.again = due if change.again is None else min(due, change.again)
            elif due < change.due:
                change.due = due
                self._push(change)
            return True

    def hasten(self, subject: Hashable, kind: Kind) -> None:
        """Have a change made now that waits, and do not wait for that."""
        change = self.find(subject, kind)
        if change is None:
            return
        with self._lock:
            if change.state is State.WAITING:
                change.due = self._clock()
                self._push(change)

    def cancel(self, subject: Hashable, kind: Kind, *, wait: bool = True) -> bool:
        """Take a change back. False if there was none to take back, or it had begun: it is over.

        One that fails while it is waited for is taken back as well: it is not tried again. With
        `wait` false one that has begun goes on, and may be tried again.
        """
        change = self.find(subject, kind)
        if change is None:
            return False
        with self._lock:
            change.again = None
            is_ours = self._claim(change, wait=wait)
            if is_ours:
                self._ending(change)
        if is_ours:
            self._let_go(change)
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
        failed = list(try_all(changes, self._threads, self._flush))
        if failed:
            raise failed[0][1]

    def all(self, kind: Kind) -> list[Change]:
        """Return all changes of a kind."""
        if not self._changes:
            return []
        with self._lock:
            return [change for change in self._changes.values() if change.kind is kind]

    def wait_while(self, condition: Callable[[], bool]) -> None:
        """Wait as long as something holds that ends with the end or the failure of a change.

        `condition` is brief: it is asked under the lock.
        """
        with self._lock:
            self._moved_on.wait_for(lambda: not condition())

    def drain(self) -> Iterator[Exception]:
        """Make all that is due to the bucket; yield why something stays undone, as soon as known.

        Nothing of that is accepted any more; what is done to local files meanwhile goes on until
        `close`. Each failure is logged.
        """
        with self._lock:
            self._accepted = LOCAL
            self._moved_on.notify_all()
        for kind in Kind:
            if kind not in LOCAL:
                for change, error in try_all(self.all(kind), self._threads, self._flush):
                    log_failure(change, error, is_over=True)
                    yield error

    def close(self) -> None:
        """End; nothing is begun any more."""
        with self._lock:
            self._accepted = frozenset()
            self._moved_on.notify_all()
        self._scheduler.close()
        self._threads.close()

    # Making changes: without the lock

    def _flush(self, change: Change) -> None:
        while self._claim(change, wait=True):
            self._run(change, asked=True)

    def _claim(self, change: Change, *, wait: bool) -> bool:
        """Be the one that makes a change; False if it is over, or runs and is not waited for."""
        with self._lock:
            while wait and change.is_busy:
                self._moved_on.wait()
            is_ours = change.state is State.WAITING
            if is_ours:
                change.state = State.RUNNING
            return is_ours

    def _run(self, change: Change, *, asked: bool = False) -> None:
        """Make a change that was claimed; what fails waits for another try, unless that is final.

        If it was `asked` for now, the next try comes no later for its failure.

        Raises:
            Exception: what it failed with.
        """
        try:
            change.work.apply()
        except BaseException as error:
            self._failed(change, error, asked=asked)
            raise
        self._succeeded(change)

    def _succeeded(self, change: Change) -> None:
        with self._lock:
            self._count(change, 0)
            if change.again is not None:
                self._wait_until(change, change.again)
                return
            self._ending(change)
        self._let_go(change)

    def _failed(self, change: Change, error: BaseException, *, asked: bool) -> None:
        is_final = isinstance(error, Exception) and change.work.is_final(error)
        with self._lock:
            if not is_final:
                now, planned = self._clock(), change.due
                self._count(change, max(change.failures, 1) if asked else change.failures + 1)
                due = now + retry_delay(change.failures)
                self._wait_until(change, min(due, planned) if asked and planned > now else due)
                return
            if change.again is not None:
                self._wait_until(change, change.again)
                return
            self._ending(change)
        self._let_go(change)

    def _let_go(self, change: Change) -> None:
        """Give back what a change holds that is at its end."""
        try:
            change.work.release()
        except Exception:
            log.exception("%s: a bug in tagfs", change.path)
        with self._lock:
            change.state = State.OVER
            del self._changes[change.subject, change.kind]
            self._moved_on.notify_all()

    def _run_due(self, change: Change) -> None:
        """Make a change in a thread for that, unless another has it already."""
        if change.kind not in self._accepted or change.due > self._clock():
            return
        if not self._claim(change, wait=False):
            return
        try:
            self._run(change)
        except Exception as error:  # noqa: BLE001  (nobody else hears of it)
            log_failure(change, error, is_over=change.state is State.OVER)

    def _begin(self, change: Change) -> None:
        with self._lock:
            is_due = change.state is State.WAITING and change.due <= self._clock()
            if is_due and change.kind in self._accepted:
                self._threads.submit(change.kind, functools.partial(self._run_due, change))

    # Under the lock

    def _wait_until(self, change: Change, due: float) -> None:
        change.state, change.due, change.again = State.WAITING, due, None
        self._push(change)
        self._moved_on.notify_all()

    def _ending(self, change: Change) -> None:
        self._count(change, 0)
        change.state = State.ENDING

    def _push(self, change: Change) -> None:
        if change.due <= self._clock():
            self._begin(change)
        else:
            self._scheduler.at(change.due, change)

    def _count(self, change: Change, failures: int) -> None:
        self._failing += (failures > 0) - (change.failures > 0)
        change.failures = failures
