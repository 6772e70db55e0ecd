"""Sets of byte ranges, against sets of bytes."""

import hypothesis.strategies as st
from hypothesis import given

from tagfs.fs.content.byte_ranges import ByteRanges

SIZE = 60
bounds = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE))
steps = st.lists(st.tuples(st.sampled_from(["add", "remove"]), bounds), max_size=30)


def of(steps: list[tuple[str, tuple[int, int]]]) -> tuple[ByteRanges, set[int]]:
    ranges, model = ByteRanges(), set[int]()
    for name, (start, end) in steps:
        getattr(ranges, name)(start, end)
        model = model | set(range(start, end)) if name == "add" else model - set(range(start, end))
    return ranges, model


@given(steps)
def test_it_is_the_set_of_its_bytes(steps: list[tuple[str, tuple[int, int]]]) -> None:
    ranges, model = of(steps)
    assert {byte for start, end in ranges for byte in range(start, end)} == model
    assert ranges.total == len(model)
    assert ranges.first == min(model, default=None)
    assert bool(ranges) == bool(model)
    flat = [bound for pair in ranges for bound in pair]
    assert flat == sorted(set(flat)), "ranges are sorted and never touch"


@given(steps, bounds)
def test_questions_about_a_stretch(
    steps: list[tuple[str, tuple[int, int]]], stretch: tuple[int, int]
) -> None:
    ranges, model = of(steps)
    asked = set(range(*stretch))
    assert ranges.covers(*stretch) == (asked <= model)
    assert ranges.overlaps(*stretch) == bool(asked & model)
    within = {byte for start, end in ranges.within(*stretch) for byte in range(start, end)}
    gaps = {byte for start, end in ranges.gaps(*stretch) for byte in range(start, end)}
    assert (within, gaps) == (asked & model, asked - model)
