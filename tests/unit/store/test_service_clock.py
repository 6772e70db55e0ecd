"""The service's time, by the dates of its answers: never so late that an edit could be missed."""

import pytest
from hypothesis import given, strategies as st

from tagfs.store.http.service_clock import KEPT, ServiceClock
from tagfs.store.http_dates import render_http_date

T0 = 1_800_000_000.0


class Times:
    """What a service's and a host's clock say, in seconds."""

    def __init__(self, ahead: float, fraction: float = 0.0) -> None:
        self.running, self.ahead, self._start = 50.0, ahead, T0 + fraction
        self.clock = ServiceClock(lambda: self.service + self.ahead, lambda: self.running)

    @property
    def service(self) -> float:
        return self._start + self.running - 50.0

    def answer(self, delay: float = 0.0) -> None:
        date = render_http_date(self.service)
        self.running += delay
        self.clock.note(date)

    @property
    def error(self) -> float:
        return self.clock.now_ns() / 1e9 - self.service


def test_without_a_date_it_is_the_hosts() -> None:
    times = Times(77.0)
    for date in ("", "no date"):
        times.clock.note(date)
        assert times.error == pytest.approx(77.0, abs=1e-3)


@pytest.mark.parametrize("ahead", [0.0, 0.4])
def test_a_host_that_agrees_is_exact(ahead: float) -> None:
    times = Times(ahead, 0.5)
    times.answer()
    assert times.error == pytest.approx(ahead, abs=1e-3)


@given(
    st.floats(-90_000, 90_000),
    st.floats(0, 0.999),
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 4)), min_size=1, max_size=8),
)
def test_it_is_never_a_second_late(
    ahead: float, fraction: float, answers: list[tuple[float, float]]
) -> None:
    times = Times(ahead, fraction)
    for passed, delay in answers:
        times.running += passed
        times.answer(delay)
        assert times.error <= 1.001
        assert times.error >= -(delay + 1.001) or times.error >= ahead


def test_a_step_of_the_hosts_clock_means_nothing() -> None:
    times = Times(0.0, 0.5)
    times.answer()
    times.ahead = 600.0
    assert -1 <= times.error <= 0
    times.ahead = -600.0
    assert -1 <= times.error <= 0


def test_many_answers_are_better_than_one() -> None:
    times = Times(300.0, 0.9)
    for _ in range(20):
        times.answer()
        times.running += 0.05
    assert -0.1 <= times.error <= 0


def test_a_service_that_sets_its_clock_back_is_followed() -> None:
    times = Times(0.0)
    times.answer()
    times._start -= 30
    times.ahead = 30.0
    for _ in range(3):
        times.running += KEPT + 1
        times.answer()
    assert -1 <= times.error <= 0
