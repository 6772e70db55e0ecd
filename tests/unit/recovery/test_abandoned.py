"""What is left of a mount: of one that runs, the files that it is done with."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagfs.fs.content.journal import Journal
from tagfs.fs.content.journal_entries import FileEntry, Phase
from tagfs.fs.content.staged_file import StagedFile, StagingArea
from tagfs.fs.pending.queue import PendingChanges
from tagfs.fs.pending.threads import ChangeThreads
from tagfs.recovery.abandoned import AbandonedDirectory
from tagfs.recovery.staging_directory import LOCK
from tests.fakes.clock import FakeClock

ENTRY = FileEntry(
    key="f",
    metadata={},
    headers={},
    tags=None,
    exclusive=False,
    base_etag=None,
    base_size=0,
    size=0,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def staged(directory: Path) -> Iterator[StagedFile]:
    """A file whose close has begun."""
    clock = FakeClock()
    pending = PendingChanges(clock, ChangeThreads(1))
    staged = StagingArea(directory).new_file()
    Journal(pending, clock).write(staged, ENTRY)
    yield staged
    staged.close()
    pending.close()


def left(directory: Path) -> list[Phase | None]:
    with AbandonedDirectory(directory) as found:
        return [f.entry.phase if f.entry else None for f in found.contents().files]


def test_a_file_that_a_running_mount_has_open_is_not_left(
    directory: Path, staged: StagedFile
) -> None:
    """It may be uploaded any moment: neither `tagfs recover --list` nor a mount speaks of it."""
    with (directory / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert left(directory) == []
        staged.close()
        assert left(directory) == [Phase.COMMITTING], "its upload failed, and it was closed"


def test_of_a_mount_that_is_gone_every_file_is_left(directory: Path, staged: StagedFile) -> None:
    staged.close()
    assert left(directory) == [Phase.COMMITTING]
