"""What stays in a directory while entries of it are removed, so that one look serves for many.

A directory without a marker is gone with the last of its keys, and before each removal it must be
known that another key stays. The keys that one listing showed are enough for that, until all of
them are removed here, or it is too old to be believed.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MEMORY = 10.0
"""Seconds for which an entry seen in a directory is taken to be still there."""

UNDER_WAY = 2.0
"""Seconds for which a removal that began may still be under way."""

MANY = 1000
"""Directories that are remembered."""


@dataclass(slots=True)
class _Seen:
    since: float = float("-inf")
    stays: set[str] = field(default_factory=set)
    gone: dict[str, float] = field(default_factory=dict)


class Survivors:
    """Entries seen in directories. Thread-safe; its lock is not held while a directory is read."""

    def __init__(self, look: Callable[[str], Iterable[str]]) -> None:
        """Look at a directory by `look`, which returns keys and common prefixes in it."""
        self._look = look
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}

    def outlive(self, prefix: str, gone: str) -> bool:
        """Say whether anything stays in the directory `prefix` when the key `gone` is removed."""
        now = time.monotonic()
        with self._lock:
            seen = self._seen.pop(prefix, None) or _Seen()
            self._seen[prefix] = seen  # the last one used is the last one to be forgotten
            while len(self._seen) > MANY:
                self._seen.pop(next(iter(self._seen)))
            seen.gone = {key: at for key, at in seen.gone.items() if now - at < UNDER_WAY}
            seen.gone |= {gone: now, f"{gone}/": now}
            seen.stays -= seen.gone.keys()
            if seen.stays and now - seen.since < MEMORY:
                return True
        keys = set(self._look(prefix))
        with self._lock:
            # What others are removing meanwhile may have been listed.
            seen.stays = keys - seen.gone.keys()
            seen.since = now
            return bool(seen.stays)
