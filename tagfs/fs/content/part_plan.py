"""Which bytes each part of a multipart upload has, and which of them are copied; pure."""

import functools
from itertools import pairwise
from typing import NamedTuple

from tagfs.fs.content.byte_ranges import ByteRanges
from tagfs.store.bucket import Limits

GROWTH_STEP = 100
"""Parts after which the size of parts doubles: 10,000 of them then hold the largest object."""


class Segment(NamedTuple):
    """A part to be: bytes `[start, end)`, sent from here or copied by the service."""

    start: int
    end: int
    copied: bool


@functools.lru_cache(maxsize=1024)
def part_bounds(number: int, part_size: int, limits: Limits) -> tuple[int, int]:
    """Return where part `number` (from 1) of a file sent from its beginning starts and ends."""
    steps, position = divmod(number - 1, GROWTH_STEP)
    start = 0
    size = part_size
    for _ in range(steps):
        start += GROWTH_STEP * size
        size = min(size * 2, limits.max_part)
    start += position * size
    return start, start + size


def plan_edit(
    changed: ByteRanges, size: int, part_size: int, limits: Limits, *, gap: int | None = None
) -> list[Segment]:
    """Cut a changed object into segments to send and segments that the service copies.

    Every segment but the last is at least the service's smallest part, so a change is widened
    into its surroundings, and an unchanged stretch shorter than that (or `gap`) is sent as well.
    """
    least = limits.min_part
    gap = gap or least
    sent = ByteRanges()
    for start, end in changed:
        sent.add(start, min(size, max(end, start + least)))
    for low, high in list(sent.gaps(0, size)):
        if high - low < gap:
            sent.add(low, high)
    segments: list[Segment] = []
    at = 0
    for start, end in [*sent, (size, size)]:
        segments += _cut(at, start, limits.max_copy_part, least, copied=True)
        segments += _cut(start, end, part_size, least, copied=False)
        at = end
    if len(segments) > limits.max_parts:
        larger = min(part_size * 2, limits.max_part)
        return plan_edit(changed, size, larger, limits, gap=gap * 2)
    return segments


def _cut(start: int, end: int, length: int, least: int, *, copied: bool) -> list[Segment]:
    """Cut one stretch evenly into segments of at most `length` and at least `least` bytes."""
    total = end - start
    if total <= 0:
        return []
    count = max(1, min(-(-total // length), total // least or 1))
    bounds = [start + total * i // count for i in range(count + 1)]
    return [Segment(a, b, copied) for a, b in pairwise(bounds)]
