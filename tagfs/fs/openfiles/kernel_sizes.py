"""The sizes that the kernel got lately, and still uses.

The kernel cuts reads at the size that it has, and nothing can invalidate that before its
attr_timeout is over. A file opened in that time with another size must be read around its cache.
"""

import threading
import time
from collections.abc import Callable

from cachetools import TTLCache

KERNEL_MEMORY = 1.5
"""Seconds for which a size may be in use: attr_timeout, and some for the way."""

MANY = 8192


class KernelSizes:
    """Which size the kernel has of which path, for as long as it keeps it. Thread-safe."""

    def __init__(
        self,
        on_size: Callable[[str, int], None] = lambda _path, _size: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_size` is called for each size that the kernel gets."""
        self._on_size = on_size
        self._lock = threading.Lock()
        self._sizes: TTLCache[str, int] = TTLCache(MANY, KERNEL_MEMORY, clock)

    def record(self, path: str, size: int) -> None:
        """Note that the kernel gets a size now."""
        with self._lock:
            self._sizes[path] = size
        self._on_size(path, size)

    def discard(self, path: str) -> None:
        """Note that a program here changes the size: the kernel sees it, and will ask anew."""
        with self._lock:
            self._sizes.pop(path, None)

    def is_outdated(self, path: str, size: int) -> bool:
        """Say whether the kernel may use another size than `size`."""
        with self._lock:
            return self._sizes.get(path, size) != size
