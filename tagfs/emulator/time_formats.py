"""Times as the services read and write them."""

from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

MILLISECONDS = 1000


@lru_cache(maxsize=4096)
def http_date(seconds: int) -> str:
    """Render a time for a header."""
    return formatdate(seconds, usegmt=True)


@lru_cache(maxsize=1024)
def parse_http_date(text: str) -> float | None:
    """Read a time of a header; None if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


@lru_cache(maxsize=1024)
def parse_basic_time(text: str) -> float | None:
    """Read `yyyymmddThhmmssZ`; None if it is not that."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def basic_time(seconds: float) -> str:
    """Render a time as `yyyymmddThhmmssZ`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def iso_time(milliseconds: int) -> str:
    """Render a time for the XML of OSS: whole seconds, written with zero milliseconds.

    oss2 accepts nothing but `.000Z` (its _ISO8601_RE), so the service sends nothing else.
    """
    return _iso_time(milliseconds // MILLISECONDS)


@lru_cache(maxsize=4096)
def _iso_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def exact_time(milliseconds: int) -> str:
    """Render a time for the XML of the other services, which tell milliseconds."""
    return f"{_iso_time(milliseconds // MILLISECONDS)[:-4]}{milliseconds % MILLISECONDS:03d}Z"
