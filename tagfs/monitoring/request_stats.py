"""What a mount asks of its service: counted by kind, and per second lately."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tagfs.store.http.messages import FIRST_FAILURE, Attempt

WINDOW = 10
"""Seconds that rates are taken over."""
_THROTTLED = frozenset({429, 503})


@dataclass(slots=True)
class _Second:
    """One second's requests and bytes of bodies."""

    at: int
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class RequestStats:
    """Counts the attempts of a mount. Thread-safe; `clock` is in monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: Counter[str] = Counter()
        self._bytes_in = self._bytes_out = self._failed = self._throttled = 0
        self._seconds: deque[_Second] = deque(maxlen=WINDOW + 1)

    def __call__(self, attempt: Attempt) -> None:
        """Count one attempt."""
        kind = f"{attempt.method} {attempt.subresource}" if attempt.subresource else attempt.method
        with self._lock:
            self._kinds[kind] += 1
            self._bytes_in += attempt.bytes_in
            self._bytes_out += attempt.bytes_out
            self._failed += attempt.status == 0 or attempt.status >= FIRST_FAILURE
            self._throttled += attempt.status in _THROTTLED
            second = self._second(int(self._clock()))
            second.requests += 1
            second.bytes_in += attempt.bytes_in
            second.bytes_out += attempt.bytes_out

    def report(self) -> dict[str, Any]:
        """Return the totals by name, and what a second brought lately (rates, bytes a second)."""
        with self._lock:
            now = int(self._clock())
            recent = [s for s in self._seconds if now - WINDOW <= s.at < now]
            return {
                "requests": dict(self._kinds),
                "bytes_in": self._bytes_in,
                "bytes_out": self._bytes_out,
                "attempts_failed": self._failed,
                "attempts_throttled": self._throttled,
                "per_second": {
                    "requests": sum(s.requests for s in recent) / WINDOW,
                    "bytes_in": sum(s.bytes_in for s in recent) / WINDOW,
                    "bytes_out": sum(s.bytes_out for s in recent) / WINDOW,
                },
            }

    def _second(self, now: int) -> _Second:
        if not self._seconds or self._seconds[-1].at != now:
            self._seconds.append(_Second(now))
        return self._seconds[-1]
