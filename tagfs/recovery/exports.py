"""`tagfs recover --export DIR`: everything that was left is copied out, finished or not."""

import functools
from concurrent.futures import ThreadPoolExecutor

from tagfs.localfiles.private import Unsafe
from tagfs.recovery.exporting import Exporter
from tagfs.recovery.leftovers import LeftDirectory, Problem, Staged
from tagfs.recovery.lists import rename_line
from tagfs.recovery.sending import Sender, fetch_from
from tagfs.recovery.sweep import Opened, Sweep, remains_of
from tagfs.terminal.format import shown, size_text


def export(sweep: Sweep, exporter: Exporter, *, discard: bool) -> None:
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
    sweep: Sweep,
    exporter: Exporter,
    opened: Opened | None,
    discard: bool,  # noqa: FBT001  (bound by position)
    directory: LeftDirectory,
    staged: Staged,
) -> None:
    if staged.entry is None:
        with directory.opened(staged) as fd:
            if fd is not None:
                path = exporter.export_raw(fd, staged.token, "which key it was to have")
                _exported(sweep, directory, staged.token, str(path), discard=discard)
        return
    with remains_of(directory, staged) as remains:
        if remains is None:
            return
        fetch = None
        if opened is not None and remains.gaps and remains.entry.base_etag is not None:
            fetch = fetch_from(opened.bucket, remains.key, remains.entry.base_etag)
        path, missing = exporter.export(remains, fetch)
        if missing:
            total = size_text(sum(end - start for start, end in missing))
            sweep.problem(f"{path}: {total} of the base could not be had", "incomplete")
        discard = discard and not missing
        if discard and opened is not None:
            with ThreadPoolExecutor(1) as executor:
                Sender(opened.bucket, executor, lambda _: None).release(remains)
        _exported(sweep, directory, staged.token, str(path), discard=discard)


def _export_problem(
    sweep: Sweep, exporter: Exporter, directory: LeftDirectory, problem: Problem, *, discard: bool
) -> None:
    sweep.output.complain(f"{directory.path / problem.name}: {shown(problem.reason)}")
    staged = Staged(token=problem.token, entry=None, disk_size=0, when_ns=0)
    try:
        with directory.opened(staged) as fd:
            if fd is None:
                return
            path = exporter.export_raw(fd, problem.token, problem.reason)
    except (Unsafe, OSError):
        sweep.left = True
        return
    _exported(sweep, directory, problem.token, str(path), discard=discard)


def _exported(
    sweep: Sweep, directory: LeftDirectory, token: str, path: str, *, discard: bool
) -> None:
    if discard:
        directory.discard(token)
    sweep.count("exported")
    sweep.output.say(f"exported: {shown(path)}")
