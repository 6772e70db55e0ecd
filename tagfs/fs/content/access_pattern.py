"""How a reader goes through a file, and how far to ask ahead of it. Pure: it asks for nothing.

A reader that goes forward gets a window that grows with what it has read. One that jumps gets
little, or as much as it read on after each of the last two jumps.
"""

from dataclasses import dataclass

FIRST = 256 * 1024
"""Bytes of the first range of a larger object, and the window that reading forward begins with."""

RANDOM = 128 * 1024
"""Bytes fetched by a read that does not follow the one before."""

LARGEST = 4 * 1024**2
"""Bytes of the largest range."""

WIDEST = 32 * 1024**2
"""Bytes in flight and read ahead for one reader, at most, unless they come too late."""

FARTHEST = 64 * 1024**2
"""Bytes in flight and read ahead for one reader that keeps waiting for them."""

GROWTH = 4
"""How many times as much as it has read is asked for ahead of a reader that goes forward."""

REORDER_TOLERANCE = 1024**2
"""Bytes by which reads that go forward arrive out of order: the kernel reads ahead in parallel.

Or twice the length of one, where a read is larger (1 MiB on libfuse 3).
"""

RETAINED = 4 * 1024**2
"""Bytes behind a reader that goes forward which are not forgotten yet: some reads may be late."""


@dataclass(slots=True)
class AccessPattern:
    """Where one reader has read. Its owner sees to it that one thread at a time is here.

    Attributes:
        next: where a read that goes forward begins.
        sequential_bytes: read forward without a jump; 0 after one.
        jumped_to: where the last jump went.
        last_run: bytes that it read on after the jump before that.
        typical_run: bytes that it read on after each of the last two jumps.
        widest: bytes to have asked for ahead of it, at most.
    """

    next: int = 0
    sequential_bytes: int = 0
    jumped_to: int = 0
    last_run: int = 0
    typical_run: int = 0
    widest: int = WIDEST

    def begin(self, offset: int, end: int, *, is_held: bool, is_late: bool = False) -> int:
        """Note a read of `[offset, end)`; `is_held`: its first byte is here or was asked for.

        `is_late`: it was asked for ahead, and this is the first read that has to wait for it.
        Return how many bytes from `end` on to have asked for: 0 after a jump.
        """
        tolerance = max(REORDER_TOLERANCE, 2 * (end - offset))
        if not is_held and abs(offset - self.next) > tolerance:
            self._jump(offset)
            return 0
        self.sequential_bytes += end - offset
        earned = max(FIRST, self.sequential_bytes * GROWTH)
        if is_late and earned >= self.widest:
            self.widest = min(FARTHEST, self.widest + LARGEST)
        window = min(self.widest, earned)
        left = self.jumped_to + self.typical_run - end
        return min(window, left) if left >= 0 else window  # beyond its habit it may go far

    def finish(self, end: int) -> None:
        """Note that a read up to `end` was answered."""
        self.next = max(self.next, end) if self.sequential_bytes else end

    def has_left(self, end: int) -> bool:
        """Say whether reading forward, which it does, is past a range that ends at `end`."""
        return end <= self.next - RETAINED

    def _jump(self, offset: int) -> None:
        run = self.next - self.jumped_to
        self.typical_run = min(run, self.last_run, LARGEST)
        self.last_run, self.jumped_to = run, offset
        self.sequential_bytes, self.widest = 0, WIDEST


def range_size(window: int) -> int:
    """Return how many bytes to ask for at once within a window."""
    return max(FIRST, min(LARGEST, window // 4))
