"""The files of a block cache: one for each block, which says itself what it is, and if it is whole.

There is no index: a file's name follows from what it holds, its time says when it was last used.
So nothing has to be kept in step, between processes or over a crash; what a power cut leaves half
written is found out by its CRC, and thrown away.
"""

import os
import secrets
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from tagfs.localfiles.private import open_directory
from tagfs.store.wire.checksums import crc32

BLOCK: Final = 256 * 1024
"""Bytes of a block; the last one of an object is shorter."""

_MAGIC: Final = b"tagfsBC1"
_HEAD: Final = struct.Struct("<8sI32sI")  # magic, CRC-32 of the digest and the data, digest, size
_SHELVES: Final = 16
_USED_AGAIN: Final = 60.0
"""Seconds within which another use is not noted."""
_TEMPORARY_AGE: Final = 3600.0
"""Seconds after which a temporary file is one that a crash has left."""


class BlockFiles:
    """Blocks by their digests, 32 bytes each. Thread-safe, and other processes may do the same.

    Raises:
        OSError: the directory cannot be made.
        UnsafeFile: it is not ours alone.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(open_directory(directory))
        for number in range(_SHELVES):
            (directory / f"{number:x}").mkdir(mode=0o700, exist_ok=True)

    def has(self, digest: bytes) -> bool:
        """Say whether there is a block, sound or not."""
        return self._path(digest).exists()

    def read(self, digest: bytes) -> memoryview | None:
        """Return a block; None if it is not there, or not sound: then it is thrown away."""
        path = self._path(digest)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found = os.read(fd, _HEAD.size + BLOCK + 1)
            data = _checked(found, digest)
            if data is None:
                path.unlink(missing_ok=True)
            elif time.time() - os.fstat(fd).st_mtime > _USED_AGAIN:
                os.utime(fd)
        except OSError:
            return None
        finally:
            os.close(fd)
        return data

    def write(self, digest: bytes, data: memoryview) -> int:
        """Keep a block; return the bytes that it takes.

        Raises:
            OSError
        """
        path = self._path(digest)
        temporary = path.with_name(f"{secrets.token_hex(8)}.tmp")
        head = _HEAD.pack(_MAGIC, _crc(digest, data), digest, len(data))
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, head + data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return len(head) + len(data)

    def disk(self) -> tuple[int, int]:
        """Return the bytes that the disk has in all, and what is free.

        Raises:
            OSError
        """
        stats = os.statvfs(self._directory)
        return stats.f_blocks * stats.f_frsize, stats.f_bavail * stats.f_frsize

    def shrink(self, limit: int, short: int = 0) -> int:
        """Delete what was not used for the longest time, until `limit` bytes are left.

        Or as many bytes are gone as the disk is `short` of, if those are more. Return how many are
        left. Twice through the directory, so as to hold no list of it.

        Raises:
            OSError
        """
        used: Counter[int] = Counter()  # second of the last use -> bytes
        for _, second, size in self._entries():
            used[second] += size
        total = sum(used.values())
        limit = max(0, min(limit, total - short))
        excess, oldest = total - limit, -1
        for second in sorted(used):
            if excess <= 0:
                break
            excess -= used[second]
            oldest = second
        for path, second, size in self._entries() if oldest >= 0 else ():
            if second <= oldest and total > limit:
                with suppress(FileNotFoundError):
                    path.unlink()
                    total -= size
        return total

    def _entries(self) -> Iterator[tuple[Path, int, int]]:
        """Yield path, second of the last use, and size of each block."""
        for number in range(_SHELVES):
            shelf = self._directory / f"{number:x}"
            with os.scandir(shelf) as entries:
                for entry in entries:
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    path = shelf / entry.name
                    if entry.name.endswith(".tmp"):
                        if time.time() - found.st_mtime > _TEMPORARY_AGE:
                            path.unlink(missing_ok=True)
                        continue
                    yield path, int(found.st_mtime), found.st_size

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._directory / name[:1] / name[1:]


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _crc(digest: bytes, data: memoryview) -> int:
    return crc32(data, crc32(digest))


def _checked(found: bytes, digest: bytes) -> memoryview | None:
    """Return the data of a file if it is just the block of this digest, and whole."""
    if len(found) < _HEAD.size:
        return None
    magic, crc, own, size = _HEAD.unpack_from(found)
    data = memoryview(found)[_HEAD.size :]
    sound = magic == _MAGIC and own == digest and size == len(data)
    return data if sound and crc == _crc(digest, data) else None
