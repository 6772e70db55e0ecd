"""Contents as lists of extents over reference-counted blobs.

Copying an object, or joining parts into one, copies extents and counts references: no bytes move,
so an object of any size is copied at the price of a row. A blob is a row; small ones carry their
bytes in it.
"""

import errno
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tagfs.emulator.storage.blobs import INLINE_LIMIT, BlobDirectory, Staged
from tagfs.emulator.storage.crc64 import crc64, crc64_combine, crc64_of_zeros
from tagfs.emulator.storage.database import Database
from tagfs.emulator.storage.records import Extent

CHUNK = 256 * 1024
_encode = json.JSONEncoder(separators=(",", ":")).encode

Extents = tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Where one extent's bytes are: in a file, or right here."""

    offset: int
    length: int
    name: str | None
    data: bytes


class Content:
    """An object's bytes, held readable until `close`, whatever happens to the object meanwhile."""

    def __init__(self, blobs: BlobDirectory, pieces: tuple[Piece, ...]) -> None:
        self._blobs = blobs
        self._pieces = pieces
        self._pinned = [piece.name for piece in pieces if piece.name]
        blobs.pin(self._pinned)

    def read(self, start: int, length: int) -> Iterator[bytes]:
        """Yield the bytes of a range in chunks of moderate size."""
        for piece, offset, take in self._spans(start, length):
            if piece.name is None:
                yield piece.data[offset : offset + take]
            else:
                yield from self._read_file(piece.name, offset, take)

    def _spans(self, start: int, length: int) -> Iterator[tuple[Piece, int, int]]:
        """Yield what a range is made of: a piece, the offset in its blob, how many bytes."""
        for piece in self._pieces:
            if length <= 0:
                return
            if start >= piece.length:
                start -= piece.length
                continue
            take = min(length, piece.length - start)
            yield piece, piece.offset + start, take
            length -= take
            start = 0

    def in_memory(self, start: int, length: int) -> bytes | None:
        """Return a range that needs no file, if this is one; the content is closed then."""
        if self._pinned:
            return None
        return b"".join(self.read(start, length))

    def _read_file(self, name: str, offset: int, length: int) -> Iterator[bytes]:
        descriptor = os.open(self._blobs.path(name), os.O_RDONLY)
        try:
            while length > 0:
                chunk = os.pread(descriptor, min(CHUNK, length), offset)
                if not chunk:
                    raise EOFError(f"blob {name} ends before its extent")
                offset += len(chunk)
                length -= len(chunk)
                yield chunk
        finally:
            os.close(descriptor)

    def checksum(self, start: int, length: int) -> int:
        """Read a range for its CRC; called in a thread, for it may be gigabytes."""
        crc = 0
        for piece, offset, take in self._spans(start, length):
            if piece.name is None:
                crc = crc64(piece.data[offset : offset + take], crc)
            else:
                crc = self._file_checksum(piece.name, offset, take, crc)
        return crc

    def _file_checksum(self, name: str, offset: int, length: int, crc: int) -> int:
        """Continue a CRC over a range of a blob's file; its holes are not read."""
        descriptor = os.open(self._blobs.path(name), os.O_RDONLY)
        try:
            while length > 0:
                hole = min(length, _hole(descriptor, offset))
                if hole:
                    crc = crc64_combine(crc, crc64_of_zeros(hole), hole)
                    offset, length = offset + hole, length - hole
                    continue
                chunk = os.pread(descriptor, min(CHUNK, length), offset)
                if not chunk:
                    raise EOFError(f"blob {name} ends before its extent")
                crc = crc64(chunk, crc)
                offset, length = offset + len(chunk), length - len(chunk)
        finally:
            os.close(descriptor)
        return crc

    def close(self) -> None:
        """Let go of the files."""
        self._blobs.unpin(self._pinned)
        self._pinned = []


