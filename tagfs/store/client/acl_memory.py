"""What a client remembers of ACLs: whether there are any, and for a moment those of its objects."""

import threading
import time
from collections.abc import Callable
from typing import Final

from tagfs.store.acl import DEFAULT_ACL, Acl
from tagfs.store.bucket import FRESH_WITHIN

REFUSED: Final = 60.0
"""Seconds for which a directory in which no ACL may be read is not asked again."""

_ENOUGH = 2  # refusals in a row that are no accident
_MANY = 1000  # answers that are remembered


class AclNotes:
    """What a client knows of the ACLs of its bucket. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.lacking = ""  # why there are none to carry; "" if there may be some
        self.proven = False  # one was read
        self._said: set[str] = set()
        self._asked = False
        self._recent: dict[str, tuple[float, Acl]] = {}
        self._unread: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def is_first(self) -> bool:
        """Tell one caller, and no other, to ask whether there are ACLs at all."""
        with self._lock:
            first, self._asked = not self._asked, True
            return first

    def is_unsaid(self, what: str) -> bool:
        """Tell one caller, and no other, to say something in the log."""
        with self._lock:
            unsaid = what not in self._said
            self._said.add(what)
            return unsaid

    def is_unreadable(self, key: str) -> bool:
        """Say whether reading ACLs beside `key` was refused, twice in a row, a moment ago."""
        with self._lock:
            return self._refusals(_directory(key)) >= _ENOUGH

    def note_unread(self, key: str) -> None:
        """Remember that the ACL of `key` may not be read."""
        directory = _directory(key)
        with self._lock:
            count = self._refusals(directory) + 1
            self._unread.pop(directory, None)
            self._unread[directory] = (self._clock(), count)
            while len(self._unread) > _MANY:
                self._unread.pop(next(iter(self._unread)))

    def note_read(self, key: str) -> None:
        """Remember that there are ACLs, and that those beside `key` may be read."""
        self.proven = True
        with self._lock:
            self._unread.pop(_directory(key), None)

    def _refusals(self, directory: str) -> int:
        since, count = self._unread.get(directory, (0.0, 0))
        return count if count and self._clock() - since < REFUSED else 0

    def recent(self, key: str) -> Acl | None:
        """Return an ACL that was read or written just now."""
        since, acl = self._recent.get(key, (0.0, DEFAULT_ACL))
        return acl if since and self._clock() - since < FRESH_WITHIN else None

    def note(self, key: str, acl: Acl | None) -> None:
        """Remember an ACL for a moment; None: nothing is known any more."""
        with self._lock:
            self._recent.pop(key, None)
            if acl is not None:
                self._recent[key] = (self._clock(), acl)
                while len(self._recent) > _MANY:
                    self._recent.pop(next(iter(self._recent)))


def _directory(key: str) -> str:
    return key.rpartition("/")[0]
