"""How much memory read-ahead may take over the whole mount."""

import threading


class MemoryBudget:
    """A number of bytes that all readers share.

    What a program asked for is always taken; reading ahead asks first whether there is room.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are taken now."""
        return self._used

    def has_room(self, size: int) -> bool:
        """Say whether `size` more bytes stay within the limit."""
        return self._used + size <= self.limit

    def take(self, size: int) -> None:
        """Count `size` bytes as taken."""
        with self._lock:
            self._used += size

    def give_back(self, size: int) -> None:
        """Count `size` bytes as free again."""
        with self._lock:
            self._used -= size
