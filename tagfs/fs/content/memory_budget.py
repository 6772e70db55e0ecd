"""How much memory read-ahead may take over the whole mount."""

import threading
from collections.abc import Callable
from typing import Final

MUCH: Final = 8 * 1024**2
"""Bytes that are worth giving back to the system."""


class MemoryBudget:
    """A number of bytes that all readers share.

    What a program asked for is always taken; reading ahead asks first whether there is room.
    """

    def __init__(self, limit: int, on_unused: Callable[[], None] | None = None) -> None:
        """`on_unused` is called when nothing is taken any more and much was; it must be brief."""
        self.limit = limit
        self._on_unused = on_unused
        self._used = 0
        self._most = 0  # since nothing was used
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are taken now."""
        return self._used

    @property
    def is_half_free(self) -> bool:
        """Whether not even half is taken."""
        return self._used < self.limit // 2

    def has_room(self, size: int) -> bool:
        """Say whether `size` more bytes stay within the limit."""
        return self._used + size <= self.limit

    def take(self, size: int) -> None:
        """Count `size` bytes as taken."""
        with self._lock:
            self._used += size
            self._most = max(self._most, self._used)

    def give_back(self, size: int) -> None:
        """Count `size` bytes as free again."""
        with self._lock:
            self._used -= size
            if self._used:
                return
            most, self._most = self._most, 0
        if most >= MUCH and self._on_unused is not None:
            self._on_unused()
