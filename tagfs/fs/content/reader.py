"""Reading one version of an object through ranges that are fetched ahead.

The first answer fixes the version; every later range carries its ETag, so content replaced under
a reader is ESTALE and never a mix. A reader that goes forward gets a growing window of ranges in
flight; one that jumps gets small ranges, so that random reads do not fetch what nobody asked for:
`access_pattern` says how much. No byte is asked for twice while it is remembered.
"""

import threading
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from tagfs.blockcache.block_cache import NO_CACHE, ContentCache
from tagfs.errors import AccessDenied, IntegrityError, Interrupted
from tagfs.fs.content.access_pattern import FIRST, RANDOM, AccessPattern, range_size
from tagfs.fs.content.hedged_reads import Readable
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.objects import Content, ObjectInfo
from tagfs.store.versions import check_same_size, is_version

SMALL = 1024**2
"""Bytes up to which an object is read whole at once."""

RECENT_PIECES = 4
"""Ranges kept behind a reader that jumps."""


@dataclass(slots=True)
class _Chunk:
    """A range that was asked for: `[start, end)`, its bytes to come.

    Attributes:
        may_be_late: it was asked for ahead, and nobody has waited for it yet.
    """

    start: int
    end: int
    may_be_late: bool = False
    future: Future[Content] = field(default_factory=Future)

    def turns_out_late(self) -> bool:
        """Say whether it is not here when it is first asked for, though it was asked for ahead."""
        before, self.may_be_late = self.may_be_late, False
        return before and not self.future.done()


