"""Keys that a mount cannot show: counted, and each named once in the log."""

import logging

log = logging.getLogger(__name__)

MAX_LOGGED = 10_000
"""Keys that are remembered as logged: a bucket full of them must not fill the memory."""


class OddKeys:
    """Says of each key once why it is not seen.

    Attributes:
        hidden: how often a key was met that can be no file.
    """

    def __init__(self) -> None:
        self.hidden = 0
        self._logged: set[str] = set()

    def hide(self, key: str) -> None:
        """Note a key that can be no file."""
        self.hidden += 1
        if self._is_first(key):
            log.warning("key %r can be no file of this mount and is hidden", key)

    def shadow(self, key: str) -> None:
        """Note an object whose name is a directory's as well."""
        if self._is_first(key):
            log.warning("object %r is shadowed by the directory of the same name", key)

    def _is_first(self, key: str) -> bool:
        if key in self._logged or len(self._logged) >= MAX_LOGGED:
            return False
        self._logged.add(key)
        return True
