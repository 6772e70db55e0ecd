"""Limits of requests and bytes: turns, on a clock that stands."""

import pytest

from tagfs.store.http.pacing import UNLIMITED, Pace, RateLimits


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_no_limit_no_wait(clock: Clock) -> None:
    pace = Pace(UNLIMITED, clock)
    pace.received(10**9)
    assert [pace.turn(10**9) for _ in range(3)] == [0, 0, 0]


def test_requests_have_their_turns(clock: Clock) -> None:
    pace = Pace(RateLimits(requests=4), clock)
    assert [pace.turn(0) for _ in range(3)] == [0, 0.25, 0.5]
    clock.now += 0.5
    assert pace.turn(0) == 0.25
    clock.now += 10  # nothing is saved up
    assert [pace.turn(0) for _ in range(2)] == [0, 0.25]


def test_bytes_sent_are_waited_for_by_those_that_send(clock: Clock) -> None:
    pace = Pace(RateLimits(upload=1000), clock)
    assert pace.turn(500) == 0
    assert pace.turn(0) == 0
    assert pace.turn(500) == 0.5
    assert pace.turn(1) == 1.0


def test_bytes_received_are_waited_for_by_all(clock: Clock) -> None:
    pace = Pace(RateLimits(download=1000), clock)
    assert pace.turn(0) == 0
    pace.received(500)
    pace.received(250)
    assert pace.turn(0) == 0.75
    clock.now += 1
    assert pace.turn(0) == 0


def test_bytes_that_are_expected_are_waited_for_before_they_come(clock: Clock) -> None:
    """Or all that may be under way at the same time would be begun at once."""
    pace = Pace(RateLimits(download=1000), clock)
    assert [pace.turn(0, 500) for _ in range(3)] == [0, 0.5, 1.0]
    pace.received(500, 500)
    assert pace.turn(0) == 1.5


@pytest.mark.parametrize(("came", "wait"), [(0, 0.0), (300, 0.3), (500, 0.5), (800, 0.8)])
def test_what_came_is_counted_in_place_of_what_was_expected(
    clock: Clock, came: int, wait: float
) -> None:
    pace = Pace(RateLimits(download=1000), clock)
    pace.turn(0, 500)
    pace.received(came, 500)
    assert pace.turn(0) == pytest.approx(wait)


def test_a_turn_that_is_not_now_is_not_taken(clock: Clock) -> None:
    pace = Pace(RateLimits(requests=4), clock)
    assert pace.turn(0, at_once=True) == 0
    assert pace.turn(0, at_once=True) is None
    assert pace.turn(0) == 0.25


def test_other_limits_hold_from_the_next_turn_on(clock: Clock) -> None:
    pace = Pace(RateLimits(requests=0.001), clock)
    assert [pace.turn(0) for _ in range(2)] == [0, 1000]
    pace.set_limits(RateLimits(requests=4, upload=1000))
    assert [pace.turn(0) for _ in range(2)] == [0, 0.25]
    pace.set_limits(UNLIMITED)
    assert [pace.turn(10**9) for _ in range(2)] == [0, 0]
