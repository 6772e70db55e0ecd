"""What time it is on the service's clock, as the dates of its answers tell."""

import time
from collections.abc import Callable
from typing import Final

from tagfs.errors import MalformedResponse
from tagfs.store.http_dates import parse_http_date

KEPT: Final = 600.0
"""Seconds after which a date counts for nothing any more, twice as many at most: clocks drift."""

NEVER: Final = float("-inf")


class ServiceClock:
    """Tells the service's time, less than a second too late, and as exact as this host's clock is.

    A date is in whole seconds and was written before it came, so it tells a time that has surely
    passed. This host's clock is believed as long as it is not more than a second ahead of that, and
    not behind. Thread-safe: a date that is lost to another thread comes again a second later.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._last = ""
        self._since = NEVER
        self._before = self._latest = NEVER  # the service's time, less ours; older and newer ones

    def note(self, date: str) -> None:
        """Take in the `Date` of an answer, "" if it had none."""
        if date == self._last:
            return
        self._last = date
        try:
            passed = parse_http_date(date) / 1e9
        except MalformedResponse:
            return
        running = self._monotonic()
        if running - self._since > KEPT:
            self._before, self._latest, self._since = self._latest, NEVER, running
        self._latest = max(self._latest, passed - running)

    def now_ns(self) -> int:
        """Return nanoseconds since the epoch; this host's, where no answer was dated."""
        surely = self._monotonic() + max(self._before, self._latest)
        here = self._wall()
        believed = surely == NEVER or surely <= here <= surely + 1
        return int((here if believed else surely) * 1e9)
