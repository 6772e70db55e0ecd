"""How many requests may be under way: as many as were chosen, fewer while a service throttles.

As TCP does it: an answer of "slow down" halves them, and each round of other answers gives one
back. Whoever waits for a slot sends nothing, so a service that has too much to do gets less of it,
and what is sent is not refused again and again until its time is over.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

NEVER: Final = float("-inf")


class Slots:
    """Slots for requests. Thread-safe."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._allowed = float(most)
        self._taken = 0
        self._reduced_at = NEVER
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many requests may be under way now."""
        return int(self._allowed)

    @property
    def taken(self) -> int:
        """How many requests are under way."""
        return self._taken

    def acquire(self, timeout: float) -> bool:
        """Take a slot; say whether one was free within so many seconds."""
        with self._changed:
            free = self._changed.wait_for(self._is_free, timeout)
            self._taken += free
            return free

    def try_acquire(self) -> bool:
        """Take a slot if one is free now; say whether."""
        with self._changed:
            free = self._is_free()
            self._taken += free
            return free

    def release(self) -> None:
        """Give a slot back."""
        with self._changed:
            if not self._taken:
                raise ValueError("a slot is given back that nobody took")
            self._taken -= 1
            self._changed.notify()

    def on_throttled(self, began: float) -> None:
        """Allow half as many from now on: a request that `began` then was told to slow down.

        Not again for one that was under way before that.
        """
        with self._changed:
            if began <= self._reduced_at:
                return
            self._reduced_at = self._clock()
            self._allowed = max(1.0, self._allowed // 2)
        log.debug("the service asks for less: %d requests at a time", self.allowed)

    def on_answer(self) -> None:
        """Allow one more when as many as are allowed were answered."""
        if self._allowed >= self._most:
            return
        with self._changed:
            self._allowed = min(float(self._most), self._allowed + 1 / self._allowed)
            self._changed.notify()

    def _is_free(self) -> bool:
        return self._taken < int(self._allowed)