class Reader:
    """Reads one version of one object for one open file. Thread-safe.

    Attributes:
        info: the version that is read; None until the first answer came.
        was_read: whether anything was asked of it.
    """

    def __init__(
        self,
        bucket: Readable,
        key: str,
        executor: Executor,
        budget: MemoryBudget,
        *,
        expected: ObjectInfo | None = None,
        cache: ContentCache = NO_CACHE,
    ) -> None:
        """`expected` is the version that is probably there.

        `cache` is asked first, once the service has let this reader read something.
        """
        self.info: ObjectInfo | None = None
        self.was_read = False
        self._bucket = bucket
        self._key = key
        self._executor = executor
        self._budget = budget
        self._cache = cache
        self._expected = expected
        self._may_read = False
        self._opening = threading.Lock()
        self._lock = threading.Lock()
        self._pieces: list[_Chunk] = []
        self._pattern = AccessPattern()
        self._closed = False

    def open(self, offset: int = 0, length: int = 0) -> ObjectInfo:
        """Ask the service for the first range, unless that was done; it fixes the version.

        Raises:
            NotFound, AccessDenied, Archived
        """
        with self._opening:
            if self.info is not None:
                return self.info
            if self._expected is not None and self._cache.holds(self._expected):
                # One byte, not a HEAD: whether it may be read is to be asked as well.
                self.info = self._bucket.get(self._key, 0, 1).info
                self._may_read = True
                return self.info
            hint = self._expected.size if self._expected is not None else None
            if hint is not None and hint <= SMALL:
                offset, length = 0, max(hint, 1)
            else:
                length = max(length, FIRST if offset == 0 else RANDOM)
            return self.start_with(self._bucket.get(self._key, offset, length))

    def look(self) -> ObjectInfo:
        """Ask which version is there, and for none of its bytes; it is the one to be read.

        Without the right to look at objects some bytes are asked for: that is another right.

        Raises:
            NotFound, AccessDenied
        """
        try:
            self.info = self._bucket.head(self._key, max_age=FRESH_WITHIN)
        except AccessDenied:
            return self.open()
        return self.info

    def start_with(self, content: Content) -> ObjectInfo:
        """Begin with a range that is here already; it fixes the version."""
        if content.data:
            piece = _Chunk(content.start, content.start + len(content.data))
            piece.future.set_result(content)
            self._budget.take(len(content.data))
            self._pieces.append(piece)
            self._cache.keep(content.info, content.start, content.data)
        self._may_read = True
        self.info = content.info
        return content.info

    def rebind(self, key: str, before: ObjectInfo | None, after: ObjectInfo | None) -> None:
        """Go on under a key, with `after` for the version `before`, whose content it has.

        A reader of any other version keeps it, and finds out that it is gone.
        """
        with self._lock:
            self._key = key
            read = self.info
            if after is None or read is None:
                return
            if before is None or is_version(read, before):
                self.info = after

    def read(self, offset: int, length: int) -> bytes | memoryview:
        """Return up to `length` bytes from `offset`; fewer only at the end of the object.

        What lies in one range is a view of it: a caller who wants it elsewhere makes the only copy.

        Raises:
            ObjectChanged: another version took the place of the one being read.
        """
        self.was_read = True
        info = self.info or self.open(offset, length)
        end = min(offset + length, info.size)
        if offset >= end:
            return b""
        with self._lock:
            held = self._piece_at(offset)
            is_late = held is not None and held.turns_out_late() and self._budget.is_half_free
            window = self._pattern.begin(offset, end, is_held=held is not None, is_late=is_late)
            needed, own = self._plan(offset, end, window, info)
            self._read_ahead(end, window, info)
        for piece in own:
            self._fetch(piece, self._key, info)
        data = self._collect(needed, offset, end)
        with self._lock:
            self._pattern.finish(end)
            self._drop_passed()
        return data

    def close(self) -> None:
        """Forget what was read; ranges still in flight are not waited for."""
        with self._lock:
            self._closed = True
            for piece in self._pieces:
                self._give_back(piece)
            self._pieces.clear()

    def _plan(
        self, offset: int, end: int, window: int, info: ObjectInfo
    ) -> tuple[list[_Chunk], list[_Chunk]]:
        """Return the ranges that have `[offset, end)`, and those of them to be fetched here."""
        needed, own = [], []
        while offset < end:
            piece = self._piece_at(offset)
            if piece is None:
                small = info.size if info.size <= SMALL else 0
                length = max(range_size(window) if window else self._jump(), end - offset, small)
                piece = self._add(self._block_start(offset), offset + length, info)
                own.append(piece)
            needed.append(piece)
            offset = piece.end
        return needed, own

    def _piece_at(self, offset: int) -> _Chunk | None:
        return next((p for p in self._pieces if p.start <= offset < p.end), None)

    def _jump(self) -> int:
        """Return how many bytes to fetch after a jump."""
        run = self._pattern.typical_run
        if run > RANDOM and self._budget.has_room(run):
            return run
        return min(RANDOM, self._cache.block) or RANDOM

    def _block_start(self, offset: int) -> int:
        """Return from where on to fetch what begins at `offset`, so that it can be kept."""
        if not self._cache.block:
            return offset
        passed = (p.end for p in self._pieces if p.end <= offset)
        return max(offset - offset % self._cache.block, max(passed, default=0))

    def _read_ahead(self, start: int, window: int, info: ObjectInfo) -> None:
        """Ask for ranges of full size ahead of `start`, as far as the window and memory allow."""
        length = range_size(window)
        end = start + window
        while start < min(end, info.size):
            piece = self._piece_at(start)
            if piece is None:
                if start + length > end and start + length < info.size:
                    return  # wait until a whole range is due: many small ones cost round trips
                if not self._budget.has_room(length):
                    return
                piece = self._add(start, start + length, info)
                piece.may_be_late = True
                self._executor.submit(self._fetch, piece, self._key, info)
            start = piece.end

    def _add(self, start: int, end: int, info: ObjectInfo) -> _Chunk:
        """Note a range from `start` to the end of a block, or to where the next range begins."""
        end += -end % (self._cache.block or 1)
        following = min((p.start for p in self._pieces if p.start > start), default=info.size)
        piece = _Chunk(start, min(end, following, info.size))
        self._budget.take(piece.end - piece.start)
        self._pieces.append(piece)
        return piece

    def _fetch(self, piece: _Chunk, key: str, info: ObjectInfo) -> None:
        if self._closed:  # nobody waits for what was read ahead
            piece.future.set_exception(Interrupted("closed"))
            return
        try:
            content, is_kept = self._content(piece, key, info)
        except BaseException as error:  # noqa: BLE001  (handed to the reader)
            piece.future.set_exception(error)
        else:
            piece.future.set_result(content)
            if not is_kept:
                self._cache.keep(info, content.start, content.data)

    def _content(self, piece: _Chunk, key: str, info: ObjectInfo) -> tuple[Content, bool]:
        """Return a range of the version that is read, and whether the disk had it."""
        kept = self._cache.read(info, piece.start, piece.end) if self._may_read else None
        if kept is not None:
            return Content(info, piece.start, kept), True
        content = self._bucket.get(key, piece.start, piece.end - piece.start, if_match=info.etag)
        check_same_size(info, content.info)
        self._may_read = True
        return content, False

    def _collect(self, needed: list[_Chunk], offset: int, end: int) -> bytes | memoryview:
        parts: list[memoryview] = []
        for piece in needed:
            try:
                content = piece.future.result()
            except BaseException:
                self._remove(piece)
                raise
            part = memoryview(content.data)[offset - piece.start : end - piece.start]
            if len(part) != min(end, piece.end) - offset:
                self._remove(piece)
                raise IntegrityError(f"{self._key}: bytes {offset} to {end} are not all there")
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _drop_passed(self) -> None:
        """Drop ranges that a reader going forward has left, and old ones of one that jumps."""
        if self.info is not None and self.info.size <= SMALL:
            return
        if self._pattern.sequential_bytes:
            gone = [p for p in self._pieces if self._pattern.has_left(p.end)]
        else:
            gone = self._pieces[:-RECENT_PIECES]
        for piece in gone:
            self._pieces.remove(piece)
            self._give_back(piece)

    def _remove(self, piece: _Chunk) -> None:
        with self._lock:
            if piece in self._pieces:
                self._pieces.remove(piece)
                self._give_back(piece)

    def _give_back(self, piece: _Chunk) -> None:
        size = piece.end - piece.start
        piece.future.add_done_callback(lambda _: self._budget.give_back(size))
