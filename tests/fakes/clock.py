"""A clock that stands still until a test moves it on."""

import threading
import time

PATIENCE = 10.0
"""Seconds of this host for who waits for the clock to look at it again."""


class FakeClock:
    """Seconds that pass when `advance` is called; who waits for them is woken then."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._waiting: dict[threading.Condition, int] = {}
        self._rounds = 0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def wait(self, condition: threading.Condition, _seconds: float | None) -> None:
        """Wait for a condition, or until the time is another."""
        self._rounds += 1
        self._waiting[condition] = self._rounds
        condition.wait()

    def advance(self, seconds: float) -> None:
        """Let time pass; return when all who waited for it have begun what is due, and wait."""
        self.now += seconds
        before = {}
        for condition in list(self._waiting):
            with condition:
                before[condition] = self._waiting[condition]
                condition.notify_all()
        end = time.monotonic() + PATIENCE
        while any(self._waiting[condition] == rounds for condition, rounds in before.items()):
            assert time.monotonic() < end, "nobody waits for the clock any more"
            time.sleep(0.001)

    def advance_when_waited_for(self, seconds: float) -> None:
        """Let time pass as soon as anybody waits for it."""
        end = time.monotonic() + PATIENCE
        while not self._waiting:
            assert time.monotonic() < end, "nobody waits for the clock"
            time.sleep(0.001)
        self.advance(seconds)
