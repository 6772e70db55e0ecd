"""The journal: notes that come and go while they are made to survive a power cut."""

from pathlib import Path

import pytest

from tagfs.fs.content.journal import Journal, note_path
from tagfs.fs.content.staged_file import StagingArea


def test_a_note_that_goes_meanwhile_is_no_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file was uploaded or removed between two looks: nothing is unsafe."""
    staged = StagingArea(tmp_path).new_file()
    note = note_path(staged.path)
    note.write_text("{}")
    exists = Path.exists

    def exists_no_longer(path: Path) -> bool:
        there = exists(path)
        note.unlink(missing_ok=True)
        return there

    monkeypatch.setattr(Path, "exists", exists_no_longer)
    Journal().sync(staged)
    note.unlink(missing_ok=True)
    Journal().sync(staged)
    staged.discard()
    assert caplog.records == []


def test_what_cannot_be_synced_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    staged = StagingArea(tmp_path).new_file()
    note_path(staged.path).write_text("{}")

    def fails(_fd: int) -> None:
        raise OSError(5, "a bad disk")

    monkeypatch.setattr("os.fsync", fails)
    Journal().sync(staged)
    assert "not safe from a power cut" in caplog.text
    staged.discard()
