"""Keys, sizes, times and counts as recovery words them for people."""

from datetime import UTC, datetime

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def shown(text: str) -> str:
    """Return a key as a terminal may show it: nothing in it moves the cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size_text(size: int) -> str:
    """Return a number of bytes for people."""
    value = float(size)
    for unit in _UNITS[:-1]:
        if value < 1024:  # noqa: PLR2004  (what makes a KiB)
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {_UNITS[-1]}"


def time_text(when_ns: int) -> str:
    """Return a moment for people, in their time zone."""
    moment = datetime.fromtimestamp(when_ns / 1e9, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def count_text(count: int, what: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{count} {what}" + ("" if count == 1 else "s")
