"""A cache of content on disk, for all mounts of one user: bounded, checked, and never in the way.

It answers for versions, not for keys: who asks has been told by the service which version is there,
and that he may read it. What goes wrong with the disk is said once, and then nothing is kept.
"""

import hashlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from tagfs.blockcache.block_files import BLOCK, BlockFiles
from tagfs.localfiles.private import UnsafeFile
from tagfs.store.objects import ObjectInfo, ObjectType

log = logging.getLogger(__name__)

SMALLEST: Final = 64 * 1024
"""Bytes up to which content is not kept: it comes with the answer that tells its version."""

RESERVES: Final = (256 * 1024**2, 4 * 1024**3)
"""Bytes of the disk that are left to others, and to what is being written here: a twentieth of it,
at least and at most so many."""

_SLACK: Final = 16
"""What is over the limit is looked for when so large a fraction of it was written."""


class ContentCache(Protocol):
    """Content of objects by version.

    Attributes:
        block: what begins and ends at multiples of so many bytes can be kept; 0: nothing can.
    """

    block: int

    def holds(self, info: ObjectInfo) -> bool:
        """Say whether the beginning of a version is there, as far as looking tells."""
        ...

    def read(self, info: ObjectInfo, start: int, end: int) -> bytes | None:
        """Return the bytes `[start, end)` of a version; None if not all are there."""
        ...

    def keep(self, info: ObjectInfo, start: int, data: bytes) -> None:
        """Keep the whole blocks of what was read from `start` on."""
        ...


class NoCache:
    """A `ContentCache` that keeps nothing."""

    block = 0

    def holds(self, info: ObjectInfo) -> bool:
        """Say no."""
        del info
        return False

    def read(self, info: ObjectInfo, start: int, end: int) -> bytes | None:
        """Return nothing."""
        del info, start, end
        return None

    def keep(self, info: ObjectInfo, start: int, data: bytes) -> None:
        """Do nothing."""


NO_CACHE: Final = NoCache()


class BlockCache:
    """A `ContentCache` of one bucket in a directory that others share. Thread-safe.

    Args:
        place: names the bucket, among all that are kept there.
        limit: bytes, with a sixteenth of it more for each mount.

    Raises:
        OSError, UnsafeFile: there can be none.
    """

    def __init__(self, directory: Path, place: str, limit: int) -> None:
        self.block = BLOCK
        self._files = BlockFiles(directory)
        self._place = place
        self._limit = limit
        self._lock = threading.Lock()
        self._unseen = limit  # bytes written since the directory was looked through
        self._shrinking: threading.Thread | None = None
        self._off = False
        self._hits = self._misses = 0
        self._bytes: int | None = None  # what is there, once it was looked through

    def state(self) -> dict[str, int | None]:
        """Return what the status tells: no lock is waited for.

        `content_bytes` is None until the directory was looked through; of what other mounts keep
        since then it tells nothing.
        """
        return {
            "content_limit": self._limit,
            "content_bytes": self._bytes,
            "content_hits": self._hits,
            "content_misses": self._misses,
        }

    def holds(self, info: ObjectInfo) -> bool:
        """Say whether the beginning of a version is there, as far as looking tells."""
        return _is_kept(info) and self._files.has(self._digest(info, 0))

    def read(self, info: ObjectInfo, start: int, end: int) -> bytes | None:
        """Return the bytes `[start, end)` of a version; None if not all are there."""
        if not _is_kept(info):
            return None
        blocks = range(start - start % BLOCK, end, BLOCK)
        # All are looked at, so that damaged ones make room for what comes in their place.
        found = [self._files.read(self._digest(info, at)) for at in blocks]
        pieces = [
            data[max(0, start - at) : end - at]
            for at, data in zip(blocks, found, strict=True)
            if data is not None and len(data) == min(BLOCK, info.size - at)
        ]
        is_hit = len(pieces) == len(blocks)
        with self._lock:
            self._hits += is_hit
            self._misses += not is_hit
        return b"".join(pieces) if is_hit else None

    def keep(self, info: ObjectInfo, start: int, data: bytes) -> None:
        """Keep the whole blocks of what was read from `start` on."""
        if self._off or not _is_kept(info):
            return
        try:
            if (short := self._short()) > 0:
                self._start_shrinking(short)
                return
            done = sum(
                self._files.write(self._digest(info, at), block)
                for at, block in _blocks(info, start, data)
                if not self._files.has(self._digest(info, at))
            )
        except OSError as error:
            self._turn_off(str(error))
            return
        self._count(done)

    def close(self) -> None:
        """Wait for what is being deleted."""
        with self._lock:
            self._off = True
            shrinking = self._shrinking
        if shrinking is not None:
            shrinking.join()

    def _count(self, written: int) -> None:
        """Look through the directory, behind the caller's back, if much was written since."""
        with self._lock:
            self._unseen += written
            if self._bytes is not None:
                self._bytes += written
            due = self._unseen >= self._limit // _SLACK
        if due:
            self._start_shrinking(0)

    def _short(self) -> int:
        """Return how many bytes the disk is short of what is to be left to others."""
        size, free = self._files.disk()
        least, most = RESERVES
        return min(max(size // 20, least), most) - free

    def _start_shrinking(self, short: int) -> None:
        with self._lock:
            if self._off or (self._shrinking is not None and self._shrinking.is_alive()):
                return
            self._unseen = 0
            self._shrinking = threading.Thread(
                target=self._shrink, args=(short,), name="tagfs-cache", daemon=True
            )
            self._shrinking.start()

    def _shrink(self, short: int) -> None:
        try:
            self._bytes = left = self._files.shrink(self._limit, short)
            if not left and self._short() > 0:
                self._turn_off("the disk is nearly full")
        except OSError as error:
            self._turn_off(str(error))

    def _turn_off(self, reason: str) -> None:
        with self._lock:
            first, self._off = not self._off, True
        if first:
            log.warning("nothing more is kept of what is read (cache_size): %s", reason)

    def _digest(self, info: ObjectInfo, start: int) -> bytes:
        words = (self._place, info.key, info.etag, str(info.size), str(start))
        return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).digest()


def open_cache(directory: Path, place: str, limit: int) -> BlockCache | None:
    """Return a cache; None if there is to be none, or can be none, which the log says."""
    if not limit:
        return None
    try:
        return BlockCache(directory, place, limit)
    except (OSError, UnsafeFile) as error:
        log.warning("nothing is kept of what is read (cache_size): %s: %s", directory, error)
        return None


def _is_kept(info: ObjectInfo) -> bool:
    """Say whether a version has a name, and content of its own that is worth it."""
    return bool(info.etag) and info.type is not ObjectType.SYMLINK and info.size > SMALLEST


def _blocks(info: ObjectInfo, start: int, data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield the whole blocks in a range, each with where it begins."""
    view = memoryview(data)
    for at in range(-(-start // BLOCK) * BLOCK, start + len(data), BLOCK):
        block = view[at - start : at - start + BLOCK]
        if len(block) == min(BLOCK, info.size - at):
            yield at, block
