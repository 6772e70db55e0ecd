"""The sizes that the kernel was told lately, and still believes.

The kernel cuts reads at the size that it knows, and nothing can make it forget before its
attr_timeout is over. A file opened in that time with another size must be read around its cache.
"""

import time
from collections.abc import Callable

KERNEL_MEMORY = 1.5
"""Seconds for which a size may be believed: attr_timeout, and some for the way."""

MANY = 8192


class KernelSizes:
    """Remembers, for a moment, which size was told of which path. Thread-safe by single steps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sizes: dict[str, tuple[int, float]] = {}

    def record(self, path: str, size: int) -> None:
        """Note that the kernel is told a size now."""
        if len(self._sizes) > MANY:
            self._prune()
        self._sizes[path] = size, self._clock()

    def discard(self, path: str) -> None:
        """Note that a program here changes the size: the kernel sees it, and will ask anew."""
        self._sizes.pop(path, None)

    def is_outdated(self, path: str, size: int) -> bool:
        """Say whether the kernel may believe another size than `size`."""
        told, since = self._sizes.get(path, (size, 0.0))
        return told != size and self._clock() - since < KERNEL_MEMORY

    def _prune(self) -> None:
        limit = self._clock() - KERNEL_MEMORY
        kept = {p: told for p, told in list(self._sizes.items()) if told[1] > limit}
        self._sizes = kept if len(kept) <= MANY else {}
