"""What `tagfs recover --list` shows: one line for all that was left."""

from tagfs.fs.content.byte_ranges import ByteRanges
from tagfs.fs.content.journal_entries import Phase
from tagfs.recovery.abandoned import AbandonedDirectory
from tagfs.recovery.left_files import AbandonedFile, InterruptedRename
from tagfs.recovery.run import RecoveryRun, bucket_name, staged_name
from tagfs.terminal.format import shown, size_text, time_text

_STATES = {Phase.COMMITTING: "staged", Phase.OPEN: "unfinished", Phase.UNLINKED: "deleted"}


def show(sweep: RecoveryRun) -> None:
    """List everything, and change nothing."""
    for directory, contents in sweep.directories():
        for renaming in contents.renames:
            sweep.count("rename")
            sweep.output.say(rename_line(directory, renaming))
        for staged in contents.files:
            if not staged.settled:
                sweep.count("file")
                sweep.output.say(file_line(directory, staged))
        for name in contents.annotations:
            sweep.count("file of annotations")
            sweep.output.say(f"annotations of an object: {directory.path / name}")
        sweep.problems(directory, contents)
        if directory.record is None:
            sweep.problem(f"{directory.path}: {directory.trouble}")


def file_line(directory: AbandonedDirectory, staged: AbandonedFile) -> str:
    """Describe a staged file: state, size, when, what for, and whether all of it is here."""
    name, when = staged_name(directory, staged), time_text(staged.when_ns)
    entry = staged.entry
    if entry is None:
        return f"unfinished  {size_text(staged.disk_size):>10}  {when}  {name}  (key unknown)"
    gaps = ByteRanges(*entry.written).gaps(0, entry.base_size)
    needs = sum(end - start for start, end in gaps)
    whole = (
        f"needs {size_text(needs)} of version {entry.base_etag}" if needs else "needs nothing else"
    )
    return (
        f"{_STATES[entry.phase]:<10}  {size_text(entry.size):>10}  {when}  {name}  ({shown(whole)})"
    )


def rename_line(directory: AbandonedDirectory, renaming: InterruptedRename) -> str:
    """Describe a rename that was cut short."""
    entry = renaming.entry
    return (
        f"rename of {bucket_name(directory)}/{shown(entry.source)} to {shown(entry.target)}"
        f" ({entry.phase} at {time_text(entry.recorded_ns)})"
    )
