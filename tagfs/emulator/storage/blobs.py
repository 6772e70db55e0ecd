"""The files that hold large contents, and the way bytes take into them.

A file is written under `incoming/`, renamed into `blobs/` under a random name, and only then named
by a database row. A crash therefore leaves at most files that no row names, and `sweep` removes
them. Keys never become file names.
"""

import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from tagfs.emulator.storage.crc64 import crc64

INLINE_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Bytes that arrived whole and belong to no object yet: in memory, or in a temporary file.

    `checksums` are headers with what the client said of them, which held.
    """

    size: int
    md5: str
    crc64: int
    data: bytes = b""
    path: Path | None = None
    checksums: dict[str, str] = field(default_factory=dict)

    def discard(self) -> None:
        """Remove the temporary file; harmless once an object has taken it over."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def stage_bytes(data: bytes) -> Staged:
    """Stage a small content that is in memory already."""
    return Staged(size=len(data), md5=hashlib.md5(data).hexdigest(), crc64=crc64(data), data=data)


class Incoming:
    """Bytes on their way in: hashed as they come, in memory while few, then spilled to a file."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / secrets.token_hex(16)
        self._held: list[bytes] = []
        self._file: FileIO | None = None
        self._md5 = hashlib.md5()
        self._crc = 0
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._md5.update(chunk)
        self._crc = crc64(chunk, self._crc)
        self.size += len(chunk)
        if self._file is None:
            self._held.append(chunk)
            if self.size > INLINE_LIMIT:
                self._file = FileIO(self._path, "x")
                self._spill(self._file, b"".join(self._held))
                self._held.clear()
        else:
            self._spill(self._file, chunk)

    @staticmethod
    def _spill(file: FileIO, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[file.write(view) or 0 :]

    def finish(self) -> Staged:
        """Return the whole content."""
        path = None
        if self._file is not None:
            self._file.close()
            path = self._path
        data = b"".join(self._held)
        return Staged(
            size=self.size, md5=self._md5.hexdigest(), crc64=self._crc, data=data, path=path
        )

    def discard(self) -> None:
        """Forget what came; harmless after the staged file was taken over."""
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


class BlobDirectory:
    """The files, which outlive their row while a reader has them open."""

    def __init__(self, root: Path) -> None:
        self._incoming = root / "incoming"
        self._blobs = root / "blobs"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._blobs.mkdir(exist_ok=True)
        self._pins: Counter[str] = Counter()
        self._unreferenced: set[str] = set()

    def receive(self) -> Incoming:
        """Begin to take in a content."""
        return Incoming(self._incoming)

    def adopt(self, staged: Path) -> str:
        """Move a staged file in and return its name."""
        name = secrets.token_hex(16)
        staged.rename(self._blobs / name)
        return name

    def create_sparse(self, size: int) -> str:
        """Make a file of zeros that takes no space, and return its name."""
        name = secrets.token_hex(16)
        with (self._blobs / name).open("xb") as file:
            file.truncate(size)
        return name

    def path(self, name: str) -> Path:
        """Return where a blob's bytes are."""
        return self._blobs / name

    def write_at(self, name: str, offset: int, data: bytes) -> None:
        """Put bytes behind a blob's end; what an earlier crash left there is overwritten."""
        descriptor = os.open(self._blobs / name, os.O_WRONLY)
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
        finally:
            os.close(descriptor)

    def pin(self, names: Iterable[str]) -> None:
        """Keep these files while they are read."""
        self._pins.update(names)

    def unpin(self, names: Iterable[str]) -> None:
        """End a `pin`; the last one removes a file that lost its row meanwhile."""
        for name in names:
            self._pins[name] -= 1
            if self._pins[name] <= 0:
                del self._pins[name]
                if name in self._unreferenced:
                    self._unreferenced.discard(name)
                    self.path(name).unlink(missing_ok=True)

    def remove(self, names: Iterable[str]) -> None:
        """Delete files whose rows are gone, now or when their last reader ends."""
        for name in names:
            if name in self._pins:
                self._unreferenced.add(name)
            else:
                self.path(name).unlink(missing_ok=True)

    def sweep(self, known: set[str]) -> None:
        """Delete what a crash left behind: unfinished uploads and files without a row."""
        for path in self._incoming.iterdir():
            path.unlink()
        for path in self._blobs.iterdir():
            if path.name not in known:
                path.unlink()
