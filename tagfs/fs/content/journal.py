"""The journal: beside every staged file, a note of what it is for.

`<token>.data` holds the bytes, `<token>.json` says which object they are to become. The note is
written before an upload begins and deleted after it succeeded, so what a crash leaves behind can
always be finished. While an upload takes longer than a moment, or has failed, data and note are
also made to survive a power cut: the queue of what is pending says when.
"""

import contextlib
import functools
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
from tagfs.fs.pending.change import Kind, Work
from tagfs.fs.pending.queue import PendingChanges
from tagfs.localfiles.atomic import replace_file, sync_path

log = logging.getLogger(__name__)

SYNC_AFTER = 0.2
"""Seconds an upload may take before its staged file is made to survive a power cut as well.

Syncing every small file at once would cost more than its upload; a process that dies loses
nothing either way, because the kernel keeps what was written.
"""


class Journal:
    """Writes and deletes the notes of one mount's staging directory. Thread-safe."""

    def __init__(self, pending: PendingChanges) -> None:
        self._pending = pending
        self._lock = threading.Lock()
        self._unsynced: dict[Path, int] = {}  # staged file -> descriptor

    def write(self, staged: StagedFile, entry: FileEntry) -> None:
        """Write down what a staged file is for; the note is there when this returns.

        Raises:
            StagingFull: the disk has no room even for that.
        """
        _write(note_path(staged.path), replace(entry, recorded_ns=time.time_ns()))
        if entry.phase is not Phase.COMMITTING:
            return
        with self._lock:
            self._unsynced[staged.path] = staged.fd
        work = Work(functools.partial(self._sync_slow, staged.path))
        if not self._pending.add(staged.path, Kind.SYNC, work, SYNC_AFTER):
            self.sync(staged)

    def sync(self, staged: StagedFile) -> None:
        """Make a staged file and its note survive a power cut; the note stays."""
        self._forget(staged.path)
        _sync(staged.fd, staged.path)

    def remove(self, staged: StagedFile) -> None:
        """Delete the note: the service has what the staged file holds."""
        self._forget(staged.path)
        note_path(staged.path).unlink(missing_ok=True)

    def _forget(self, path: Path) -> None:
        """Sync a file no more; what has begun goes on by a descriptor of its own."""
        with self._lock:
            self._unsynced.pop(path, None)
        self._pending.cancel(path, Kind.SYNC, wait=False)

    def _sync_slow(self, path: Path) -> None:
        """Sync a file whose upload takes longer than a moment."""
        with self._lock:
            fd = self._unsynced.pop(path, None)
            if fd is None:  # the upload has ended just now
                return
            fd = os.dup(fd)
        try:
            _sync(fd, path)
        finally:
            os.close(fd)


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


def _sync(fd: int, path: Path) -> None:
    """Make a staged file and its note survive a power cut; log it if that fails."""
    note = note_path(path)
    try:
        os.fdatasync(fd)
        with contextlib.suppress(FileNotFoundError):  # the upload ended meanwhile
            sync_path(note)
            sync_path(note.parent)
    except OSError as error:
        log.warning("%s: %s: %s", path, Kind.SYNC.value, error)
