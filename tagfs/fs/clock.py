"""The clock of a mount: seconds that only grow, and waiting for one of them.

Every part that measures time takes it from `FsContext`, so that a test can stand in for it.
"""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def __call__(self) -> float:
        """Return seconds since some moment; they never run back."""
        ...

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        """Wait for a condition whose lock is held, at most so long; None: for ever."""
        ...


class MonotonicClock:
    """The clock of this host."""

    def __call__(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        """Wait for a condition."""
        condition.wait(seconds)
