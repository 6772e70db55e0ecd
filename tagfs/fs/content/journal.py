"""The journal: beside every staged file, a note of what it is for.

`<token>.data` holds the bytes, `<token>.json` says which object they are to become. The note is
written before an upload begins and deleted after it succeeded, so what a crash leaves behind can
always be finished. While an upload takes longer than a moment, or has failed, data and note are
also made to survive a power cut.
"""

import logging
import os
import secrets
import threading
import time
from dataclasses import replace
from pathlib import Path

from tagfs.errors import StagingFull
from tagfs.fs.content.journal_entries import FileEntry, Phase, RenameEntry, RenamePhase, render_note
from tagfs.fs.content.staged_file import StagedFile
from tagfs.localfiles.atomic import replace_file, sync_path

log = logging.getLogger(__name__)

SYNC_AFTER = 0.2
"""Seconds an upload may take before its staged file is made to survive a power cut as well.

Syncing every small file at once would cost more than its upload; a process that dies loses
nothing either way, because the kernel keeps what was written.
"""


class Journal:
    """Writes and deletes the notes of one mount's staging directory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Path, tuple[float, int]] = {}  # staged file -> since when, descriptor
        self._stop = threading.Event()
        self._syncer: threading.Thread | None = None

    def write(self, staged: StagedFile, entry: FileEntry) -> None:
        """Write down what a staged file is for; the note is there when this returns.

        Raises:
            StagingFull: the disk has no room even for that.
        """
        _write(note_path(staged.path), replace(entry, recorded_ns=time.time_ns()))
        if entry.phase is not Phase.COMMITTING:
            return
        with self._lock:
            self._open[staged.path] = time.monotonic(), staged.fd
            if self._syncer is None:
                self._syncer = threading.Thread(
                    target=self._sync_slow, name="tagfs-journal", daemon=True
                )
                self._syncer.start()

    def sync(self, staged: StagedFile) -> None:
        """Make a staged file and its note survive a power cut; the note stays."""
        with self._lock:
            self._open.pop(staged.path, None)
        try:
            _sync(staged.fd, note_path(staged.path))
        except OSError as error:
            log.warning("%s: not safe from a power cut: %s", staged.path, error)

    def remove(self, staged: StagedFile) -> None:
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


class RenameJournal:
    """The note of a directory rename that is under way; it survives a power cut.

    A crash before `deleting` is answered by taking the copies away, one after it by finishing the
    deletes. It goes with the rename, unless the service fell silent amid deletes.
    """

    def __init__(self, directory: Path, source: str, target: str, *, replaces: bool) -> None:
        """Write down that everything below `source` is about to be copied to `target`.

        Raises:
            StagingFull: the disk has no room even for that.
        """
        self._path = directory / f"rename-{secrets.token_hex(12)}.json"
        self._entry = RenameEntry(
            source=source,
            target=target,
            phase=RenamePhase.COPYING,
            replaces=replaces,
            recorded_ns=time.time_ns(),
        )
        _write(self._path, self._entry, lasting=True)

    def deleting(self) -> None:
        """Write down that everything is copied.

        Without room for that the first phase stays noted: what a crash leaves is then taken back
        as far as it still can be.
        """
        self._entry = replace(self._entry, phase=RenamePhase.DELETING)
        try:
            _write(self._path, self._entry, lasting=True)
        except StagingFull as error:
            log.warning("%s", error)

    def done(self) -> None:
        """The rename is over, whichever way."""
        self._path.unlink(missing_ok=True)


def _write(path: Path, entry: FileEntry | RenameEntry, *, lasting: bool = False) -> None:
    """Put a note in place at once; a `lasting` one survives a power cut.

    Raises:
        StagingFull
    """
    try:
        replace_file(path, render_note(entry).encode(), lasting=lasting)
    except OSError as error:
        raise StagingFull(f"the journal cannot be written: {error}") from error


def _sync(fd: int, note: Path) -> None:
    os.fdatasync(fd)
    try:
        sync_path(note)
    except FileNotFoundError:  # the upload ended meanwhile, or the file was deleted
        return
    sync_path(note.parent)
