"""Dates as HTTP writes them, whatever the locale."""

import calendar
import time

from tagfs.errors import MalformedResponse

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


_MONTH_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)}


def render_http_date(now: float) -> str:
    """Write seconds since the epoch as `Tue, 02 Jan 2024 03:04:05 GMT`, whatever the locale."""
    t = time.gmtime(now)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    )


def parse_http_date(text: str) -> int:
    """Read what `render_http_date` writes, as nanoseconds since the epoch.

    Raises:
        MalformedResponse
    """
    try:
        _, day, month, year, clock, _ = text.split()
        hour, minute, second = clock.split(":")
        moment = calendar.timegm(
            (int(year), _MONTH_NUMBERS[month], int(day), int(hour), int(minute), int(second))
        )
    except (ValueError, KeyError, OverflowError):
        raise MalformedResponse(f"not a date: {text!r}") from None
    return moment * 1_000_000_000
