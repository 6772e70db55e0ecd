"""Keys, sizes, times and counts as people read them."""

from datetime import UTC, datetime

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_KIB = 1024
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def shown(text: str) -> str:
    """Return a key as a terminal may show it: nothing in it moves the cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size_text(count: float) -> str:
    """Return a number of bytes with a unit, such as "1.5 MiB"."""
    for unit in _UNITS[:-1]:
        if abs(count) < _KIB:
            return f"{count:.0f} {unit}" if unit == _UNITS[0] else f"{count:.1f} {unit}"
        count /= _KIB
    return f"{count:.1f} {_UNITS[-1]}"


def time_text(when_ns: int) -> str:
    """Return a moment (nanoseconds since the epoch) in the time zone of this host."""
    moment = datetime.fromtimestamp(when_ns / 1e9, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units, such as "3 d 4 h"."""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def count_text(count: int, what: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{count} {what}" + ("" if count == 1 else "s")
