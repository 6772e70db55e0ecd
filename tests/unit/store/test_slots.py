"""Requests at a time: fewer for a service that throttles, and slowly as many as before again."""

import logging
import threading
from typing import Any

import pytest

from tagfs.store.http.slots import Slots


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(slots: Slots) -> int:
    """Take all that are free; give them back, and return how many they were."""
    count = 0
    while slots.try_acquire():
        count += 1
    for _ in range(count):
        slots.release()
    return count


@pytest.mark.parametrize("most", [1, 2, 64])
def test_as_many_as_were_chosen(most: int) -> None:
    slots = Slots(most)
    assert taken(slots) == most
    for _ in range(1000):
        slots.on_answer()
    assert taken(slots) == most


@pytest.mark.parametrize(
    ("most", "throttled", "left"),
    [(64, 1, 32), (64, 2, 16), (64, 6, 1), (64, 20, 1), (5, 1, 2), (1, 3, 1)],
)
def test_half_as_many_after_each_refusal(most: int, throttled: int, left: int) -> None:
    clock = Clock()
    slots = Slots(most, clock)
    for _ in range(throttled):
        clock.now += 1
        slots.on_throttled(began=clock.now)
    assert (slots.allowed, taken(slots)) == (left, left)


def test_what_was_under_way_at_the_same_time_counts_once() -> None:
    clock = Clock()
    slots = Slots(64, clock)
    clock.now = 10.0
    for n in range(30):
        slots.on_throttled(began=9.0 + n / 100)
    assert slots.allowed == 32
    slots.on_throttled(began=10.1)
    assert slots.allowed == 16


def test_each_round_of_answers_gives_one_back() -> None:
    clock = Clock()
    slots = Slots(8, clock)
    slots.on_throttled(began=1.0)
    answers = []
    for goal in (5, 6, 7, 8):
        count = 0
        while slots.allowed < goal:
            slots.on_answer()
            count += 1
        answers.append(count)
    assert answers == sorted(answers)
    assert answers[0] in (4, 5)
    assert answers[-1] in (7, 8, 9)
    assert taken(slots) == 8


def test_no_more_are_given_back_than_were_taken() -> None:
    slots = Slots(2)
    assert slots.try_acquire()
    slots.release()
    with pytest.raises(ValueError, match="nobody took"):
        slots.release()
    assert slots.taken == 0


def test_who_waits_goes_on_when_a_slot_is_given_back() -> None:
    slots = Slots(1)
    assert slots.acquire(0)
    assert not slots.acquire(0.01)
    got: list[bool] = []
    waiting = threading.Thread(target=lambda: got.append(slots.acquire(60)))
    waiting.start()
    slots.release()
    waiting.join()
    assert got == [True]


def test_more_under_way_than_are_allowed_are_not_replaced() -> None:
    slots = Slots(4)
    for _ in range(4):
        assert slots.try_acquire()
    slots.on_throttled(began=float("inf"))
    free: list[Any] = []
    for _ in range(4):
        free.append(slots.try_acquire())
        slots.release()
    assert free == [False] * 3 + [True]


def test_the_log_says_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tagfs"):
        Slots(64).on_throttled(began=float("inf"))
    assert "32 requests at a time" in caplog.text
