"""Annotations that an object is to get back, on this host's disk until it has them.

A rewrite loses an object's annotations, and they are set again after it. Should this process die in
between, the file says which they were: `tagfs recover` sets them. It has its name when it is whole:

    {"version": 1, "key": KEY}
    {"name": NAME, "size": BYTES}
    BYTES of the annotation, and a line's end, and so on
"""

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from tagfs.errors import StagingFull
from tagfs.localfiles.atomic import sync_path

SUFFIX: Final = ".saved"
_VERSION: Final = 1
_LONGEST_LINE: Final = 16 * 1024


class DamagedFile(Exception):
    """It is not such a file; its text says why."""


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """Annotations of one key.

    Attributes:
        path: where the file is; None if it has no name, and is gone with this process.
        places: where each annotation begins, and its size, by name.
    """

    key: str
    path: Path | None
    places: Mapping[str, tuple[int, int]]
    file: BinaryIO

    def read(self, name: str) -> bytes:
        """Return one annotation. Thread-safe."""
        start, size = self.places[name]
        return os.pread(self.file.fileno(), size, start)

    def close(self) -> None:
        """Give the descriptor back; the file stays."""
        self.file.close()

    def remove(self) -> None:
        """Delete the file: its annotations are where they belong, or nobody wants them."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


class AnnotationWriter:
    """Writes one file; `directory` None: without a name."""

    def __init__(self, directory: Path | None, key: str) -> None:
        """Begin a file.

        Raises:
            StagingFull
        """
        self._key = key
        self._directory = directory
        self._places: dict[str, tuple[int, int]] = {}
        self._path: Path | None = None
        try:
            if directory is None:
                self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - it is kept
            else:
                self._path = directory / f"{secrets.token_hex(12)}.tmp"
                self._file = os.fdopen(_private(self._path), "w+b")
            self._write(json.dumps({"version": _VERSION, "key": key}).encode() + b"\n")
        except OSError as error:
            raise _full(error) from error

    def add(self, name: str, data: bytes) -> None:
        """Add an annotation.

        Raises:
            StagingFull
        """
        try:
            self._write(json.dumps({"name": name, "size": len(data)}).encode() + b"\n")
            self._places[name] = self._file.tell(), len(data)
            self._write(data + b"\n")
        except OSError as error:
            raise _full(error) from error

    def finish(self) -> AnnotationFile:
        """Make the file one that survives this process, and a power cut.

        Raises:
            StagingFull
        """
        path = self._path
        try:
            self._file.flush()
            if path is not None and self._directory is not None:
                os.fdatasync(self._file.fileno())
                path = path.rename(path.with_suffix(SUFFIX))
                sync_path(self._directory)
        except OSError as error:
            raise _full(error) from error
        return AnnotationFile(self._key, path, self._places, self._file)

    def discard(self) -> None:
        """Delete what was written."""
        self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._file.write(data)


def read_annotations(path: Path, fd: int) -> AnnotationFile:
    """Read a file that was left, open as `fd`, which is closed with what is returned.

    Raises:
        DamagedFile
    """
    file = os.fdopen(fd, "rb")
    try:
        return _parsed(path, file)
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        raise


def _parsed(path: Path, file: BinaryIO) -> AnnotationFile:
    whole = os.fstat(file.fileno()).st_size
    head = _line(file)
    key = head.get("key")
    if head.get("version") != _VERSION or not isinstance(key, str) or not key:
        raise DamagedFile("another version of tagfs wrote it, or it is damaged")
    places: dict[str, tuple[int, int]] = {}
    while file.tell() < whole:
        line = _line(file)
        name, size = line.get("name"), line.get("size")
        if not isinstance(name, str) or type(size) is not int or size < 0:
            raise DamagedFile("an annotation without a name or a size")
        if file.tell() + size >= whole:
            raise DamagedFile("it was cut off")
        places[name] = file.tell(), size
        file.seek(size + 1, os.SEEK_CUR)
    return AnnotationFile(key, path, places, file)


def _line(file: BinaryIO) -> dict[str, object]:
    try:
        line = json.loads(file.readline(_LONGEST_LINE))
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict):
        raise DamagedFile("it is not of this form")
    return line


def _private(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def _full(error: OSError) -> StagingFull:
    return StagingFull(f"annotations cannot be kept for a moment: {error}")
