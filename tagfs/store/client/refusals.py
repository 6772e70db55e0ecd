"""What a client remembers of refusals (403): where asking again is no use, and what was said."""

import threading
import time
from collections.abc import Callable
from typing import Final

from cachetools import TTLCache

REFUSED: Final = 60.0
"""Seconds for which a directory in which something may not be read is not asked again."""

_ENOUGH = 2  # refusals in a row that are no accident
_MANY = 1000  # directories that are remembered


class Refusals:
    """In which directories one kind of thing may not be read. Thread-safe.

    A policy may deny one prefix, and a denial may pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._said: set[str] = set()
        self._unread: TTLCache[str, int] = TTLCache(_MANY, REFUSED, clock)
        self._lock = threading.Lock()

    def is_unsaid(self, what: str) -> bool:
        """Tell one caller, and no other, to say something in the log."""
        with self._lock:
            unsaid = what not in self._said
            self._said.add(what)
            return unsaid

    def is_unreadable(self, key: str) -> bool:
        """Say whether reading beside `key` was refused, twice in a row, a moment ago."""
        with self._lock:
            return self._unread.get(_directory(key), 0) >= _ENOUGH

    def note_unread(self, key: str) -> None:
        """Remember that what is at `key` may not be read."""
        directory = _directory(key)
        with self._lock:
            self._unread[directory] = self._unread.get(directory, 0) + 1

    def note_read(self, key: str) -> None:
        """Remember that what is beside `key` may be read."""
        with self._lock:
            self._unread.pop(_directory(key), None)


def _directory(key: str) -> str:
    return key.rpartition("/")[0]
