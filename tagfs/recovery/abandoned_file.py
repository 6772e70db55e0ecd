"""One staged file that was left, open: which of its bytes are here, and which were the base's."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from tagfs.fs.content.byte_ranges import ByteRanges
from tagfs.fs.content.journal_entries import FileEntry
from tagfs.fs.content.staged_file import Fetch, StagedFile, StagedSource
from tagfs.store.objects import Part
from tagfs.store.wire.checksums import crc64

BLOCK = 4 * 1024**2


class StagedContent:
    """A staged file as its note describes it.

    Attributes:
        entry: what it is for; the note on disk says the same.
        file: the staged file.
    """

    def __init__(
        self, path: Path, fd: int, entry: FileEntry, rewrite: Callable[[FileEntry], None]
    ) -> None:
        self.entry = entry
        self._rewrite = rewrite
        self.file = StagedFile(path, fd)
        self.file.size = entry.size
        self.file.base_size = entry.base_size
        self.file.written = ByteRanges(*entry.written)
        self.file.local = ByteRanges(*entry.written)
        self.file.local.add(entry.base_size, entry.size)
        if os.fstat(fd).st_size < entry.size:  # cut after the note was made; never beyond `written`
            os.ftruncate(fd, entry.size)

    def note(self, entry: FileEntry) -> None:
        """Write down what has changed, so that the next attempt knows it."""
        self._rewrite(entry)
        self.entry = entry

    @property
    def key(self) -> str:
        """The key that it is to have."""
        return self.entry.key

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Ranges whose bytes are not here: the base has them."""
        return list(ByteRanges(*self.entry.written).gaps(0, self.entry.base_size))

    @property
    def is_complete(self) -> bool:
        """Whether every byte is here."""
        return not self.gaps

    def source(self, start: int = 0, end: int | None = None) -> StagedSource:
        """Return a piece to upload; its bytes must be here."""
        end = self.entry.size if end is None else end
        return StagedSource(self.file.fd, start, end - start)

    def fill(self, start: int, end: int, fetch: Fetch) -> None:
        """Bring the bytes of the base here that a piece lacks."""
        self.file.fill(start, end, fetch)

    def checksum(self, start: int = 0, end: int | None = None) -> int:
        """Return the CRC-64 of a piece."""
        return self._part(self.source(start, end), 0).crc64 or 0

    def part(self, number: int, start: int, end: int) -> Part:
        """Describe a piece as the service describes a part that holds just this."""
        return self._part(self.source(start, end), number, with_md5=True)

    def _part(self, source: StagedSource, number: int, *, with_md5: bool = False) -> Part:
        crc, digest = 0, hashlib.md5(usedforsecurity=False)
        for at in range(0, source.size, BLOCK):
            data = source.read(at, min(BLOCK, source.size - at))
            crc = crc64(data, crc)
            if with_md5:
                digest.update(data)
        return Part(number=number, etag=digest.hexdigest().upper(), size=source.size, crc64=crc)
