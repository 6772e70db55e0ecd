"""A file that is replaced at once is the old one or the new one, whatever happens meanwhile."""

import os
from pathlib import Path
from typing import Any

import pytest

from tagfs.localfiles.atomic import replace_file


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("by_descriptor", [False, True])
def test_the_new_file_takes_the_place_of_the_old_one(
    tmp_path: Path, *, lasting: bool, by_descriptor: bool
) -> None:
    path = tmp_path / "note.json"
    path.write_bytes(b"old")
    if by_descriptor:
        directory = os.open(tmp_path, os.O_RDONLY)
        replace_file("note.json", b"new", directory=directory, lasting=lasting)
        os.close(directory)
    else:
        replace_file(path, b"new", lasting=lasting)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["note.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fails(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "no room")

    path = tmp_path / "note.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, step, fails)
    with pytest.raises(OSError, match="no room"):
        replace_file(path, b"new", lasting=True)
    assert path.read_bytes() == b"old"


def test_what_lasts_is_on_the_disk_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def syncs(fd: int) -> None:
        steps.append("directory" if Path(f"/proc/self/fd/{fd}").is_dir() else "file")
        fsync(fd)

    def replaces(*args: Any, **kwargs: Any) -> None:
        steps.append("rename")
        replace(*args, **kwargs)

    monkeypatch.setattr(os, "fsync", syncs)
    monkeypatch.setattr(os, "replace", replaces)
    replace_file(tmp_path / "note.json", b"new", lasting=True)
    assert steps == ["file", "rename", "directory"]


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "note.tmp").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(tmp_path / "note.json", b"new", lasting=False)
    assert not (tmp_path / "elsewhere").exists()
