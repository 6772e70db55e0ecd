"""What opendir, readdir, releasedir and fsyncdir do with one directory."""

import itertools
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tagfs.fs.build import Parts
from tagfs.fs.mapping.paths import join, split
from tagfs.fs.mapping.stat_fields import Stat
from tagfs.fs.tree.lookup import Entry
from tagfs.fs.tree.stats import stat_of


@dataclass(slots=True)
class OpenDirectory:
    """A directory that is being read.

    Attributes:
        has_attributes: whether any came with the names that were read last; None before the first.
    """

    path: str
    has_attributes: bool | None = None


class DirectoryCalls:
    """The calls that open a directory and go on with its handle."""

    def __init__(self, parts: Parts) -> None:
        self._tree = parts.tree
        self._files = parts.files
        self._due = parts.due
        self._prefetcher = parts.prefetcher
        self._kernel_sizes = parts.kernel_sizes
        self._open: dict[int, OpenDirectory] = {}
        self._handles = itertools.count(1)

    def opendir(self, path: str) -> int:
        """Open a directory; return its handle."""
        fh = next(self._handles)
        self._open[fh] = OpenDirectory(path)
        return fh

    def releasedir(self, fh: int) -> None:
        """Forget the handle of a directory."""
        self._open.pop(fh, None)

    def readdir(self, fh: int) -> Iterator[tuple[str, int, int]]:
        """Yield name, type bits (0 if unknown) and inode number of all that is in a directory."""
        opened = self._open[fh]
        opened.has_attributes = None
        path = opened.path
        number = self._files.number
        entries = (
            (name, kind, number(join(path, name))) for name, kind in self._tree.names.all(path)
        )
        yield ".", stat.S_IFDIR, number(path)
        yield "..", stat.S_IFDIR, number(split(path)[0])
        yield from self._prefetcher.listing(path, entries)

    def getattr_known(self, fh: int, names: Sequence[str]) -> list[Stat | None]:
        """Return the stat of entries; None for what is no file, or not known.

        It is true now, like an answer of `getattr`, and waits for no request. The kernel asks so of
        the first names of a directory, whatever for, and of the following ones once a program has
        used what it was told, or has looked at one: then what comes next is asked for ahead.
        """
        opened = self._open[fh]
        if opened.has_attributes and names:
            self._prefetcher.on_page(opened.path, names[0])
        paths = [join(opened.path, name) for name in names]
        entries = self._tree.known(paths, recalls=opened.has_attributes is None)
        stats = [None if entry is None else self._stat(entry) for entry in entries]
        opened.has_attributes = any(stats)
        return stats

    def fsyncdir(self, fh: int) -> None:
        """Wait until the service has what is in a directory: all but what is held is there."""
        path = self._open[fh].path
        self._due.before_synced(path)

    def _stat(self, entry: Entry) -> Stat:
        self._kernel_sizes.record(entry.path, entry.size)
        return stat_of(entry, self._files)
