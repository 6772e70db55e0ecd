"""The sizes that the kernel got lately, and still uses.

The kernel cuts reads at the size that it has, and nothing can invalidate that before its
attr_timeout is over. A file opened in that time with another size must be read around its cache.
"""

import threading
import time
from collections.abc import Callable

KERNEL_MEMORY = 1.5
"""Seconds for which a size may be in use: attr_timeout, and some for the way."""

MANY = 8192
"""Sizes that are remembered at least."""


class KernelSizes:
    """Which size the kernel has of which path, for as long as it keeps it. Thread-safe."""

    def __init__(
        self,
        on_size: Callable[[str, int], None] = lambda _path, _size: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_size` is called for each size that the kernel gets."""
        self._on_size = on_size
        self._clock = clock
        self._lock = threading.Lock()
        # Thousands come in a second, and few are asked for. So none is dropped by itself when it is
        # too old: all that came in one span go together, one span later.
        self._since = clock()
        self._sizes: dict[str, tuple[float, int]] = {}
        self._before: dict[str, tuple[float, int]] = {}

    def record(self, path: str, size: int) -> None:
        """Note that the kernel gets a size now."""
        with self._lock:
            now = self._clock()
            if now - self._since >= KERNEL_MEMORY or len(self._sizes) >= MANY:
                self._since, self._before, self._sizes = now, self._sizes, {}
            self._sizes[path] = now, size
        self._on_size(path, size)

    def discard(self, path: str) -> None:
        """Note that a program here changes the size: the kernel sees it, and will ask anew."""
        with self._lock:
            self._sizes.pop(path, None)
            self._before.pop(path, None)

    def is_outdated(self, path: str, size: int) -> bool:
        """Say whether the kernel may use another size than `size`."""
        with self._lock:
            found = self._sizes.get(path) or self._before.get(path)
            if found is None:
                return False
            at, known = found
            return known != size and self._clock() - at < KERNEL_MEMORY
