"""Directories as s3fs wrote them long ago: empty objects without a slash, of a type of their own.

Also what Hadoop and EMR leave beside a directory, which stays a file.
"""

import os
import stat
from pathlib import Path

import pytest

from tests.mount.conftest import ALL, MountFactory
from tests.mounting import Mounted, run

DIRECTORY = "application/x-directory"

pytestmark = ALL


@pytest.fixture
def old(mount: Mounted) -> Path:
    """A mount with one such directory, with tags and an owner, and with its neighbours."""
    meta = {"mode": "16872", "uid": "12", "gid": "34", "mtime": "1000"}  # 040750
    mount.judge.put("old", b"", {"k": "v"}, meta, content_type=DIRECTORY)
    mount.judge.put("bare", b"", content_type=f"{DIRECTORY}; charset=UTF-8")
    mount.judge.put("empty", b"")
    mount.judge.put("full", b"content", content_type=DIRECTORY)
    mount.judge.put("file", b"", meta={"mode": "33188"}, content_type=DIRECTORY)
    mount.judge.put("emr_$folder$", b"")
    return mount.path


def test_what_is_one(old: Path) -> None:
    found = os.stat(old / "old")
    assert stat.filemode(found.st_mode) == "drwxr-x---"
    assert (found.st_uid, found.st_gid, found.st_mtime) == (12, 34, 1000)
    assert stat.filemode(os.stat(old / "bare").st_mode) == "drwxr-xr-x"
    files = ("empty", "full", "file")
    assert all(stat.S_ISREG(os.stat(old / name).st_mode) for name in files)
    assert os.listdir(old / "old") == []
    with os.scandir(old) as entries:
        assert {e.name for e in entries if e.is_dir()} == {"old", "bare", "emr"}


def test_it_costs_nothing_more(mount: Mounted, old: Path) -> None:
    for number in range(20):
        mount.judge.put(f"d/{number}", b"", content_type=DIRECTORY if number % 2 else "")
    mount.forget()
    os.stat(old / "d")
    log = mount.requests()
    run("ls", "-l", old / "d")
    assert log.kinds()["HEAD"] <= 20
    again = mount.requests()
    run("ls", "-l", old / "d")
    assert len(again) == 0


def test_things_are_made_in_it(mount: Mounted, old: Path) -> None:
    (old / "old" / "f").write_bytes(b"x")
    assert os.listdir(old / "old") == ["f"]
    assert mount.content("old/f") == b"x"
    with pytest.raises(OSError, match="not empty"):
        (old / "old").rmdir()
    with pytest.raises(IsADirectoryError):
        (old / "old").write_bytes(b"x")
    run("rm", "-r", old / "old")
    assert not (old / "old").exists()
    mount.forget()
    assert not (old / "old").exists()
    assert [key for key in [*mount.keys()] if key.startswith("old")] == []


def test_it_is_removed(mount: Mounted, old: Path) -> None:
    with pytest.raises(IsADirectoryError):
        (old / "old").unlink()
    (old / "old").rmdir()
    mount.forget()
    assert not (old / "old").exists()
    assert "old" not in [*mount.keys()]


@pytest.mark.parametrize("full", [True, False])
def test_it_is_moved(mount: Mounted, old: Path, full: bool) -> None:  # noqa: FBT001
    if full:
        (old / "old" / "f").write_bytes(b"x")
    run("mv", old / "old", old / "new")
    assert os.listdir(old / "new") == (["f"] if full else [])
    assert not (old / "old").exists()
    mount.forget()
    assert not (old / "old").exists()
    assert (old / "new").is_dir()


def test_modes_and_tags_are_kept_on_it(mount: Mounted, old: Path) -> None:
    assert os.getxattr(old / "old", "user.tag.k") == b"v"
    os.setxattr(old / "old", "user.tag.more", b"w")
    (old / "old").chmod(0o700)
    mount.forget()
    assert stat.filemode(os.stat(old / "old").st_mode) == "drwx------"
    assert mount.tags("old") == {"k": "v", "more": "w"}
    assert mount.judge.head("old").content_type == DIRECTORY


def test_a_listing_mount_knows_of_none(mount_with: MountFactory) -> None:
    mount = mount_with("attributes=listing")
    mount.judge.put("old", b"", content_type=DIRECTORY)
    for _ in range(2):
        assert (mount.path / "old").is_file()
        os.listxattr(mount.path / "old")
        os.getxattr(mount.path / "old", "user.object.content_type")
    (mount.path / "old").write_bytes(b"x")
    assert mount.content("old") == b"x"


def test_those_of_hadoop(mount: Mounted) -> None:
    """`x_$folder$` beside a directory is not seen, and goes and comes with it."""
    for key in ("t_$folder$", "e_$folder$", "t/a_$folder$"):
        mount.judge.put(key, b"")
    mount.judge.put("t/part-0", b"1")
    mount.judge.put("full_$folder$", b"a file")
    here = mount.path
    assert sorted(os.listdir(here)) == ["e", "full_$folder$", "t"]
    assert sorted(os.listdir(here / "t")) == ["a", "part-0"]
    assert (os.listdir(here / "e"), os.listdir(here / "t/a")) == ([], [])
    (here / "e").chmod(0o700)
    (here / "e").rename(here / "f")
    (here / "t").rename(here / "u")
    mount.forget()
    assert sorted(os.listdir(here)) == ["f", "full_$folder$", "u"]
    assert stat.S_IMODE((here / "f").stat().st_mode) == 0o700
    assert sorted(os.listdir(here / "u")) == ["a", "part-0"]
    run("rm", "-r", here / "u", here / "f")
    mount.forget()
    assert os.listdir(here) == ["full_$folder$"]
    assert mount.keys() == ["full_$folder$"]


def test_an_empty_one_of_hadoop_is_moved(mount: Mounted) -> None:
    mount.judge.put("e_$folder$", b"")
    assert os.listdir(mount.path) == ["e"]
    (mount.path / "e").rename(mount.path / "f")
    mount.forget()
    assert os.listdir(mount.path) == ["f"]
    assert os.listdir(mount.path / "f") == []
    (mount.path / "f").rmdir()
    assert mount.keys() == []
