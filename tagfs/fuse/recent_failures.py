"""The last failures of a mount, for its status."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 10
"""Failures that are remembered: few, for an extended attribute holds 64 KiB."""
LONGEST = 400
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure: when (seconds since the epoch), of which call, on which path, and why."""

    time: float
    operation: str
    path: str | None
    error: str


class RecentFailures:
    """Remembers the last failures. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[Failure] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, operation: str, path: str | None, error: str) -> None:
        """Remember a failure."""
        failure = Failure(round(self._clock(), 3), operation, path, error[:LONGEST])
        with self._lock:
            self._failures.append(failure)
            self._count += 1

    def report(self) -> dict[str, Any]:
        """Return how many there were, and the last ones, the latest first."""
        with self._lock:
            return {
                "errors": self._count,
                "last_errors": [asdict(failure) for failure in reversed(self._failures)],
            }
