"""How far ahead of a reader to ask: far where it goes on, little where it jumps."""

import pytest

from tagfs.fs.content.access_pattern import (
    FARTHEST,
    FIRST,
    LARGEST,
    RANDOM,
    REORDER_TOLERANCE,
    RETAINED,
    WIDEST,
    AccessPattern,
    range_size,
)

KERNEL = 128 * 1024
"""Bytes that the kernel reads at once."""


def read(pattern: AccessPattern, offset: int, *, is_held: bool = False) -> int:
    window = pattern.begin(offset, offset + KERNEL, is_held=is_held)
    pattern.finish(offset + KERNEL)
    return window


def forward(pattern: AccessPattern, start: int, length: int) -> None:
    """Read on in the kernel's steps."""
    for offset in range(start, start + length, KERNEL):
        read(pattern, offset, is_held=offset > start)


def test_the_window_is_four_times_what_was_read_up_to_its_limit() -> None:
    pattern = AccessPattern()
    windows = [read(pattern, at) for at in range(0, 2 * WIDEST, KERNEL)]
    assert windows[:3] == [4 * KERNEL, 8 * KERNEL, 12 * KERNEL]
    assert AccessPattern().begin(0, 1, is_held=False) == FIRST
    assert windows[-1] == WIDEST
    assert windows == sorted(windows)


def test_who_waits_for_what_is_ahead_gets_more_of_it_until_he_jumps() -> None:
    pattern = AccessPattern()
    pattern.begin(0, KERNEL, is_held=True, is_late=True)
    assert pattern.widest == WIDEST, "the window is still growing: that comes first"
    forward(pattern, 0, WIDEST)
    windows = [
        pattern.begin(WIDEST, WIDEST, is_held=True, is_late=is_late)
        for is_late in (True, False, *[True] * (FARTHEST // LARGEST))
    ]
    assert windows[:3] == [WIDEST + LARGEST, WIDEST + LARGEST, WIDEST + 2 * LARGEST]
    assert windows[-1] == FARTHEST
    read(pattern, 2**40)
    forward(pattern, 2**40, WIDEST)
    assert read(pattern, 2**40 + WIDEST) == WIDEST


@pytest.mark.parametrize(
    ("away", "is_jump"),
    [
        (0, False),
        (REORDER_TOLERANCE, False),
        (-REORDER_TOLERANCE, False),
        (REORDER_TOLERANCE + 1, True),
        (-REORDER_TOLERANCE - 1, True),
    ],
)
def test_what_is_a_jump(away: int, *, is_jump: bool) -> None:
    pattern = AccessPattern()
    forward(pattern, 0, 4 * REORDER_TOLERANCE)
    assert (read(pattern, 4 * REORDER_TOLERANCE + away) == 0) is is_jump


def test_to_what_is_held_nobody_jumps() -> None:
    pattern = AccessPattern()
    forward(pattern, 0, KERNEL)
    assert read(pattern, 20 * REORDER_TOLERANCE, is_held=True) > 0


def test_out_of_order_the_place_reached_stays() -> None:
    pattern = AccessPattern()
    for offset in (0, 2 * KERNEL, KERNEL):
        read(pattern, offset)
    assert pattern.next == 3 * KERNEL
    assert pattern.has_left(3 * KERNEL - RETAINED)
    assert not pattern.has_left(3 * KERNEL - RETAINED + 1)


@pytest.mark.parametrize(
    ("runs", "typical"),
    [
        ([8 * KERNEL], 0),  # the first read at 0 was no jump, and after one nothing is a habit
        ([8 * KERNEL, 8 * KERNEL], 8 * KERNEL),
        ([8 * KERNEL, 2 * KERNEL], 2 * KERNEL),
        ([2 * KERNEL, 8 * KERNEL], 2 * KERNEL),
        ([2 * LARGEST, 2 * LARGEST], LARGEST),
    ],
)
def test_a_habit_is_what_the_last_two_jumps_have_in_common(runs: list[int], typical: int) -> None:
    pattern = AccessPattern()
    for number, run in enumerate(runs, 1):
        forward(pattern, number * 2**30, run)
    read(pattern, 2**40)
    assert pattern.typical_run == typical


def test_within_its_habit_a_window_ends_where_the_habit_does() -> None:
    pattern = AccessPattern()
    for number in (1, 2):
        forward(pattern, number * 2**30, 8 * KERNEL)
    assert read(pattern, 3 * 2**30) == 0
    assert read(pattern, 3 * 2**30 + 6 * KERNEL, is_held=True) == KERNEL
    assert read(pattern, 3 * 2**30 + 7 * KERNEL, is_held=True) == 0
    assert read(pattern, 3 * 2**30 + 8 * KERNEL, is_held=True) > FIRST


def test_the_size_of_a_range() -> None:
    assert range_size(0) == range_size(FIRST) == FIRST
    assert range_size(8 * FIRST) == 2 * FIRST
    assert range_size(2 * WIDEST) == LARGEST
    assert RANDOM < FIRST
