"""What opendir, readdir, releasedir and fsyncdir do with one directory."""

import itertools
import stat
from collections.abc import Iterator, Sequence

from tagfs.errors import Answer
from tagfs.fs.build import Parts
from tagfs.fs.mapping.paths import join, split
from tagfs.fs.mapping.stat_fields import Stat
from tagfs.fs.tree.stats import stat_of


class DirectoryCalls:
    """The calls that open a directory and go on with its handle."""

    def __init__(self, parts: Parts) -> None:
        self._tree = parts.tree
        self._files = parts.files
        self._due = parts.due
        self._prefetcher = parts.prefetcher
        self._kernel_sizes = parts.kernel_sizes
        self._open: dict[int, str] = {}
        self._handles = itertools.count(1)

    def opendir(self, path: str) -> int:
        """Open a directory; return its handle."""
        fh = next(self._handles)
        self._open[fh] = path
        return fh

    def releasedir(self, fh: int) -> None:
        """Forget the handle of a directory."""
        self._open.pop(fh, None)

    def readdir(self, fh: int) -> Iterator[tuple[str, int, int]]:
        """Yield name, type bits (0 if unknown) and inode number of all that is in a directory."""
        path = self._open[fh]
        number = self._files.number
        entries = (
            (name, kind, number(join(path, name))) for name, kind in self._tree.names.all(path)
        )
        yield ".", stat.S_IFDIR, number(path)
        yield "..", stat.S_IFDIR, number(split(path)[0])
        yield from self._prefetcher.listing(path, entries)

    def getattr_known(self, fh: int, names: Sequence[str]) -> list[Stat | None]:
        """Return the stat of entries; None for what is no file, or not known.

        No request is made, and it is true now, like an answer of `getattr`.
        """
        above = self._open[fh]
        return [self._known_stat(join(above, name)) for name in names]

    def fsyncdir(self, fh: int) -> None:
        """Wait until the service has what is in a directory: all but what is held is there."""
        path = self._open[fh]
        self._due.before_synced(path)

    def _known_stat(self, path: str) -> Stat | None:
        try:
            entry = self._tree.known(path)
        except Answer:  # what is listed, and can be no path: an error when it is asked for
            return None
        if entry is None:
            return None
        self._kernel_sizes.record(path, entry.size)
        return stat_of(entry, self._files)