def _hole(descriptor: int, offset: int) -> int:
    """Return for how many bytes a file has nothing but a hole, up to its end."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA) - offset
    except OSError as error:
        if error.errno != errno.ENXIO:  # no data from here on
            raise
        return max(0, os.fstat(descriptor).st_size - offset)


class Contents:
    """The blobs table and the blob files together.

    Methods that change rows expect to run inside a transaction of the caller; files of blobs that
    lost their last reference are removed by `collect`, after the commit.
    """

    def __init__(self, database: Database, blobs: BlobDirectory) -> None:
        self._db = database
        self._blobs = blobs
        self._dead: list[str] = []

    def add(self, staged: Staged) -> Extents:
        """Make a blob of a staged content, with one reference."""
        if staged.size == 0:
            return ()
        name = self._blobs.adopt(staged.path) if staged.path else None
        return (Extent(self._insert(1, staged.size, name, staged.data), 0, staged.size),)

    def add_sparse(self, size: int, refs: int) -> Extents:
        """Make a blob of zeros that many objects share."""
        if size == 0:
            return ()
        name = self._blobs.create_sparse(size) if size > INLINE_LIMIT else None
        return (Extent(self._insert(refs, size, name, b"" if name else bytes(size)), 0, size),)

    def _insert(self, refs: int, size: int, name: str | None, data: bytes) -> int:
        return self._db.insert(
            "INSERT INTO blobs(refs, size, name, data) VALUES(?, ?, ?, ?)",
            (refs, size, name, None if name else data),
        )

    def share(self, extents: Extents) -> None:
        """Count one more reference for each extent."""
        for blob, count in Counter(extent.blob for extent in extents).items():
            self._db.execute("UPDATE blobs SET refs = refs + ? WHERE id = ?", (count, blob))

    def drop(self, extents: Extents) -> None:
        """Count one reference less for each extent, and delete blobs that nobody needs."""
        for blob, count in Counter(extent.blob for extent in extents).items():
            row = self._db.one(
                "UPDATE blobs SET refs = refs - ? WHERE id = ? RETURNING refs, name", (count, blob)
            )
            if row is not None and row[0] <= 0:
                self._db.execute("DELETE FROM blobs WHERE id = ?", (blob,))
                if row[1]:
                    self._dead.append(row[1])

    def collect(self) -> None:
        """Remove the files of blobs that were dropped by what has just been committed."""
        if self._dead:
            dead, self._dead = self._dead, []
            self._blobs.remove(dead)

    def forget_dead(self) -> None:
        """Keep the files of a transaction that was rolled back."""
        self._dead.clear()

    def extend(self, extents: Extents, staged: Staged) -> Extents:
        """Return `extents` followed by a staged content, growing the last blob where that is cheap.

        Without this, a log appended to line by line would become a list of thousands of extents.
        """
        if staged.size == 0:
            return extents
        grown = self._grow(extents[-1], staged) if extents and staged.path is None else None
        if grown is not None:
            return (*extents[:-1], grown)
        return (*extents, *self.add(staged))

    def _grow(self, last: Extent, staged: Staged) -> Extent | None:
        row = self._db.one("SELECT refs, size, name FROM blobs WHERE id = ?", (last.blob,))
        if row is None or row[0] != 1 or row[1] != last.offset + last.length:
            return None
        size = row[1] + staged.size
        if row[2]:
            self._blobs.write_at(row[2], row[1], staged.data)
            self._db.execute("UPDATE blobs SET size = ? WHERE id = ?", (size, last.blob))
        elif size <= INLINE_LIMIT:
            self._db.execute(
                "UPDATE blobs SET size = ?, data = CAST(data || ? AS BLOB) WHERE id = ?",
                (size, staged.data, last.blob),
            )
        else:
            return None
        return Extent(last.blob, last.offset, last.length + staged.size)

    def open(self, extents: Extents) -> Content:
        """Make a content readable."""
        return Content(self._blobs, tuple(self._pieces(extents)))

    def _pieces(self, extents: Extents) -> Iterator[Piece]:
        seen: dict[int, tuple[str | None, bytes]] = {}
        for blob, offset, length in extents:
            if blob not in seen:
                [(name, data)] = self._db.all("SELECT name, data FROM blobs WHERE id = ?", (blob,))
                seen[blob] = (name, data or b"")
            yield Piece(offset, length, *seen[blob])

    def names(self) -> set[str]:
        """Return the names of all files that rows refer to."""
        return {row[0] for row in self._db.all("SELECT name FROM blobs WHERE name IS NOT NULL")}


def slice_extents(extents: Extents, start: int, length: int) -> Extents:
    """Return the extents of a range of a content."""
    result = []
    for blob, offset, size in extents:
        if length <= 0:
            break
        if start >= size:
            start -= size
            continue
        take = min(length, size - start)
        result.append(Extent(blob, offset + start, take))
        length -= take
        start = 0
    return tuple(result)


def extents_to_json(extents: Extents) -> str:
    """Render extents for a row."""
    return _encode(extents) if extents else "[]"


def extents_from_json(text: str) -> Extents:
    """Parse extents of a row."""
    return () if text == "[]" else tuple(Extent(*item) for item in json.loads(text))
