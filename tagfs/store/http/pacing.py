"""How fast requests may follow one another: limits that whoever mounts has chosen.

Each request has its turn; what it takes is counted when it begins (a request, the bytes that it
sends, those that are expected), and whoever comes next waits for that. When it is over, what came
is counted in place of what was expected.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a second may have, over all connections; 0 for no limit.

    Attributes:
        requests: that begin.
        upload: bytes of bodies sent.
        download: bytes of bodies received.
    """

    requests: float = 0.0
    upload: int = 0
    download: int = 0


UNLIMITED = RateLimits()


class Pace:
    """Gives turns. Thread-safe."""

    def __init__(self, limits: RateLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._request_free = self._upload_free = self._download_free = 0.0  # on the clock

    def set_limits(self, limits: RateLimits) -> None:
        """Go by other limits from the next turn on; what was given before them counts no more."""
        with self._lock:
            self._limits = limits
            self._request_free = self._upload_free = self._download_free = 0.0

    def turn(self, size: int, expected: int = 0, *, at_once: bool = False) -> float | None:
        """Take the next turn, for a body of `size` bytes; return the seconds to wait until then.

        `expected`: bytes of the answer that will probably come. `at_once`: take none, and return
        None, unless it is now.
        """
        if self._limits is UNLIMITED:
            return 0.0
        with self._lock:
            now = self._clock()
            start = max(now, self._request_free, self._download_free)
            if size and self._limits.upload:
                start = max(start, self._upload_free)
            if at_once and start > now:
                return None
            if self._limits.requests:
                self._request_free = start + 1 / self._limits.requests
            if size and self._limits.upload:
                self._upload_free = start + size / self._limits.upload
            if expected and self._limits.download:
                self._download_free = start + expected / self._limits.download
            return start - now

    def received(self, size: int, expected: int = 0) -> None:
        """Note that so many bytes came, of a request that took its turn with `expected`."""
        if size == expected or not self._limits.download:
            return
        with self._lock:
            if size > expected:
                self._download_free = max(self._clock(), self._download_free)
            self._download_free += (size - expected) / self._limits.download
