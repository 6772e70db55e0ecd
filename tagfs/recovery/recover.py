"""`tagfs recover` itself: what was promised is uploaded, renamed directories get one name."""

import functools
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tagfs.errors import TagfsError
from tagfs.fs.content.journal_entries import Phase, RenamePhase
from tagfs.recovery.abandoned import AbandonedDirectory
from tagfs.recovery.annotations import set_annotations
from tagfs.recovery.finish_file import Conflict, FileFinisher
from tagfs.recovery.finish_rename import RenameFinisher
from tagfs.recovery.left_files import AbandonedFile, Contents, InterruptedRename
from tagfs.recovery.listing import rename_line
from tagfs.recovery.resume_upload import UploadResumer
from tagfs.recovery.run import OpenBucket, RecoveryRun, bucket_name, open_content, staged_name
from tagfs.terminal.format import count_text, shown, size_text

FILES = 8
"""Staged files finished at a time."""

PARTS = 16
"""Parts sent at a time."""


def finish(sweep: RecoveryRun, *, force: bool) -> None:
    """Finish everything that can be; tell what cannot, and why."""
    for directory, contents in sweep.directories():
        sweep.problems(directory, contents)
        due = any(_is_due(staged) for staged in contents.files)
        if contents.renames or contents.annotations or due:
            with sweep.opened(directory) as opened:
                if opened is None:
                    continue
                _finish_renames(sweep, directory, opened, contents)
                _finish_files(sweep, directory, opened, contents, force=force)
                set_annotations(sweep, directory, opened.bucket, contents)
        for staged in contents.files:
            if not staged.settled and not _is_due(staged):
                sweep.problem(
                    f"unfinished: {staged_name(directory, staged)}: its program had neither closed"
                    " it nor called fsync; kept, `--export DIR` copies it out",
                    "unfinished",
                )


def _is_due(staged: AbandonedFile) -> bool:
    """Say whether something is to be done for a file: it was promised, or is not wanted."""
    entry = staged.entry
    return not staged.settled and entry is not None and entry.phase is not Phase.OPEN


def _finish_renames(
    sweep: RecoveryRun, directory: AbandonedDirectory, opened: OpenBucket, contents: Contents
) -> None:
    with ThreadPoolExecutor(PARTS, "tagfs-recover") as executor:
        finisher = RenameFinisher(opened.bucket, opened.root, executor)
        for renaming in contents.renames:
            line = rename_line(directory, renaming)
            try:
                undone = finisher.finish(renaming.entry)
                if renaming.entry.phase is RenamePhase.DELETING:
                    _follow(directory, contents, renaming)
                directory.discard(renaming.token)
            except (Conflict, TagfsError, OSError) as error:
                sweep.problem(f"failed: {line}: {error}", "failed")
                continue
            sweep.count("recovered")
            how = "taken back" if renaming.entry.phase is RenamePhase.COPYING else "finished"
            sweep.output.say(f"{how}: {line}: {count_text(undone.deleted, 'key')} deleted")
            for key in undone.kept:
                sweep.problem(
                    f"kept: {bucket_name(directory)}/{shown(key)}: not as its counterpart is",
                    "kept",
                )


def _follow(directory: AbandonedDirectory, contents: Contents, renaming: InterruptedRename) -> None:
    """Let staged files follow the directory that they were in."""
    old, new = renaming.entry.source, renaming.entry.target
    for number, staged in enumerate(contents.files):
        if staged.entry is not None and staged.entry.key.startswith(old):
            entry = replace(staged.entry, key=new + staged.entry.key[len(old) :])
            directory.rewrite(staged.token, entry)
            contents.files[number] = replace(staged, entry=entry)


def _finish_files(
    sweep: RecoveryRun,
    directory: AbandonedDirectory,
    opened: OpenBucket,
    contents: Contents,
    *,
    force: bool,
) -> None:
    due: dict[str, list[AbandonedFile]] = defaultdict(list)
    for staged in reversed(contents.files):  # the newest first
        if _is_due(staged) and staged.entry is not None:
            due[staged.entry.key].append(staged)
            sweep.output.expect(staged.entry.size)
    with (
        ThreadPoolExecutor(PARTS, "tagfs-part") as parts,
        ThreadPoolExecutor(FILES, "tagfs-recover") as files,
    ):
        sender = UploadResumer(opened.bucket, parts, sweep.output.advance)
        finisher = FileFinisher(opened.bucket, opened.root, sender, force=force)
        act = functools.partial(_finish_file, sweep, finisher, sender)

        def finish_key(group: list[AbandonedFile]) -> None:
            for staged in group:
                sweep.attempt(directory, staged, act)

        list(files.map(finish_key, due.values()))


def _finish_file(
    sweep: RecoveryRun,
    finisher: FileFinisher,
    sender: UploadResumer,
    directory: AbandonedDirectory,
    staged: AbandonedFile,
) -> None:
    with open_content(directory, staged) as saved:
        if saved is None:
            return
        name = staged_name(directory, staged)
        if saved.entry.phase is Phase.UNLINKED:
            sender.release(saved)
            directory.discard(staged.token)
            sweep.output.say(f"dropped: {name}: it had been deleted before")
            return
        try:
            sent = finisher.finish(saved)
        except Conflict:
            sender.release(saved)
            raise
        directory.discard(staged.token)
        sweep.count("recovered")
        how = "recovered" if sent else "was uploaded already"
        sweep.output.say(f"{how}: {name} ({size_text(saved.entry.size)})")
