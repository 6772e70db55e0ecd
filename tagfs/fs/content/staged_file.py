"""Staged files: the local, sparse copy of an object that is being changed.

A staged file knows which bytes are local, which of them were written, and how much of the object
it derives from (its base) still shows through. It never talks to a bucket: bytes of the base are
fetched by a function that its owner passes in. One owner, which holds its lock around every call.
"""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tagfs.errors import FileTooLarge, IntegrityError, ReadOnly, StagingFull
from tagfs.fs.content.byte_ranges import ByteRanges
from tagfs.fs.content.upload_plan import ContentShape
from tagfs.store.objects import ObjectInfo

Fetch = Callable[[int, int], bytes]
"""Return exactly `length` bytes of the base from `offset` on."""

RESERVE = 64 * 1024**2
"""Bytes of the local disk that staging leaves free: journals need room when it is full."""

COMMITTED_MODE = 0o400
"""Mode of a staged file whose bytes the service has: after a crash nothing of it is missing."""

FETCH_BLOCK = 8 * 1024**2


class StagingArea:
    """The directory that holds staged files and their journals; 0700, files 0600."""

    def __init__(self, directory: Path | None) -> None:
        """None is of a read-only mount: nothing is staged, and no place on the disk is needed."""
        if directory is not None:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory

    @property
    def directory(self) -> Path:
        """Where it is.

        Raises:
            ReadOnly: nowhere.
        """
        if self._directory is None:
            raise ReadOnly("mounted read-only, so nothing is staged")
        return self._directory

    @property
    def shown(self) -> str | None:
        """The directory as the mount's status tells it; None if there is none."""
        return str(self._directory) if self._directory else None

    def new_file(self) -> "StagedFile":
        """Create an empty staged file, locked while it is open: `tagfs recover` leaves it alone."""
        path = self.directory / f"{secrets.token_hex(12)}.data"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _disk_errors():
            fd = os.open(path, flags, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return StagedFile(path, fd)

    def free_bytes(self) -> int:
        """Return the bytes that staging may still use."""
        stats = os.statvfs(self.directory)
        return max(0, stats.f_bavail * stats.f_frsize - RESERVE)


class _disk_errors:  # noqa: N801  (reads as a statement)
    """Turn what the local disk says into our errors."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError):
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StagingFull("the local disk is full (option cache_dir)") from error
            if error.errno == errno.EFBIG:
                raise FileTooLarge("larger than a file on the local disk can be") from error
            raise IntegrityError(f"staging on the local disk failed: {error}") from error


@dataclass(slots=True)
class StagedFile:
    """A sparse local file standing for an object under change.

    Attributes:
        path: the local file.
        fd: its descriptor, open until `close`.
        size: bytes of the file as programs see it.
        base_size: how many of the base's first bytes still belong to the file.
        local: ranges whose bytes are in the local file.
        origin: the object that the base is, if it is not the one at the file's own key; nothing of
            the file is local then, but what was read of it.
        written: ranges changed since the base; beyond `base_size` everything counts as changed.
        settled: nothing was changed since the service had it all.
    """

    path: Path
    fd: int
    size: int
    base_size: int
    local: ByteRanges
    written: ByteRanges
    committed: bool
    origin: ObjectInfo | None

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.size = 0
        self.base_size = 0
        self.local = ByteRanges()
        self.written = ByteRanges()
        self.committed = False
        self.origin = None

    def set_base(self, size: int) -> None:
        """Begin as an unchanged copy of an object of `size` bytes, none of them local yet."""
        self.size = self.base_size = size
        with _disk_errors():
            os.ftruncate(self.fd, size)

    def take_range(self, source: ObjectInfo, start: int, end: int) -> bool:
        """Be the first `end` bytes of an object, if the first `start` are all that it is now."""
        is_same = self.origin is None or (self.origin.key, self.origin.etag) == (
            source.key,
            source.etag,
        )
        if not is_same or self.written or start != self.size:
            return False
        if start and self.origin is None:
            return False
        self._mark_changed()
        self.origin = source
        self.set_base(end)
        return True

    def own_content(self, fetch: Fetch) -> None:
        """Make all bytes of an origin local, and the file's own."""
        if self.origin is not None:
            self.fill(0, self.base_size, fetch)
            self.written.add(0, self.base_size)
            self.base_size = 0
            self.origin = None

    def read(self, offset: int, length: int, fetch: Fetch) -> bytes:
        """Return up to `length` bytes from `offset`, fewer only at the end of the file."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        self.fill(offset, offset + length, fetch)
        with _disk_errors():
            return os.pread(self.fd, length, offset)

    def write(self, offset: int, data: bytes | memoryview) -> int:
        """Put `data` at `offset`, zeros filling what lies between the end and it.

        Return how many bytes were put there: fewer if the disk took no more.

        Raises:
            StagingFull, FileTooLarge, IntegrityError: not one was.
        """
        self._mark_changed()
        at = self._put(offset, data)
        self.local.add(offset, at)
        self.written.add(offset, at)
        self.size = max(self.size, at)
        return at - offset

    def truncate(self, size: int) -> None:
        """Make the file `size` bytes long; new bytes are zeros."""
        self._mark_changed()
        with _disk_errors():
            os.ftruncate(self.fd, size)
        if size < self.size:
            self.local.remove(size, self.size)
            self.written.remove(size, self.size)
            self.base_size = min(self.base_size, size)
        self.size = size

    def fill(self, start: int, end: int, fetch: Fetch) -> None:
        """Make the bytes of the base in `[start, end)` local."""
        for low, high in self.missing(start, end):
            for at in range(low, high, FETCH_BLOCK):
                length = min(FETCH_BLOCK, high - at)
                data = fetch(at, length)
                if len(data) != length:
                    raise IntegrityError(f"{len(data)} bytes at {at} instead of {length}")
                self._keep(at, data)

    def _keep(self, offset: int, data: bytes) -> None:
        """Make bytes of the base local; a full disk takes some of them, and says so only then."""
        view = memoryview(data)
        while view:
            end = self._put(offset, view)
            self.local.add(offset, end)
            view, offset = view[end - offset :], end

    def _put(self, offset: int, data: bytes | memoryview) -> int:
        """Put bytes on the disk; return where those end that it took, which are some.

        Raises:
            StagingFull, FileTooLarge, IntegrityError: it took none.
        """
        view, at = memoryview(data), offset
        with _disk_errors():
            while view:
                try:
                    done = os.pwrite(self.fd, view, at)
                except OSError:
                    if at == offset:
                        raise
                    break
                view, at = view[done:], at + done
        return at

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the pieces of `[start, end)` that are only in the base."""
        return list(self.local.gaps(start, min(end, self.base_size)))

    def shape(self) -> ContentShape:
        """Return which bytes are its own and which the base's, as they are now."""
        return ContentShape(self.size, self.base_size, tuple(self.written))

    def mark_committed(self) -> None:
        """Take the content as it is now for the new base: it was uploaded."""
        self.local.add(self.base_size, self.size)
        self.base_size = self.size
        self.written.clear()
        self.origin = None
        self.settle()

    def settle(self) -> None:
        """Mark that a crash brings nothing of it back: the service has it, or nobody wants it."""
        with contextlib.suppress(OSError):
            os.fchmod(self.fd, COMMITTED_MODE)
            self.committed = True

    def _mark_changed(self) -> None:
        if self.committed:
            with _disk_errors():
                os.fchmod(self.fd, 0o600)
            self.committed = False

    def sync(self) -> None:
        """Make the local bytes survive a power cut."""
        with _disk_errors():
            os.fdatasync(self.fd)

    def close(self) -> None:
        """Give back the descriptor; the local file stays."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def discard(self) -> None:
        """Close and delete the local file."""
        self.close()
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class StagedSource:
    """A piece of a staged file as something to upload (`store.bucket.Source`)."""

    fd: int
    offset: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` within the piece."""
        with _disk_errors():
            data = os.pread(self.fd, length, self.offset + offset)
            while len(data) < length:
                more = os.pread(self.fd, length - len(data), self.offset + offset + len(data))
                if not more:
                    raise IntegrityError("a staged file is shorter than it was")
                data += more
            return data


def pieces(ranges: ByteRanges, length: int) -> Iterator[tuple[int, int]]:
    """Cut every range into pieces of at most `length` bytes."""
    for start, end in ranges:
        for at in range(start, end, length):
            yield at, min(at + length, end)
