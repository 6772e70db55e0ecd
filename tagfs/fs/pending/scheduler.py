"""One thread that says when something is due, however much waits."""

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from tagfs.fs.clock import Clock

T = TypeVar("T")


class Scheduler(Generic[T]):
    """Hands things over when their time has come. Thread-safe.

    Its thread begins with the first of them, and sleeps until one is due that is still wanted.
    """

    def __init__(
        self,
        clock: Clock,
        name: str,
        hand_over: Callable[[T], None],
        is_wanted: Callable[[T], bool] = lambda _thing: True,
    ) -> None:
        """`hand_over` is called by the scheduler's thread, without a lock, and must be brief.

        What `is_wanted` no longer, and is not due yet, wakes nobody: most of what waits is taken
        back before its time.
        """
        self._clock = clock
        self._name = name
        self._hand_over = hand_over
        self._is_wanted = is_wanted
        self._sooner = threading.Condition()
        self._heap: list[tuple[float, int, T]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def at(self, due: float, thing: T) -> None:
        """Have something handed over at a time; nothing is any more after `close`."""
        with self._sooner:
            if self._closed:
                return
            heapq.heappush(self._heap, (due, next(self._numbers), thing))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            if self._heap[0][2] is thing:
                self._sooner.notify()

    def close(self) -> None:
        """End the thread; what is not due yet is forgotten."""
        with self._sooner:
            self._closed = True
            self._sooner.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (due := self._take_due()) is not None:
            for thing in due:
                self._hand_over(thing)

    def _take_due(self) -> list[T] | None:
        """Wait for what is due; None at the end."""
        with self._sooner:
            while not self._closed:
                now, due = self._clock(), []
                while self._heap and self._heap[0][0] <= now:
                    due.append(heapq.heappop(self._heap)[2])
                if due:
                    return due
                while self._heap and not self._is_wanted(self._heap[0][2]):
                    heapq.heappop(self._heap)
                self._clock.wait(self._sooner, self._heap[0][0] - now if self._heap else None)
            return None
