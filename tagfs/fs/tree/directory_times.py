"""When directories last changed here: POSIX moves their times when an entry comes or goes.

A bucket tells no such time, and to write one down would cost a request for every file. So it is
kept in memory, for those who look at directories again because their time has moved: file managers,
scanners, git, Maildir. After a remount a directory has the time that its marker tells, or, without
one, the same as on every host.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from cachetools import LRUCache

from tagfs.fs.mapping.paths import is_below, split
from tagfs.fs.mapping.posix_metadata import Attributes

MANY = 8192
"""Directories whose change is remembered; of the others the time moves back."""


@dataclass(slots=True)
class _Change:
    """When a directory last changed, and the time that its marker had then, once it was asked."""

    at_ns: int
    stored_ns: int | None = None


class DirectoryTimes:
    """The times of directories that were changed through this mount. Thread-safe."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._changes: LRUCache[str, _Change] = LRUCache(MANY)

    def on_entry(self, path: str) -> None:
        """Note that something came to a path, or went from it: its directory has changed."""
        with self._lock:
            self._changes[split(path)[0]] = _Change(self._clock_ns())

    def on_rename(self, old: str, new: str) -> None:
        """Note that a directory, and all that is in it, is at another path now."""
        with self._lock:
            self._changes.pop(new, None)
            for path in [p for p in self._changes if p == old or is_below(p, old)]:
                self._changes[new + path[len(old) :]] = self._changes.pop(path)

    def forget(self, path: str) -> None:
        """What its marker tells holds again: a program has set its time, or it is gone."""
        with self._lock:
            self._changes.pop(path, None)

    def shown(self, path: str, stored: Attributes) -> Attributes:
        """Return the attributes of a directory whose marker tells those `stored`."""
        if not self._changes:
            return stored
        with self._lock:
            change = self._changes.get(path)
            if change is None:
                return stored
            if change.stored_ns is None:
                change.stored_ns = stored.mtime_ns
            elif change.stored_ns != stored.mtime_ns:  # it was set since
                del self._changes[path]
                return stored
        ctime = max(stored.ctime_ns, change.at_ns)
        return replace(stored, mtime_ns=change.at_ns, ctime_ns=ctime)
