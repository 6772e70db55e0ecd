"""Changes that a program was told of before the service has them: one queue for all of them.

A name that was taken away while its file is open, and may be given anew at once, is such a change:
a deletion that waits a moment. Each is a `Change` of one path, due at a time. It is begun once, by
whoever claims it first: the scheduler when it is due, `flush` before that, or nobody, after
`cancel`. One that has begun is waited for, so nothing that is made at its path can be struck by it.

One thread looks after what is due, a few make the changes, however many paths there are.

`_lock` guards the bookkeeping and is never held while a change is applied. `flush` and `cancel`
must not be called by who holds what `apply` needs.
"""

import enum
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tagfs.errors import TagfsError
from tagfs.fs.mapping.paths import is_below

log = logging.getLogger(__name__)

FIRST_RETRY, LAST_RETRY = 1.0, 60.0
"""Seconds before a change that failed is tried again: at first, and at most."""

THREADS = 4
"""Changes that are made at once."""


class Kind(enum.Enum):
    """What is done to the object of a path; the value says what it is until then."""

    DELETE = "unlinked, but not deleted"


class State(enum.Enum):
    """WAITING and claimed by nobody, RUNNING, or over: made, cancelled or given up."""

    WAITING = enum.auto()
    RUNNING = enum.auto()
    OVER = enum.auto()


@dataclass(slots=True, eq=False)
class Change:
    """One change that is still to be made.

    Attributes:
        apply: makes the service have it; raises if it does not.
        is_final: says of a failure whether trying again is of no use.
        due: when it is to begin (of the clock, seconds).
        again: whether it was asked for once more while it ran.
        failures: one after the other.
    """

    path: str
    kind: Kind
    apply: Callable[[], None]
    is_final: Callable[[Exception], bool]
    due: float
    state: State = State.WAITING
    again: bool = False
    failures: int = 0


def never(_error: Exception) -> bool:
    """Say that a failed change is always worth another try."""
    return False


class PendingChanges:
    """All changes of a mount that the service has not yet. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Condition()
        self._changes: dict[tuple[str, Kind], Change] = {}
        self._heap: list[tuple[float, int, Change]] = []
        self._numbers = itertools.count()
        self._executor: ThreadPoolExecutor | None = None
        self._scheduler: threading.Thread | None = None
        self._closed = False

    def find(self, path: str, kind: Kind) -> Change | None:
        """Return what waits for a path, or runs."""
        return self._changes.get((path, kind))

    def add(
        self,
        path: str,
        kind: Kind,
        apply: Callable[[], None],
        delay: float = 0.0,
        is_final: Callable[[Exception], bool] = never,
    ) -> None:
        """Have a change made in `delay` seconds.

        One of its kind that waits for that path is replaced by it; one that runs is followed by it.
        """
        with self._lock:
            old = self._changes.get((path, kind))
            if old is not None and old.state is State.RUNNING:
                old.apply, old.is_final, old.again = apply, is_final, True
                return
            if old is not None:
                self._end(old)
            change = Change(path, kind, apply, is_final, self._clock() + delay)
            self._changes[path, kind] = change
            self._push(change)

    def cancel(self, path: str, kind: Kind) -> bool:
        """Take a change back. False if there was none to take back, or it had begun: it is over.

        One that fails while it is waited for is taken back as well: it is not tried again.
        """
        with self._lock:
            change = self._changes.get((path, kind))
            if change is None:
                return False
            change.again = False
            self._lock.wait_for(lambda: change.state is not State.RUNNING)
            if change.state is State.OVER:
                return False
            self._end(change)
            return True

    def flush(self, path: str, *kinds: Kind) -> None:
        """Make all changes of a path now, or those of some kinds.

        Raises:
            TagfsError: one was not made, and waits on.
        """
        self._flush(c for c in self._all() if c.path == path and (not kinds or c.kind in kinds))

    def flush_below(self, directory: str, *kinds: Kind) -> None:
        """Make all changes of what lies in a directory, at any depth.

        Raises:
            TagfsError: one was not made, and waits on.
        """
        self._flush(
            c for c in self._all() if is_below(c.path, directory) and (not kinds or c.kind in kinds)
        )

    def close(self) -> Iterator[tuple[Change, Exception]]:
        """Make everything; yield what fails, which stays undone."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        for change in self._all():
            try:
                self._flush([change])
            except Exception as error:  # noqa: BLE001  (whoever closes tells of it)
                yield change, error
        if self._scheduler is not None:
            self._scheduler.join()
        if self._executor is not None:
            self._executor.shutdown()

    def _all(self) -> list[Change]:
        if not self._changes:
            return []
        with self._lock:
            return list(self._changes.values())

    def _flush(self, changes: Iterable[Change]) -> None:
        for change in changes:
            while change.state is not State.OVER:
                if self._claim(change):
                    self._run(change)
                else:
                    self._wait(change)

    def _wait(self, change: Change) -> None:
        with self._lock:
            self._lock.wait_for(lambda: change.state is not State.RUNNING)

    def _claim(self, change: Change) -> bool:
        with self._lock:
            is_ours = change.state is State.WAITING
            if is_ours:
                change.state = State.RUNNING
            return is_ours

    def _run(self, change: Change) -> None:
        """Make a change that was claimed; what fails waits for another try, unless that is final.

        Raises:
            Exception: what it failed with.
        """
        while True:
            try:
                change.apply()
            except BaseException as error:
                self._failed(change, error)
                raise
            with self._lock:
                if not change.again:
                    self._end(change)
                    return
                change.again = False

    def _failed(self, change: Change, error: BaseException) -> None:
        with self._lock:
            change.again = False
            is_bug = not isinstance(error, TagfsError)
            if is_bug or (isinstance(error, Exception) and change.is_final(error)):
                self._end(change)
                return
            change.failures += 1
            wait = min(LAST_RETRY, FIRST_RETRY * 2 ** (change.failures - 1))
            change.state, change.due = State.WAITING, self._clock() + wait
            self._push(change)
            self._lock.notify_all()

    def _run_due(self, change: Change) -> None:
        """Make a change in a thread for that, unless somebody has it already."""
        if self._closed or not self._claim(change):
            return
        try:
            self._run(change)
        except TagfsError as error:
            if change.state is State.OVER:
                log.error("%s: %s: %s", change.path, change.kind.value, error)  # noqa: TRY400
            else:
                level = logging.WARNING if change.failures == 1 else logging.DEBUG
                log.log(level, "%s: %s yet: %s", change.path, change.kind.value, error)
        except Exception:
            log.exception("%s: %s: a bug in tagfs", change.path, change.kind.value)

    # Under the lock

    def _push(self, change: Change) -> None:
        heapq.heappush(self._heap, (change.due, next(self._numbers), change))
        if self._scheduler is None and not self._closed:
            self._executor = ThreadPoolExecutor(THREADS, "tagfs-pending")
            self._scheduler = threading.Thread(
                target=self._schedule, name="tagfs-pending", daemon=True
            )
            self._scheduler.start()
        self._lock.notify_all()

    def _end(self, change: Change) -> None:
        change.state = State.OVER
        if self._changes.get((change.path, change.kind)) is change:
            del self._changes[change.path, change.kind]
        self._lock.notify_all()

    def _schedule(self) -> None:
        with self._lock:
            while not self._closed:
                now = self._clock()
                while self._heap and self._heap[0][0] <= now:
                    change = heapq.heappop(self._heap)[2]
                    if change.state is State.WAITING and change.due <= now and self._executor:
                        self._executor.submit(self._run_due, change)
                self._lock.wait(self._heap[0][0] - now if self._heap else None)
