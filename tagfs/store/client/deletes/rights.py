"""Where objects are known to be deletable: a rename copies only what it can delete afterwards."""

import time
from collections.abc import Callable
from typing import Final

NO_OBJECT: Final = ".tagfs-no-object"
"""Name of an object that is hardly ever there: asking for its tags says what is allowed."""

MEMORY: Final = 60.0
"""Seconds for which a deletion proves the right to another one."""

MAX_NOTED: Final = 10_000
"""Directories that are remembered."""


class Deletable:
    """Where objects were deleted, so that the right to do so is there.

    Attributes:
        everywhere: whether that is so at the top of the mount, and nothing speaks against it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.everywhere = False
        self._directories: dict[str, float] = {}

    def knows(self, key: str, *, surely: bool) -> bool:
        """Say whether what is beside a key may be deleted; `surely`: something just was."""
        since = self._directories.get(key.rpartition("/")[0])
        if since is not None and self._clock() - since < MEMORY:
            return True
        return self.everywhere and not surely

    def note(self, key: str) -> None:
        """Note that an object was deleted."""
        if len(self._directories) >= MAX_NOTED:
            self._directories.clear()
        self._directories[key.rpartition("/")[0]] = self._clock()

    def forget(self, key: str) -> None:
        """Note that an object may not be deleted."""
        self.everywhere = False
        self._directories.pop(key.rpartition("/")[0], None)
