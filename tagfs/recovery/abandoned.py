"""Finding what mounts left: staging directories, the staged files in them, and their notes.

Nothing is changed here but what is known to be of no use any more. A directory whose lock is free
belongs to a mount that is gone. In the directory of a running mount only those files are taken
whose upload failed and which nothing has open: each staged file is locked while it is open.
"""

import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tagfs.errors import SettingsError
from tagfs.fs.content.checked_fields import InvalidEntry
from tagfs.fs.content.journal_entries import (
    FileEntry,
    Phase,
    RenameEntry,
    parse_note,
    render_note,
)
from tagfs.fs.content.staged_file import COMMITTED_MODE
from tagfs.localfiles.private import (
    UnsafeFile,
    check_file,
    is_locked,
    open_directory,
    open_file,
    read_text,
    write_text,
)
from tagfs.recovery.left_files import AbandonedFile, Contents, InterruptedRename, Problem
from tagfs.recovery.staging_directory import LOCK, RECORD, MountRecord, staging_base

BEGINNING = 60.0
"""Seconds for which a directory that does not say whose it is may belong to a mount that begins."""

MISSING = f"{RECORD} is missing"

_NAME = re.compile(r"((?:rename-)?[0-9a-f]{24})\.(data|json|saved|tmp)")


class AbandonedDirectory:
    """One staging directory, open; locked if its mount is gone.

    Attributes:
        record: which bucket it is of; None if that cannot be known, `trouble` says why.
        live: its mount is running.
    """

    def __init__(self, path: Path) -> None:
        """Open and lock the directory.

        Raises:
            Unsafe
            FileNotFoundError
        """
        self.path = path
        self.fd = open_directory(path)
        self.record: MountRecord | None = None
        self.trouble = ""
        self._lock = -1
        try:
            self.record = MountRecord.parse(read_text(self.fd, RECORD))
        except FileNotFoundError:
            self.trouble = MISSING
        except UnsafeFile as unsafe:
            self.trouble = f"{RECORD}: {unsafe}"
        except SettingsError as error:
            self.trouble = str(error)
        self.live = self._is_beginning() or not self._try_lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the directory back; delete it if its mount is gone and nothing is in it."""
        if not self.live:
            self._prune()
        os.close(self.fd)
        if self._lock >= 0:
            os.close(self._lock)

    def contents(self) -> Contents:
        """Read what is in the directory, in the order in which it was written down."""
        found = Contents()
        names = sorted(self._names())
        present = set(names)
        for name in names:
            match = _NAME.fullmatch(name)
            if match is None or match[2] == "tmp":
                continue
            if match[2] == "data" and f"{match[1]}.json" in present:
                continue  # comes with its note
            if match[2] == "saved":
                if not self.live:
                    found.annotations.append(name)
                continue
            with suppress(FileNotFoundError):  # a running mount has just finished it
                try:
                    self._read(found, match[1], noted=match[2] == "json")
                except (UnsafeFile, InvalidEntry) as error:
                    found.problems.append(Problem(name, str(error), match[1]))
        found.files.sort(key=lambda staged: staged.when_ns)
        return found

    @contextmanager
    def opened(self, staged: AbandonedFile) -> Iterator[int | None]:
        """Open a staged file for reading and writing; None if a running mount uses it.

        Raises:
            Unsafe
            FileNotFoundError
        """
        fd = open_file(self.fd, f"{staged.token}.data", os.O_RDWR)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield fd
        finally:
            os.close(fd)

    def rewrite(self, token: str, entry: FileEntry) -> None:
        """Replace a note."""
        write_text(self.fd, f"{token}.json", render_note(entry))

    def discard(self, token: str) -> None:
        """Delete a staged file and its note: nothing of it is needed any more.

        Killed in between it leaves a file that is marked as one that the service has.
        """
        with suppress(FileNotFoundError):
            os.chmod(f"{token}.data", COMMITTED_MODE, dir_fd=self.fd)
        for name in (f"{token}.json", f"{token}.data"):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self.fd)

    def _names(self) -> list[str]:
        with os.scandir(self.fd) as entries:
            return [entry.name for entry in entries]

    def _read(self, found: Contents, token: str, *, noted: bool) -> None:
        note = parse_note(read_text(self.fd, f"{token}.json")) if noted else None
        if isinstance(note, RenameEntry) != token.startswith("rename-"):
            raise InvalidEntry(
                "the note of a file has the name of a rename's, or the other way round"
            )
        if isinstance(note, RenameEntry):
            if not self.live:
                found.renames.append(InterruptedRename(token, note))
        elif not self.live or self._is_left(token, note):
            found.files.append(self._staged(token, note))

    def _is_left(self, token: str, note: FileEntry | None) -> bool:
        """Say whether a running mount is done with a file that it could not upload."""
        is_promised = note is not None and note.phase is Phase.COMMITTING
        return is_promised and not is_locked(self.fd, f"{token}.data")

    def _staged(self, token: str, entry: FileEntry | None) -> AbandonedFile:
        try:
            data = os.stat(f"{token}.data", dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            if self.live:
                raise
            raise InvalidEntry("the staged file that it belongs to is missing") from None
        check_file(data)
        if entry is not None and data.st_size < max((end for _, end in entry.written), default=0):
            raise InvalidEntry(f"only {data.st_size} of the bytes of key {entry.key!r} are left")
        return AbandonedFile(
            token=token,
            entry=entry,
            disk_size=data.st_size,
            when_ns=data.st_mtime_ns if entry is None else entry.recorded_ns,
            settled=stat.S_IMODE(data.st_mode) == COMMITTED_MODE,
        )

    def _is_beginning(self) -> bool:
        """Whether a mount may be just about to lock the directory and describe itself."""
        if self.trouble != MISSING:
            return False
        return time.time() - os.fstat(self.fd).st_mtime < BEGINNING

    def _try_lock(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._lock = os.open(LOCK, flags, 0o600, dir_fd=self.fd)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _prune(self) -> None:
        """Delete the directory if all that is in it is of no use."""
        contents = self.contents()
        if not contents.is_empty:
            return
        for staged in contents.files:
            self.discard(staged.token)
        for name in self._names():
            if (match := _NAME.fullmatch(name)) and match[2] == "tmp":
                os.unlink(name, dir_fd=self.fd)
        if set(self._names()) <= {LOCK, RECORD}:
            for name in (RECORD, LOCK):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self.fd)
            with suppress(OSError):
                self.path.rmdir()


def find(cache_dir: Path) -> Iterator[AbandonedDirectory | Problem]:
    """Yield the staging directories below a cache directory, the newest first; each to be closed.

    Raises:
        SettingsError: they cannot be looked at.
    """
    base = staging_base(cache_dir)
    try:
        names = sorted((path.name for path in base.iterdir()), reverse=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingsError(f"{base}: {error.strerror}") from None
    for name in names:
        try:
            directory = AbandonedDirectory(base / name)
        except FileNotFoundError:
            continue
        except UnsafeFile as unsafe:
            yield Problem(str(base / name), str(unsafe))
            continue
        yield directory
