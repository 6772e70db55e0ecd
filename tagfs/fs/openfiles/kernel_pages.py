"""The pages of files that the kernel keeps, and when they may stay as a file is opened.

The kernel drops the pages of a file whenever it is opened, unless it is told to keep them. It is,
if all that it can have of the file is of the version that is opened, of which the service is asked
as ever: what is read again is then read at the speed of memory.
"""

import threading
from enum import Enum, auto

from cachetools import LRUCache

from tagfs.fs.mapping.paths import is_below
from tagfs.fs.openfiles.open_file import Handle

MANY = 1024
"""Files that are remembered."""


class Pages(Enum):
    """What the kernel does with the pages that it has of a file that is opened."""

    DROPPED = auto()
    KEPT = auto()
    BYPASSED = auto()
    """And reads go around its cache, for it has another size."""


class _Version:
    """The version that all pages of a path are of, once the handle that dropped others is closed.

    Before that the answer to its open may be under way, and older pages still be there.
    """

    __slots__ = ("etag", "fh", "is_sure", "size")

    def __init__(self, etag: str, size: int, fh: int) -> None:
        self.etag, self.size, self.fh = etag, size, fh
        self.is_sure = False


class KernelPages:
    """Which version the kernel's pages are of, path by path. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: LRUCache[str, _Version] = LRUCache(MANY)

    def opened(self, path: str, handle: Handle) -> Pages:
        """Say what becomes of the pages of a file that is opened to be read."""
        etag, size = _read_by(handle)
        others = [_read_by(one) for one in list(handle.node.handles) if one is not handle]
        with self._lock:
            known = self._versions.get(path)
            if not etag or any(other != (etag, size) for other in others):
                self._versions.pop(path, None)  # each of them may fill pages
            elif known is None or (known.etag, known.size) != (etag, size):
                self._versions[path] = _Version(etag, size, handle.fh)
            elif known.is_sure:
                return Pages.KEPT
        return Pages.DROPPED

    def released(self, path: str, handle: Handle) -> None:
        """Note that a handle is closed."""
        with self._lock:
            known = self._versions.get(path)
            if known is not None and known.fh == handle.fh:
                known.is_sure = True

    def resized(self, path: str, size: int) -> None:
        """Note a size that the kernel gets: of what is larger it cuts off pages."""
        if path not in self._versions:
            return
        with self._lock:
            known = self._versions.get(path)
            if known is not None and known.size != size:
                del self._versions[path]

    def discard(self, path: str) -> None:
        """Note that a file is changed here."""
        with self._lock:
            self._versions.pop(path, None)

    def renamed(self, path: str) -> None:
        """Note that something else is at a path now, with all that is below it."""
        with self._lock:
            for known in [one for one in self._versions if one == path or is_below(one, path)]:
                del self._versions[known]


def _read_by(handle: Handle) -> tuple[str, int]:
    """Return ETag and size of what a handle reads; no ETag if it writes, or if that is unknown."""
    info = handle.reader.info if handle.reader is not None else None
    if handle.writable or handle.node.staged is not None or info is None:
        return "", 0
    return info.etag, info.size
