"""The sticky bit of a file, which the kernel takes for gone when it takes set-ID bits away.

It takes them along with a change of owner, and sets the mode that it knows without them. Unless it
judges by modes itself (`default_permissions`), it knows of no sticky bit. libfuse makes two calls
of that, the second at once and in the same thread; after a chmod(2) of a program it asks for the
attributes first. So a mode that is followed by an owner was the kernel's.
"""

import stat
import threading


class StickyBits:
    """Remembers, for the next call of a thread, which path's bit a mode took away.

    By the thread's number: what Python keeps for a thread of libfuse ends with each call.
    """

    def __init__(self) -> None:
        self._lost: dict[int, str] = {}

    def mode_set(self, path: str, before: int, after: int) -> None:
        """Note that a mode was set."""
        if before & ~after & stat.S_ISVTX:
            self._lost[threading.get_ident()] = path

    def asked(self) -> None:
        """Note that this thread was asked for attributes: what comes is another call."""
        if self._lost:
            self._lost.pop(threading.get_ident(), None)

    def lost(self, path: str) -> int:
        """Return the bit that the mode set just now has taken from a path; else 0."""
        return stat.S_ISVTX if self._lost.pop(threading.get_ident(), None) == path else 0
