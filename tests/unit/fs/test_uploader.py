"""How files are cut into parts: every byte once, within the limits of the service."""

import hypothesis.strategies as st
from hypothesis import given, settings

from tagfs.fs.content.byte_ranges import ByteRanges
from tagfs.fs.content.part_plan import Segment, part_bounds, plan_edit
from tagfs.store.bucket import Limits
from tests.examples import examples

LIMITS = Limits()
TINY = Limits(min_part=10, max_part=200, max_copy_part=150, max_parts=40)
part_sizes = st.integers(LIMITS.min_part, LIMITS.max_part)


@given(part_sizes, st.integers(1, LIMITS.max_parts))
def test_parts_follow_one_another(part_size: int, number: int) -> None:
    start, end = part_bounds(number, part_size, LIMITS)
    assert part_bounds(number + 1, part_size, LIMITS)[0] == end
    assert part_size <= end - start <= LIMITS.max_part
    assert (start == 0) == (number == 1)


@given(part_sizes)
def test_the_parts_reach_far_enough(part_size: int) -> None:
    """All but the last seventh of what 10,000 parts of the largest size would hold."""
    assert part_bounds(LIMITS.max_parts, part_size, LIMITS)[1] >= LIMITS.max_object * 6 // 7


def check(segments: list[Segment], changed: ByteRanges, size: int, limits: Limits) -> None:
    assert [s.start for s in segments] == [0, *(s.end for s in segments[:-1])]
    assert segments[-1].end == size
    assert len(segments) <= limits.max_parts
    for segment in segments:
        largest = limits.max_copy_part if segment.copied else limits.max_part
        assert segment.end - segment.start <= largest
        assert not (segment.copied and changed.overlaps(segment.start, segment.end))
    assert all(s.end - s.start >= limits.min_part for s in segments[:-1])


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 40)), max_size=60),
    st.integers(50, 3000),
    st.integers(20, 100),
)
def test_an_edit_sends_what_changed(
    changes: list[tuple[int, int]], size: int, part_size: int
) -> None:
    """However many changes there are, wherever they are."""
    changed = ByteRanges(*((at, min(size, at + n)) for at, n in changes if at < size))
    check(plan_edit(changed, size, part_size, TINY), changed, size, TINY)


@settings(max_examples=examples(20))
@given(st.lists(st.integers(0, LIMITS.max_object - 1), max_size=5))
def test_an_edit_of_the_largest_object(offsets: list[int]) -> None:
    size = LIMITS.max_object * 9 // 10
    changed = ByteRanges(*((at, at + 1) for at in offsets if at < size))
    segments = plan_edit(changed, size, 8 * 1024**2, LIMITS)
    check(segments, changed, size, LIMITS)
    sent = sum(s.end - s.start for s in segments if not s.copied)
    assert sent <= 2 * LIMITS.min_part * len(offsets)


def test_scattered_changes_are_sent_together() -> None:
    size = 20_001 * 300_000
    changed = ByteRanges(*((at, at + 1) for at in range(0, size, 300_000)))
    check(plan_edit(changed, size, 8 * 1024**2, LIMITS), changed, size, LIMITS)
