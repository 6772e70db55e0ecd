"""How long a service may take before it begins to answer."""

from typing import Final

MAX_SERVER_TIME: Final = 300.0
"""Seconds to wait for an answer while the service puts parts together or copies, at most."""

_COPY_RATE: Final = 16 * 1024**2  # bytes a second that a service surely copies
_PART_SECONDS: Final = 0.03  # AWS puts 10,000 parts together in minutes


def server_time(size: int, parts: int = 0) -> float:
    """Return the seconds that a service may need to copy bytes or to put parts together.

    In proportion: a small copy that is not answered must not hang a program for minutes.
    """
    return min(MAX_SERVER_TIME, size / _COPY_RATE + parts * _PART_SECONDS)
