"""What a client remembers of ACLs: whether there are any, and for a moment those of its objects."""

import threading
import time
from typing import Final

from tagfs.store.acl import DEFAULT_ACL, Acl

RECENT: Final = 1.0
"""Seconds for which an answer counts as having asked."""

_MANY = 1000  # answers that are remembered


class AclNotes:
    """What a client knows of the ACLs of its bucket. Thread-safe."""

    def __init__(self) -> None:
        self.lacking = ""  # why there are none to carry; "" if there may be some
        self.proven = False  # one was read
        self.said_unread = False
        self._asked = False
        self._recent: dict[str, tuple[float, Acl]] = {}
        self._lock = threading.Lock()

    def is_first(self) -> bool:
        """Tell one caller, and no other, to ask whether there are ACLs at all."""
        with self._lock:
            first, self._asked = not self._asked, True
            return first

    def recent(self, key: str) -> Acl | None:
        """Return an ACL that was read or written just now."""
        since, acl = self._recent.get(key, (0.0, DEFAULT_ACL))
        return acl if since and time.monotonic() - since < RECENT else None

    def note(self, key: str, acl: Acl | None) -> None:
        """Remember an ACL for a moment; None: nothing is known any more."""
        with self._lock:
            self._recent.pop(key, None)
            if acl is not None:
                self._recent[key] = (time.monotonic(), acl)
                while len(self._recent) > _MANY:
                    self._recent.pop(next(iter(self._recent)))
