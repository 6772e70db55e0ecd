"""The journal: beside every staged file, a note of what it is for.

`<token>.data` holds the bytes, `<token>.json` says which object they are to become. The note is
written before an upload begins and deleted after it succeeded, so what a crash leaves behind can
always be finished. While an upload takes longer than a moment, or has failed, data and note are
also made to survive a power cut.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tagfs.errors import StagingFull
from tagfs.fs.staging import StagedFile

log = logging.getLogger(__name__)

SYNC_AFTER = 0.2
"""Seconds an upload may take before its staged file is made to survive a power cut as well.

Syncing every small file at once would cost more than its upload; a process that dies loses
nothing either way, because the kernel keeps what was written.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """What a staged file is for.

    Attributes:
        tags: the tag set to create it with; None keeps the replaced object's.
        base_etag: version that the unchanged ranges come from; None for a new file.
        base_size: bytes of the base that show through where nothing was written.
        size: bytes of the file.
        written: ranges `[start, end)` whose bytes are in the staged file.
        upload_id: of a multipart upload that was begun for it.
    """

    key: str
    metadata: dict[str, str]
    headers: dict[str, str]
    tags: dict[str, str] | None
    exclusive: bool
    base_etag: str | None
    base_size: int
    size: int
    written: list[tuple[int, int]] = field(default_factory=list)
    upload_id: str | None = None


class Journal:
    """Writes and deletes the notes of one mount's staging directory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Path, tuple[float, int]] = {}  # staged file -> since when, descriptor
        self._stop = threading.Event()
        self._syncer: threading.Thread | None = None

    def record(self, staged: StagedFile, entry: JournalEntry) -> None:
        """Write down what a staged file is for; the note is there when this returns.

        Raises:
            StagingFull: the disk has no room even for that.
        """
        path = note_path(staged.path)
        temporary = path.with_suffix(".tmp")
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(asdict(entry), file)
            temporary.replace(path)
        except OSError as error:
            raise StagingFull(f"the journal cannot be written: {error}") from error
        with self._lock:
            self._open[staged.path] = time.monotonic(), staged.fd
            if self._syncer is None:
                self._syncer = threading.Thread(
                    target=self._sync_slow, name="tagfs-journal", daemon=True
                )
                self._syncer.start()

    def keep(self, staged: StagedFile) -> None:
        """Make a staged file and its note survive a power cut; the note stays."""
        with self._lock:
            self._open.pop(staged.path, None)
        _sync(staged.fd, note_path(staged.path))

    def forget(self, staged: StagedFile) -> None:
        """Delete the note: the service has what the staged file holds."""
        with self._lock:
            self._open.pop(staged.path, None)
        note_path(staged.path).unlink(missing_ok=True)

    def close(self) -> None:
        """Stop the thread that looks after slow uploads."""
        self._stop.set()
        if self._syncer is not None:
            self._syncer.join()

    def _sync_slow(self) -> None:
        while not self._stop.wait(SYNC_AFTER):
            for path, fd in self._take_slow():
                try:
                    _sync(fd, note_path(path))
                except OSError as error:
                    log.warning("%s: not safe from a power cut: %s", path, error)
                finally:
                    os.close(fd)

    def _take_slow(self) -> list[tuple[Path, int]]:
        """Return uploads that take longer than a moment, each once, with a descriptor to close."""
        limit = time.monotonic() - SYNC_AFTER
        with self._lock:
            slow = [path for path, (since, _) in self._open.items() if since < limit]
            return [(path, os.dup(self._open.pop(path)[1])) for path in slow]


def note_path(data_path: Path) -> Path:
    """Return where the note of a staged file is."""
    return data_path.with_suffix(".json")


def read_notes(directory: Path) -> Iterator[tuple[Path, JournalEntry]]:
    """Yield the staged files of a directory that have a note, with what they are for."""
    for path in sorted(directory.glob("*.json")):
        data = path.with_suffix(".data")
        entry = parse_note(path.read_text(encoding="utf-8"))
        if entry is not None and data.exists():
            yield data, entry


def parse_note(text: str) -> JournalEntry | None:
    """Read a note; None if it is none."""
    try:
        fields = json.loads(text)
        entry = JournalEntry(**fields)
        written = [(int(start), int(end)) for start, end in entry.written]
    except (ValueError, TypeError):
        return None
    return JournalEntry(**{**fields, "written": written})


def _sync(fd: int, note: Path) -> None:
    os.fdatasync(fd)
    if not note.exists():  # the upload ended meanwhile
        return
    for path in (note, note.parent):
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
