"""Runs work on many things: in parallel, in a bounded window, with answers in the order of asking.

Ctrl-C and SIGTERM let it take no more, drop what has not begun and wait for what has; a second
Ctrl-C ends the program at once.
"""

import contextlib
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD: Final = 4
"""Things waiting for each thread, so that a slow one at the head does not stop the others."""


class Stop:
    """Whether it was asked to stop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        """Ask to stop."""
        self._event.set()


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a request to stop; the next has its usual effect."""
    stop = Stop()
    signals = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.getsignal(number) for number in signals}

    def ask(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, former[signal.Signals(number)] or signal.SIG_DFL)
        sys.stderr.write("\nstopping: what has begun is finished; once more to end at once\n")

    for number in signals:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number in signals:
            signal.signal(number, former[number] or signal.SIG_DFL)


class OrderedPool(Generic[T, R]):
    """Applies `work` to things.

    Args:
        identity: things with the same identity are worked on one after the other, in order.
    """

    def __init__(
        self,
        work: Callable[[T], R],
        identity: Callable[[T], Hashable],
        stop: Stop,
        parallel: int,
    ) -> None:
        self._work = work
        self._identity = identity
        self._stop = stop
        self._parallel = parallel
        self._waiting: deque[tuple[Future[R], Hashable]] = deque()
        self._busy: Counter[Hashable] = Counter()

    def run(self, things: Iterable[T]) -> Iterator[R]:
        """Yield what `work` returns for each thing, in their order."""
        executor = ThreadPoolExecutor(self._parallel, "tagfs-tag")
        try:
            yield from self._run(things, executor)
        finally:
            executor.shutdown(cancel_futures=True)

    def _run(self, things: Iterable[T], executor: ThreadPoolExecutor) -> Iterator[R]:
        window = self._parallel * AHEAD
        for thing in things:
            identity = self._identity(thing)
            while self._waiting and (len(self._waiting) >= window or identity in self._busy):
                yield from self._take()
            if self._stop:
                break
            self._waiting.append((executor.submit(self._work, thing), identity))
            self._busy[identity] += 1
            # What is ready at the head goes out now: output and progress are not held back.
            while self._waiting and self._waiting[0][0].done():
                yield from self._take()
        while self._waiting:
            yield from self._take()

    def _take(self) -> Iterator[R]:
        """Yield the answer at the head, unless it was stopped before it began; heed a stop."""
        future, identity = self._waiting.popleft()
        self._busy[identity] -= 1
        if not self._busy[identity]:
            del self._busy[identity]
        if not future.cancelled():
            yield future.result()
        if self._stop:
            for waiting, _ in self._waiting:
                waiting.cancel()
