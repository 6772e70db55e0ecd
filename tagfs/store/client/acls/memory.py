"""What a client remembers of ACLs: whether there are any, and for a moment those of its objects."""

import threading
import time
from collections.abc import Callable

from cachetools import TTLCache

from tagfs.store.acl import Acl
from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.client.refusals import Refusals

_MANY = 1000  # answers that are remembered


class AclNotes(Refusals):
    """What a client knows of the ACLs of its bucket. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self.lacking = ""  # why there are none to carry; "" if there may be some
        self.proven = False  # one was read
        self._asked = False
        self._recent: TTLCache[str, Acl] = TTLCache(_MANY, FRESH_WITHIN, clock)
        self._noting = threading.Lock()

    def is_first(self) -> bool:
        """Tell one caller, and no other, to ask whether there are ACLs at all."""
        with self._noting:
            first, self._asked = not self._asked, True
            return first

    def note_read(self, key: str) -> None:
        """Remember that there are ACLs, and that those beside `key` may be read."""
        self.proven = True
        super().note_read(key)

    def recent(self, key: str) -> Acl | None:
        """Return an ACL that was read or written just now."""
        with self._noting:
            return self._recent.get(key)

    def forget_below(self, prefix: str) -> None:
        """Know nothing any more of keys that begin with `prefix`."""
        with self._noting:
            for key in [key for key in self._recent if key.startswith(prefix)]:
                self._recent.pop(key, None)

    def note(self, key: str, acl: Acl | None) -> None:
        """Remember an ACL for a moment; None: nothing is known any more."""
        with self._noting:
            self._recent.pop(key, None)
            if acl is not None:
                self._recent[key] = acl
