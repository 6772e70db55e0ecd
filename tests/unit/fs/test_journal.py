"""The journal: notes that come and go while they are made to survive a power cut."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagfs.fs.content.journal import SYNC_AFTER, Journal, note_path
from tagfs.fs.content.journal_entries import FileEntry, Phase
from tagfs.fs.content.staged_file import StagedFile, StagingArea
from tagfs.fs.pending.change import Kind
from tagfs.fs.pending.queue import PendingChanges
from tagfs.fs.pending.threads import ChangeThreads
from tests.fakes.clock import FakeClock
from tests.fakes.pool import ScriptedPool


class Disk:
    """A journal whose time and threads a test plays, and what it puts on the disk."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.pool = FakeClock(), ScriptedPool()
        self.pending = PendingChanges(self.clock, ChangeThreads(1, lambda _n, _name: self.pool))
        self.journal = Journal(self.pending, self.clock)
        self.staged = StagingArea(directory).new_file()
        self.synced: list[str] = []
        self.fails: OSError | None = None
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        monkeypatch.setattr("os.fdatasync", self._sync)
        monkeypatch.setattr("os.fsync", self._sync)

    def _sync(self, fd: int) -> None:
        self.synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        self.reached.set()
        assert self.go_on.wait(60)
        if self.fails is not None:
            raise self.fails

    @property
    def both(self) -> list[str]:
        """What is synced once: the file, its note, the directory."""
        path = self.staged.path
        return [path.name, Path(note_path(path)).name, path.parent.name]

    def write(self, phase: Phase = Phase.COMMITTING) -> None:
        self.journal.write(self.staged, entry(self.staged, phase))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance_when_waited_for(seconds)
        self.pool.run_all()


def entry(staged: StagedFile, phase: Phase) -> FileEntry:
    return FileEntry(
        key="f",
        metadata={},
        headers={},
        tags=None,
        acl=None,
        exclusive=False,
        base_etag=None,
        base_size=0,
        size=staged.size,
        written=[],
        upload_id=None,
        begun=None,
        part_size=1,
        phase=phase,
    )


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(tmp_path, monkeypatch)
    yield disk
    disk.pending.close()
    disk.staged.close()


def test_a_slow_upload_is_made_to_survive_a_power_cut(disk: Disk) -> None:
    """D5. And once: what is on the disk needs no other sync until its note says something else."""
    disk.write()
    assert disk.synced == [], "a small file is uploaded sooner than it is on the disk"
    disk.pass_time(SYNC_AFTER)
    assert disk.synced == disk.both
    disk.pass_time(10)
    assert disk.synced == disk.both
    disk.write()
    disk.pass_time(SYNC_AFTER)
    assert disk.synced == disk.both * 2


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.UNLINKED])
def test_what_nobody_was_promised_is_not_synced(disk: Disk, phase: Phase) -> None:
    disk.write(phase)
    assert disk.pending.all(Kind.SYNC) == []


@pytest.mark.parametrize("what", ["remove", "sync"])
def test_an_upload_that_ends_in_time_leaves_nothing_to_do(disk: Disk, what: str) -> None:
    disk.write()
    getattr(disk.journal, what)(disk.staged)
    now = list(disk.synced)
    assert now == ([] if what == "remove" else disk.both)
    disk.pass_time(SYNC_AFTER)
    assert disk.synced == now
    assert disk.pending.all(Kind.SYNC) == []


def test_of_many_files_each_is_synced_when_its_own_upload_takes_long(
    disk: Disk, tmp_path: Path
) -> None:
    """However many there are, one change waits for all of them."""
    staged = [StagingArea(tmp_path).new_file() for _ in range(3)]
    for file in staged:
        disk.journal.write(file, entry(file, Phase.COMMITTING))
        disk.clock.advance(SYNC_AFTER / 4)
    assert len(disk.pending.all(Kind.SYNC)) == 1
    disk.journal.write(staged[0], entry(staged[0], Phase.COMMITTING))  # of another name, now
    disk.journal.remove(staged[1])
    disk.pass_time(SYNC_AFTER / 2)
    assert disk.synced == []
    disk.pass_time(SYNC_AFTER / 3)
    assert disk.synced[::3] == [staged[2].path.name]
    disk.pass_time(SYNC_AFTER)
    assert disk.synced[::3] == [staged[2].path.name, staged[0].path.name]
    assert disk.pending.all(Kind.SYNC) == []
    for file in staged:
        file.close()


def test_a_disk_that_is_slow_keeps_no_upload_waiting(disk: Disk) -> None:
    """The service has it all: neither the note nor the descriptor waits for the disk."""
    disk.write()
    disk.go_on.clear()
    disk.clock.advance_when_waited_for(SYNC_AFTER)
    syncing = threading.Thread(target=disk.pool.run_all)
    syncing.start()
    assert disk.reached.wait(60)
    disk.journal.remove(disk.staged)
    assert syncing.is_alive()
    assert not Path(note_path(disk.staged.path)).exists()
    disk.staged.close()
    disk.go_on.set()
    syncing.join(60)
    assert disk.synced == disk.both[:1], "and then nothing is left to be synced"
    assert disk.pending.all(Kind.SYNC) == []


def test_after_the_end_it_is_synced_at_once(disk: Disk) -> None:
    disk.pending.close()
    disk.write()
    assert disk.synced == disk.both


def test_a_note_that_goes_meanwhile_is_no_alarm(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """The file was uploaded or removed between two looks: nothing is unsafe."""
    disk.journal.sync(disk.staged)
    assert caplog.records == []


def test_what_cannot_be_synced_is_logged(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """... and holds nothing else up: no close waits for its own upload because of it."""
    disk.fails = OSError(5, "a bad disk")
    disk.write()
    disk.pass_time(SYNC_AFTER)
    assert f"{disk.staged.path}: not safe from a power cut: " in caplog.text
    assert disk.pending.is_trusted
    assert len(os.listdir(disk.staged.path.parent)) == 2
