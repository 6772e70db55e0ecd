"""Inode numbers: the same file has the same one on every mount and host.

The number of a file is a hash of its key, so a backup that compares numbers finds the file again
after a remount. Two things need another rule, for programs compare numbers to tell whether a path
is still the file that they have open (tail -F, logrotate, databases):

- a file that is renamed keeps its number, as long as it is open and for a minute; then it gets
  that of its new key, which it would have after a remount;
- a file that lost its name while it is open keeps it until it is closed.

Meanwhile nothing else has that number: who comes to its key has one that nobody has, likewise as
long as it is open or the other one is there. What lies in a renamed directory and is not open has
the numbers of its new keys at once.
"""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Protocol

ROOT: Final = 1
"""The number of the mount's root, as every FUSE file system has it."""

KEPT: Final = 60.0
"""Seconds for which a file that is not open keeps its number after a rename."""

MANY: Final = 8192
"""Files that are remembered to have another number than that of their key, if they are not open."""

_MASK: Final = 2**63 - 1  # languages without unsigned integers read it rightly
_FIRST: Final = 2**33  # above what libfuse and programs of 32 bits mean something else by


class Holder(Protocol):
    """An open file; it keeps its number as long as it has handles."""

    handles: Any
    ino: int


@dataclass(slots=True, eq=False)
class _Stray:
    """A file whose number is not that of its key.

    Attributes:
        path: where it is; None: nowhere.
        holder: the file, if it was open.
        until: when it may get another number, unless it is open (monotonic seconds).
    """

    number: int
    path: str | None
    holder: Holder | None
    until: float


def number_of(name: str) -> int:
    """Return the number that belongs to a key, whatever mount or host asks."""
    digest = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return (int.from_bytes(digest, "little") & _MASK) | _FIRST


class Inodes:
    """Gives every path its number. Thread-safe."""

    def __init__(self, prefix: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`prefix`: of the keys that are mounted."""
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._by_path: dict[str, _Stray] = {}
        self._by_number: dict[int, _Stray] = {}
        self._fresh = itertools.count()

    def at(self, path: str) -> int:
        """Return the number of what is at a path, if it is not open."""
        own = self._own(path)
        if path not in self._by_path and own not in self._by_number:
            return own
        with self._lock:
            return self._decide(path, own)

    def opened(self, path: str, holder: Holder) -> None:
        """Give a file that is opened the number of its path, which it keeps until it is closed."""
        holder.ino = self.at(path)
        with self._lock:
            stray = self._by_path.get(path)
            if stray is not None:
                stray.holder = holder

    def moved(self, number: int, old: str, new: str, holder: Holder | None) -> None:
        """Note that the file with that number is at another path now, and open if `holder` is it.

        What was there before is not there any more; if it was open, `lost_name` was called.
        """
        with self._lock:
            self._forget(self._by_path.get(old))
            self._forget(self._by_path.get(new))
            self._forget(self._by_number.get(number))
            if number != self._own(new):
                self._remember(_Stray(number, new, holder, self._clock() + KEPT))

    def lost_name(self, holder: Holder) -> None:
        """Note that an open file is at no path any more."""
        with self._lock:
            self._forget(self._by_number.get(holder.ino))
            self._remember(_Stray(holder.ino, None, holder, 0.0))

    def removed(self, path: str) -> None:
        """Note that nothing is at a path any more."""
        with self._lock:
            self._forget(self._by_path.get(path))

    # What follows runs under the lock.

    def _own(self, path: str) -> int:
        return ROOT if path == "/" else number_of(self._prefix + path[1:])

    def _decide(self, path: str, own: int) -> int:
        stray, other = self._by_path.get(path), self._by_number.get(own)
        if stray is not None and self._is_kept(stray):
            return stray.number
        if other is None or not self._is_kept(other):
            self._forget(other)
            self._forget(stray)
            return own
        if stray is None:
            stray = _Stray(number_of(f"{path}\0{next(self._fresh)}"), path, None, 0.0)
            self._remember(stray)
        stray.until = self._clock() + KEPT
        return stray.number

    def _is_kept(self, stray: _Stray) -> bool:
        if stray.holder is not None and stray.holder.handles:
            return True
        return stray.path is not None and self._clock() < stray.until

    def _remember(self, stray: _Stray) -> None:
        if len(self._by_number) >= MANY:
            self._prune()
        self._by_number[stray.number] = stray
        if stray.path is not None:
            self._by_path[stray.path] = stray

    def _forget(self, stray: _Stray | None) -> None:
        if stray is None:
            return
        if self._by_number.get(stray.number) is stray:
            del self._by_number[stray.number]
        if stray.path is not None and self._by_path.get(stray.path) is stray:
            del self._by_path[stray.path]

    def _prune(self) -> None:
        """Forget what is no longer kept, and the oldest half of what is not open."""
        closed = [s for s in self._by_number.values() if not (s.holder and s.holder.handles)]
        now = self._clock()
        for place, stray in enumerate(closed):
            if place < MANY // 2 or stray.path is None or stray.until <= now:
                self._forget(stray)
