"""`tagfs recover --export DIR`: everything that was left is copied out, finished or not."""

import functools
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tagfs.errors import NotFound, ObjectChanged, SettingsError
from tagfs.fs.content.journal_entries import FileEntry
from tagfs.fs.content.staged_file import Fetch
from tagfs.localfiles.private import UnsafeFile
from tagfs.recovery.abandoned import AbandonedDirectory
from tagfs.recovery.abandoned_file import BLOCK, StagedContent
from tagfs.recovery.left_files import AbandonedFile, Problem
from tagfs.recovery.listing import rename_line
from tagfs.recovery.resume_upload import UploadResumer, fetch_from
from tagfs.recovery.run import OpenBucket, RecoveryRun, open_content
from tagfs.terminal.format import shown, size_text

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

    def export(
        self, saved: StagedContent, fetch: Fetch | None
    ) -> tuple[Path, list[tuple[int, int]]]:
        """Copy a staged file out under its key; `fetch` gets bytes of its base.

        Returns where it is, and the ranges that could not be had and are zeros there.
        """
        entry = saved.entry
        missing: list[tuple[int, int]] = []
        if entry.key.endswith("/"):  # of a directory, whose files may be here already
            return self._export_directory(entry), missing
        path, fd = self._new(entry.key, saved.file.path.stem)
        with os.fdopen(fd, "wb") as target:
            target.truncate(entry.size)
            for start, end in saved.file.shape().changed():
                for at in range(start, end, BLOCK):
                    data = saved.source().read(at, min(BLOCK, end - at))
                    _write(target.fileno(), data, at)
            for start, end in saved.gaps:
                if not _fetched(target.fileno(), start, end, fetch):
                    missing.append((start, end))
            os.fsync(target.fileno())
        self._explain(path, _described(entry) | {"missing": missing})
        return path, missing

    def _export_directory(self, entry: FileEntry) -> Path:
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


def _described(entry: FileEntry) -> dict[str, object]:
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


def export(sweep: RecoveryRun, exporter: Exporter, *, discard: bool) -> None:
    """Copy everything out, and `discard` here what is there completely."""
    for directory, contents in sweep.directories():
        with sweep.opened(directory) as opened:
            act = functools.partial(_export_file, sweep, exporter, opened, discard)
            for staged in contents.files:
                if not staged.settled:
                    sweep.attempt(directory, staged, act)
            for problem in contents.problems:
                _export_problem(sweep, exporter, directory, problem, discard=discard)
        for renaming in contents.renames:
            sweep.problem(f"not finished yet: {rename_line(directory, renaming)}")


def _export_file(
    sweep: RecoveryRun,
    exporter: Exporter,
    opened: OpenBucket | None,
    discard: bool,  # noqa: FBT001  (bound by position)
    directory: AbandonedDirectory,
    staged: AbandonedFile,
) -> None:
    if staged.entry is None:
        with directory.opened(staged) as fd:
            if fd is not None:
                path = exporter.export_raw(fd, staged.token, "which key it was to have")
                _exported(sweep, directory, staged.token, str(path), discard=discard)
        return
    with open_content(directory, staged) as saved:
        if saved is None:
            return
        fetch = None
        if opened is not None and saved.gaps and saved.entry.base_etag is not None:
            fetch = fetch_from(opened.bucket, saved.key, saved.entry.base_etag)
        path, missing = exporter.export(saved, fetch)
        if missing:
            total = size_text(sum(end - start for start, end in missing))
            sweep.problem(f"{path}: {total} of the base could not be had", "incomplete")
        discard = discard and not missing
        if discard and opened is not None:
            with ThreadPoolExecutor(1) as executor:
                UploadResumer(opened.bucket, executor, lambda _: None).release(saved)
        _exported(sweep, directory, staged.token, str(path), discard=discard)


def _export_problem(
    sweep: RecoveryRun,
    exporter: Exporter,
    directory: AbandonedDirectory,
    problem: Problem,
    *,
    discard: bool,
) -> None:
    sweep.output.complain(f"{directory.path / problem.name}: {shown(problem.reason)}")
    staged = AbandonedFile(token=problem.token, entry=None, disk_size=0, when_ns=0)
    try:
        with directory.opened(staged) as fd:
            if fd is None:
                return
            path = exporter.export_raw(fd, problem.token, problem.reason)
    except (UnsafeFile, OSError):
        sweep.left = True
        return
    _exported(sweep, directory, problem.token, str(path), discard=discard)


def _exported(
    sweep: RecoveryRun, directory: AbandonedDirectory, token: str, path: str, *, discard: bool
) -> None:
    if discard:
        directory.discard(token)
    sweep.count("exported")
    sweep.output.say(f"exported: {shown(path)}")
