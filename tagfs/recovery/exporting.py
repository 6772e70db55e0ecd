"""Copying out what was left, for somebody to look at: the bytes, and a sidecar that explains them.

Nothing that is there is replaced, and no link in the target is followed for the file itself.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tagfs.errors import NotFound, ObjectChanged, SettingsError
from tagfs.fs.content.journal_entries import JournalEntry
from tagfs.fs.content.staged_file import Fetch
from tagfs.recovery.remains import BLOCK, Remains

SIDECAR = ".tagfs.json"


class Exporter:
    """Copies staged files of one bucket into a directory."""

    def __init__(self, directory: Path) -> None:
        """Make the directory if need be.

        Raises:
            SettingsError
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"--export {directory}: {error.strerror}") from None
        self._directory = directory

    def export(self, remains: Remains, fetch: Fetch | None) -> tuple[Path, list[tuple[int, int]]]:
        """Copy a staged file out under its key; `fetch` gets bytes of its base.

        Returns where it is, and the ranges that could not be had and are zeros there.
        """
        entry = remains.entry
        missing: list[tuple[int, int]] = []
        if entry.key.endswith("/"):  # of a directory, whose files may be here already
            return self._export_directory(entry), missing
        path, fd = self._new(entry.key, remains.file.path.stem)
        with os.fdopen(fd, "wb") as target:
            target.truncate(entry.size)
            for start, end in remains.file.changed():
                for at in range(start, end, BLOCK):
                    data = remains.source().read(at, min(BLOCK, end - at))
                    _write(target.fileno(), data, at)
            for start, end in remains.gaps:
                if not _fetched(target.fileno(), start, end, fetch):
                    missing.append((start, end))
            os.fsync(target.fileno())
        self._explain(path, _described(entry) | {"missing": missing})
        return path, missing

    def _export_directory(self, entry: JournalEntry) -> Path:
        path = self._directory / entry.key
        with suppress(FileExistsError):
            path.mkdir(parents=True)
        self._explain(path, _described(entry))
        return path

    def export_raw(self, fd: int, name: str, reason: str) -> Path:
        """Copy out a staged file of which nothing is known, as it is."""
        path, out = self._new(f"unfinished/{name}", name)
        with os.fdopen(out, "wb") as target:
            size = os.fstat(fd).st_size
            target.truncate(size)
            for at, data in _blocks(fd, size):
                _write(target.fileno(), data, at)
            os.fsync(target.fileno())
        self._explain(path, {"unknown": reason})
        return path

    def _new(self, key: str, token: str) -> tuple[Path, int]:
        """Create a file for a key; under another name if something is in the way."""
        for relative in (key, f"{key}.{token}"):
            with suppress(OSError):
                return self._create(self._directory / relative)
        return self._create(self._directory / "unnamed" / token)

    def _create(self, path: Path) -> tuple[Path, int]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        if Path(f"{path}{SIDECAR}").exists():
            raise FileExistsError(f"{path}{SIDECAR} is there already")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path, os.open(path, flags, 0o600)

    def _explain(self, path: Path, fields: dict[str, object]) -> None:
        sidecar = Path(f"{path}{SIDECAR}")
        with sidecar.open("x", encoding="utf-8") as file:
            json.dump(fields, file, indent=2, ensure_ascii=True)


def _fetched(fd: int, start: int, end: int, fetch: Fetch | None) -> bool:
    """Write bytes of the base; say whether they could be had."""
    if fetch is None:
        return False
    try:
        for at in range(start, end, BLOCK):
            _write(fd, fetch(at, min(BLOCK, end - at)), at)
    except (NotFound, ObjectChanged):
        return False
    return True


def _described(entry: JournalEntry) -> dict[str, object]:
    fields = asdict(entry)
    shown = ("key", "size", "tags", "metadata", "headers", "phase", "base_etag")
    recorded = datetime.fromtimestamp(entry.recorded_ns / 1e9, UTC).isoformat()
    return {**{name: fields[name] for name in shown}, "recorded": recorded}


def _write(fd: int, data: bytes, at: int) -> None:
    """Write a block; zeros stay a hole."""
    if data.count(0) == len(data):
        return
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, at)
        view, at = view[done:], at + done


def _blocks(fd: int, size: int) -> Iterator[tuple[int, bytes]]:
    for at in range(0, size, BLOCK):
        yield at, os.pread(fd, BLOCK, at)
