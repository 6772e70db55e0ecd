"""Sets of byte ranges: which bytes of a file are here, and which were changed.

Pure. A range is half open, `[start, end)`, in bytes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class ByteRanges:
    """Disjoint, sorted ranges that never touch one another. Not thread-safe."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, *ranges: tuple[int, int]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __repr__(self) -> str:
        return f"Ranges{tuple(self)!r}"

    @property
    def total(self) -> int:
        """Bytes in all ranges together."""
        return sum(self._ends) - sum(self._starts)

    @property
    def first(self) -> int | None:
        """The lowest byte, None when there is none."""
        return self._starts[0] if self._starts else None

    def add(self, start: int, end: int) -> None:
        """Include `[start, end)`, joining what it overlaps or touches."""
        if start >= end:
            return
        low = bisect_left(self._ends, start)
        high = bisect_right(self._starts, end)
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def remove(self, start: int, end: int) -> None:
        """Exclude `[start, end)`."""
        if start >= end:
            return
        low = bisect_right(self._ends, start)
        high = bisect_left(self._starts, end)
        if low >= high:
            return
        kept = []
        if self._starts[low] < start:
            kept.append((self._starts[low], start))
        if self._ends[high - 1] > end:
            kept.append((end, self._ends[high - 1]))
        self._starts[low:high] = [s for s, _ in kept]
        self._ends[low:high] = [e for _, e in kept]

    def clear(self) -> None:
        """Exclude everything."""
        self._starts.clear()
        self._ends.clear()

    def covers(self, start: int, end: int) -> bool:
        """Say whether every byte of `[start, end)` is included."""
        if start >= end:
            return True
        i = bisect_right(self._starts, start) - 1
        return i >= 0 and self._ends[i] >= end

    def overlaps(self, start: int, end: int) -> bool:
        """Say whether any byte of `[start, end)` is included."""
        i = bisect_right(self._ends, start)
        return start < end and i < len(self._starts) and self._starts[i] < end

    def within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the included pieces of `[start, end)`."""
        i = bisect_right(self._ends, start)
        while i < len(self._starts) and self._starts[i] < end:
            yield max(start, self._starts[i]), min(end, self._ends[i])
            i += 1

    def gaps(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the pieces of `[start, end)` that are not included."""
        for low, high in list(self.within(start, end)):
            if start < low:
                yield start, low
            start = high
        if start < end:
            yield start, end
