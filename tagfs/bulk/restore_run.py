"""What `restore` and `import` share: a file is checked whole, then written object by object."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tagfs.bulk.command_run import CommandRun
from tagfs.bulk.edits import Editor, Outcome
from tagfs.bulk.getfattr_format import Block
from tagfs.bulk.progress_file import ProgressFile
from tagfs.bulk.report import DONE
from tagfs.bulk.restore import Base, Check, Task, check_dump, edit_of, judge
from tagfs.errors import SettingsError, TagfsError


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOrder:
    """What the user wants written, and where.

    Attributes:
        name: of the file, "-" for stdin.
        read: makes blocks of its lines.
        base: a directory or a URL where its paths begin.
        strip: components that each path loses.
        replace: tags that the file does not name go.
        keep_going: what is wrong in the file does not stop the rest.
        progress: the progress file, unless it is beside `name`.
    """

    name: str
    read: Callable[[Iterable[bytes]], Iterator[Block]]
    base: str
    strip: int
    replace: bool
    keep_going: bool
    progress: Path | None

    def run(self, file: IO[bytes], job: CommandRun, pen: Editor) -> int:
        """Check the file, write what it says, and return the exit status."""
        where = Base(self.base, self.strip, job.places)
        found = check_dump(file, where, self.read)
        self._report_mistakes(found)
        job.report.expect(found.blocks)
        file.seek(0)
        path = self.progress or (None if self.name == "-" else Path(f"{self.name}.progress"))
        purpose = {
            "dump": found.digest,
            "base": where.text,
            "replace": self.replace,
            "strip": self.strip,
        }
        with _progress(None if job.choices.dry_run else path, purpose) as progress:
            status = _write(self._tasks(file, where, job, progress), job, pen, progress)
            if progress is not None and status == DONE:
                progress.finish()
        return status

    def _report_mistakes(self, found: Check) -> None:
        if found.others:
            sys.stderr.write(f"{found.others} attributes of {self.name} are no tags: left alone\n")
        if found.bad and not self.keep_going:
            for mistake in found.mistakes:
                sys.stderr.write(f"tagfs: {mistake}\n")
            raise SettingsError(
                f"{found.bad} of {found.blocks} entries of {self.name} cannot be restored; nothing "
                "was changed: mend them, or add --keep-going"
            )

    def _tasks(
        self, file: IO[bytes], base: Base, job: CommandRun, progress: ProgressFile | None
    ) -> Iterator[Task]:
        for number, block in enumerate(self.read(file)):
            if progress is not None and number in progress:
                job.report.skip()
                continue
            try:
                item = judge(block, base)
            except TagfsError as error:
                job.report.fail(block.path, str(error))
                continue
            if block.tags or block.whole or self.replace:
                yield Task(number, item, edit_of(block, replace=self.replace))


@contextlib.contextmanager
def _progress(path: Path | None, purpose: Mapping[str, object]) -> Iterator[ProgressFile | None]:
    if path is None:
        yield None
        return
    with ProgressFile(path, purpose) as progress:
        yield progress


def _write(
    tasks: Iterator[Task], job: CommandRun, pen: Editor, progress: ProgressFile | None
) -> int:
    def work(task: Task) -> Outcome:
        outcome = pen.apply(task.item, task.edit)
        if outcome.error is None and progress is not None:
            progress.add(task.number)
        return outcome

    for outcome in job.run(tasks, work, lambda task: task.item):
        job.report.edited(outcome)
    return job.report.finish(job.report.describe_edits(), stopped=bool(job.stop))
