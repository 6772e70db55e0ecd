"""Content that was read ahead of its reader: within the budget of memory, for a moment."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.context import FRESH_WITHIN
from tagfs.store.objects import Content


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Content that was asked for; `began` in seconds of the buffer's clock."""

    began: float
    size: int
    future: Future[Content | None]


class ContentBuffer:
    """Whole contents of small files, by path. Thread-safe.

    What nobody came for while it was recent is dropped by a timer.
    """

    def __init__(self, budget: MemoryBudget, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._lock = threading.Lock()
        self._contents: dict[str, _Ahead] = {}
        self._sweeper: threading.Timer | None = None

    def reserve(self, path: str, size: int) -> Future[Content | None] | None:
        """Take memory for content that is about to be asked for; return where to put it.

        None: it is here or under way, or there is no memory for it.
        """
        future: Future[Content | None] = Future()
        with self._lock:
            if path in self._contents or not self._budget.has_room(size):
                return None
            self._budget.take(size)
            self._contents[path] = _Ahead(self._clock(), size, future)
            if self._sweeper is None:
                self._start_sweeper()
        return future

    def take(self, path: str) -> Content | None:
        """Hand over what was asked for at most FRESH_WITHIN ago, once; wait for it if need be."""
        with self._lock:
            ahead = self._contents.pop(path, None)
        if ahead is None:
            return None
        self._budget.give_back(ahead.size)
        return None if self._clock() - ahead.began > FRESH_WITHIN else ahead.future.result()

    def sweep(self) -> None:
        """Drop what nobody came for."""
        limit = self._clock() - FRESH_WITHIN
        with self._lock:
            for path, ahead in list(self._contents.items()):
                if ahead.began < limit:
                    del self._contents[path]
                    self._budget.give_back(ahead.size)
            self._sweeper = None
            if self._contents:
                self._start_sweeper()

    def close(self) -> None:
        """Stop the timer."""
        with self._lock:
            sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()

    def _start_sweeper(self) -> None:
        self._sweeper = threading.Timer(2 * FRESH_WITHIN, self.sweep)
        self._sweeper.daemon = True
        self._sweeper.start()
