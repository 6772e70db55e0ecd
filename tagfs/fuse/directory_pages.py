"""A directory that is being read on libfuse 3: its entries, handed out in pages.

A page is made anew each time that the kernel asks, with the attributes of that moment: what the
kernel gets with the names it takes for as true as an answer to getattr. (libfuse can also keep a
whole directory with all attributes; then what a program has written meanwhile would be undone in
the kernel's memory by what was true when the reading began.)
"""

from array import array
from collections.abc import Iterable

PAGE = 4096
"""Bytes that the kernel has room for at least. No page is longer: libfuse would count a lookup of
the entry that did not fit, and never forget it."""

_NAME_AT = {False: 24, True: 152}
"""Bytes before the name in a record, without and with attributes (fuse_dirent, fuse_direntplus)."""

_ALIGNMENT = 8


class DirectoryEntries:
    """The names of one open directory, with types and inode numbers."""

    def __init__(self, entries: Iterable[tuple[str, int, int]]) -> None:
        """Take name, type bits and inode number of each entry."""
        self.names: list[bytes] = []
        self.kinds = array("I")
        self.numbers = array("Q")
        for name, kind, number in entries:
            self.names.append(name.encode("utf-8", "surrogateescape"))
            self.kinds.append(kind)
            self.numbers.append(number)

    def page(self, start: int, *, plus: bool) -> range:
        """Return which entries from `start` on fit into one page, with attributes if `plus`."""
        room, end = PAGE, start
        while end < len(self.names):
            length = _NAME_AT[plus] + len(self.names[end])
            room -= -(-length // _ALIGNMENT) * _ALIGNMENT
            if room < 0:
                break
            end += 1
        return range(start, end)
