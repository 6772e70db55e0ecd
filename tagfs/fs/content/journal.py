"""The journal: beside every staged file, a note of what it is for.

`<token>.data` holds the bytes, `<token>.json` says which object they are to become. The note is
written before an upload begins and deleted after it succeeded, so what a crash leaves behind can
always be finished. While an upload takes longer than a moment, or has failed, data and note are
also made to survive a power cut. One change of the queue of what is pending is about all of them:
most files are uploaded by then, and cost that queue nothing.
"""

import contextlib
import logging
import os
import secrets
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from tagfs.errors import StagingFull
from tagfs.fs.clock import Clock
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


_SWEEP: Final = "the staged files of slow uploads"
"""The one subject of the queue that the journal has."""


class Journal:
    """Writes and deletes the notes of one mount's staging directory. Thread-safe."""

    def __init__(self, pending: PendingChanges, clock: Clock) -> None:
        self._pending = pending
        self._clock = clock
        self._lock = threading.Lock()
        self._unsynced: dict[Path, tuple[int, float]] = {}  # file -> descriptor, when it is due
        self._is_awaited = False  # a sweep is to come

    def write(self, staged: StagedFile, entry: FileEntry) -> None:
        """Write down what a staged file is for; the note is there when this returns.

        Raises:
            StagingFull: the disk has no room even for that.
        """
        _write(note_path(staged.path), replace(entry, recorded_ns=time.time_ns()))
        if entry.phase is not Phase.COMMITTING:
            return
        if not self._pending.accepts(Kind.SYNC):
            self.sync(staged)
            return
        with self._lock:
            self._unsynced.pop(staged.path, None)  # what is due last stands last
            self._unsynced[staged.path] = (staged.fd, self._clock() + SYNC_AFTER)
            if self._is_awaited:
                return
            self._is_awaited = True
        if not self._pending.add(_SWEEP, Kind.SYNC, Work(self._sweep), SYNC_AFTER):
            self.sync(staged)

    def sync(self, staged: StagedFile) -> None:
        """Make a staged file and its note survive a power cut; the note stays."""
        self._forget(staged.path)
        _sync(staged.fd, staged.path)

    def remove(self, staged: StagedFile) -> None:
        """Delete the note: the service has what the staged file holds."""
        self._forget(staged.path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(note_path(staged.path))  # noqa: PTH108  (a Path costs as much)

    def _forget(self, path: Path) -> None:
        """Sync a file no more; what has begun goes on by a descriptor of its own."""
        with self._lock:
            self._unsynced.pop(path, None)

    def _sweep(self) -> None:
        """Sync the files whose uploads take longer than a moment; come back for the others."""
        while (due := self._take_due()) is not None:
            path, fd = due
            try:
                _sync(fd, path)
            finally:
                os.close(fd)

    def _take_due(self) -> tuple[Path, int] | None:
        """Return a file that is due and a descriptor of it, to be closed; None if there is none."""
        with self._lock:
            path, (fd, due) = next(iter(self._unsynced.items()), (None, (-1, 0.0)))
            delay = due - self._clock()
            if path is not None and delay <= 0:
                taken = path, os.dup(fd)
                del self._unsynced[path]
                return taken
            self._is_awaited = path is not None
        if path is not None:
            self._pending.add(_SWEEP, Kind.SYNC, Work(self._sweep), delay)
        return None


def note_path(data_path: Path) -> str:
    """Return where the note of a staged file is."""
    return f"{str(data_path).removesuffix('.data')}.json"


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


def _write(path: Path | str, entry: FileEntry | RenameEntry, *, lasting: bool = False) -> None:
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
            sync_path(path.parent)
    except OSError as error:
        log.warning("%s: %s: %s", path, Kind.SYNC.value, error)
