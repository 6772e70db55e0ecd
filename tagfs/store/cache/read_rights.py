"""Where tags may surely be read, so that an object that shows no number of tags has none.

A service shows the number of an object's tags only to who may read them. Rights differ by prefix:
what is known of one directory makes it likely for the others, which will do to show tags, and not
to write an object anew.
"""

from typing import Final

MANY: Final = 100_000
"""Directories that are remembered."""


class ReadRights:
    """Directories in which tags of an object were read.

    A refusal of any object's tags ends it for good: then rights differ by something that is not
    known here, and a number that is not shown tells nothing anywhere.
    """

    def __init__(self) -> None:
        self._directories: set[str] = set()
        self._refused = False

    def note_read(self, key: str) -> None:
        """Remember that the tags of an object were read."""
        if self._refused:
            return
        if len(self._directories) >= MANY:
            self._directories.clear()
        self._directories.add(_directory(key))

    def note_refused(self) -> None:
        """Remember that the tags of some object may not be read."""
        self._refused = True

    def is_known(self, key: str, *, surely: bool) -> bool:
        """Say whether the tags of an object could be read; `surely`: others beside it were."""
        if self._refused or not self._directories:
            return False
        return not surely or _directory(key) in self._directories


def _directory(key: str) -> str:
    return key.rpartition("/")[0]
