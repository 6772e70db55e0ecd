"""Parallel file systems of OBS: real renames, real directories, and no tags of objects."""

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.emulated import Emulator, emulator
from tests.mounting import Mounted, getfattr, mounted

LOOKING = Counter({"GET list": 2, "HEAD": 2})
"""What looking at the old name and at the new one may cost."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    options = [f"posix=bucket-{number}" for number in range(2)]
    with emulator(tmp_path_factory.mktemp("pfs"), 2, service="obs", options=options) as running:
        yield running


@pytest.fixture(scope="module")
def mount(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    with mounted(service, service.take(), tmp_path_factory.mktemp("mount") / "mnt") as running:
        yield running


@pytest.fixture
def home(mount: Mounted, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory of the test's own."""
    directory = mount.path / request.node.name.translate(str.maketrans("[]", "__"))
    directory.mkdir()
    yield directory
    requests.delete(f"{mount.service.url}/-/faults", timeout=60)


def keys(mount: Mounted, home: Path) -> list[str]:
    """Return the keys below a directory, as the SDK reports them."""
    return [key[len(home.name) + 1 :] for key in mount.judge.keys(f"{home.name}/")][1:]


def fault(mount: Mounted, *specifications: str) -> None:
    url = f"{mount.service.url}/-/faults"
    requests.post(url, json=specifications, timeout=60).raise_for_status()


def failing(old: Path, new: Path) -> int:
    with pytest.raises(OSError) as caught:
        old.rename(new)
    assert caught.value.errno is not None
    return caught.value.errno


class TestBudgets:
    def test_a_file_is_one_rename(self, mount: Mounted, home: Path) -> None:
        (home / "a").write_bytes(b"x" * 200_000)
        (home / "a").chmod(0o640)
        log = mount.requests()
        (home / "a").rename(home / "b")
        kinds = log.kinds()
        assert kinds.pop("POST rename") == 1
        assert kinds <= LOOKING, kinds
        assert keys(mount, home) == ["b"]
        assert (home / "b").stat().st_mode & 0o777 == 0o640
        assert mount.judge.head(f"{home.name}/b").meta["mode"] == str(0o100640)

    def test_a_directory_is_one_rename(self, mount: Mounted, home: Path) -> None:
        (home / "d/s").mkdir(parents=True)
        for number in range(30):
            (home / f"d/s/{number}").write_bytes(b"x")
        os.symlink("s/1", home / "d/link")
        assert len(os.listdir(home / "d/s")) == 30
        log = mount.requests()
        (home / "d").rename(home / "e")
        kinds = log.kinds()
        assert kinds.pop("POST rename") == 1
        assert kinds <= LOOKING, kinds
        assert not (home / "d").exists()
        assert len(os.listdir(home / "e/s")) == 30
        assert (home / "e/link").read_bytes() == b"x"
        assert [k for k in keys(mount, home) if not k.startswith("e/")] == []

    def test_the_last_entry_leaves_its_directory_there(self, mount: Mounted, home: Path) -> None:
        (home / "d").mkdir()
        (home / "d/f").write_bytes(b"x")
        (home / "d/g").write_bytes(b"x")
        log = mount.requests()
        (home / "d/f").unlink()
        assert "PUT" not in log.kinds()
        (home / "d/g").rename(home / "g")
        assert os.listdir(home / "d") == []
        (home / "d").rmdir()
        assert keys(mount, home) == ["g"]


class TestMeaning:
    """D4, D7. rename(2) as POSIX has it."""

    def test_over_a_file(self, mount: Mounted, home: Path) -> None:
        (home / "a").write_bytes(b"new")
        (home / "b").write_bytes(b"old")
        with (home / "b").open("rb") as replaced, (home / "a").open("rb") as moved:
            (home / "a").rename(home / "b")
            assert replaced.read() == b"old"
            assert moved.read() == b"new"
        assert keys(mount, home) == ["b"]
        assert mount.content(f"{home.name}/b") == b"new"

    def test_over_directories(self, mount: Mounted, home: Path) -> None:
        for name in ("a/s", "empty", "full/s"):
            (home / name).mkdir(parents=True)
        (home / "f").write_bytes(b"x")
        assert failing(home / "a", home / "full") == errno.ENOTEMPTY
        assert failing(home / "a", home / "f") == errno.ENOTDIR
        assert failing(home / "f", home / "empty") == errno.EISDIR
        assert failing(home / "a", home / "a/s/t") == errno.EINVAL
        (home / "a").rename(home / "empty")
        assert keys(mount, home) == ["empty/", "empty/s/", "f", "full/", "full/s/"]
        assert sorted(os.listdir(home)) == ["empty", "f", "full"]

    def test_open_files_follow(self, mount: Mounted, home: Path) -> None:
        (home / "d").mkdir()
        (home / "d/old").write_bytes(b"0123456789" * 50_000)
        with (
            (home / "d/old").open("r+b", 0) as old,
            (home / "d/new").open("wb") as new,
            (home / "d/old").open("rb", 0) as reader,
        ):
            assert reader.read(10) == b"0123456789"
            old.write(b"changed")
            new.write(b"not there yet")
            (home / "d").rename(home / "e")
            assert sorted(os.listdir(home / "e")) == ["new", "old"]
            reader.seek(0)
            assert reader.read(10) == b"changed789"
            old.seek(0, os.SEEK_END)
            old.write(b"end")
        assert mount.content(f"{home.name}/e/new") == b"not there yet"
        content = mount.content(f"{home.name}/e/old")
        assert (content[:10], content[-5:], len(content)) == (b"changed789", b"89end", 500_003)
        assert keys(mount, home) == ["e/", "e/new", "e/old"]

    def test_metadata_of_an_open_file_goes_to_its_new_name(
        self, mount: Mounted, home: Path
    ) -> None:
        (home / "d").mkdir()
        (home / "d/f").write_bytes(b"x")
        with (home / "d/f").open("rb") as file:
            (home / "d").rename(home / "e")
            (home / "e/f").rename(home / "e/g")
            os.fchmod(file.fileno(), 0o600)
        assert mount.judge.head(f"{home.name}/e/g").meta["mode"] == str(0o100600)
        assert keys(mount, home) == ["e/", "e/g"]

    def test_what_others_rename_is_seen(self, mount: Mounted, home: Path) -> None:
        (home / "a").write_bytes(b"x")
        sdk = mount.judge._client  # type: ignore[attr-defined]
        answer = sdk.renameFile(mount.bucket, f"{home.name}/a", f"/{home.name}/中 b")
        assert answer.status == 204
        mount.forget()
        assert os.listdir(home) == ["中 b"]
        (home / "中 b").rename(home / "+&=%")
        assert keys(mount, home) == ["+&=%"]


class TestTrouble:
    """F1. A lost answer is not a lost file."""

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_lost_answer(self, mount: Mounted, home: Path, when: str) -> None:
        (home / "d").mkdir()
        (home / "d/f").write_bytes(b"1")
        (home / "g").write_bytes(b"2")
        fault(mount, f"reset:when={when}:op=RenameObject:times=1")
        (home / "d").rename(home / "e")
        fault(mount, f"reset:when={when}:op=RenameObject:times=1")
        (home / "g").rename(home / "e/f")
        assert keys(mount, home) == ["e/", "e/f"]
        assert (home / "e/f").read_bytes() == b"2"

    def test_a_refusal_changes_nothing(self, mount: Mounted, home: Path) -> None:
        (home / "d").mkdir()
        (home / "d/f").write_bytes(b"1")
        fault(mount, "deny:op=RenameObject")
        assert failing(home / "d", home / "e") == errno.EACCES
        assert failing(home / "d/f", home / "f") == errno.EACCES
        with (home / "d/f").open("ab") as file:
            assert failing(home / "d", home / "e") == errno.EACCES
            file.write(b"more")
        assert keys(mount, home) == ["d/", "d/f"]
        assert (home / "d/f").read_bytes() == b"1more"

    def test_a_service_that_replaces_nothing(self, tmp_path: Path) -> None:
        """What the manual leaves open does not matter: the meaning is the same."""
        options = ["posix=bucket-0", "rename_over=off"]
        with (
            emulator(tmp_path, 1, service="obs", options=options) as one,
            mounted(one, "bucket-0", tmp_path / "mnt") as mount,
        ):
            for name in ("a", "b"):
                (mount.path / name).write_text(name)
                (mount.path / f"d{name}").mkdir()
            (mount.path / "da/f").write_bytes(b"x")
            (mount.path / "db").chmod(0o700)
            fault(mount, "deny:op=RenameObject:after=1:times=1")
            assert failing(mount.path / "da", mount.path / "db") == errno.EACCES
            assert mount.judge.head("db/").meta["mode"] == str(0o040700)
            (mount.path / "a").rename(mount.path / "b")
            (mount.path / "da").rename(mount.path / "db")
            assert mount.keys() == ["b", "db/", "db/f"]
            assert mount.content("b") == b"a"


class TestTags:
    """G8. What the service would refuse is refused, and the log says why, once."""

    def test_objects_have_none(self, mount: Mounted, home: Path) -> None:
        (home / "f").write_bytes(b"x")
        (home / "d").mkdir()
        os.symlink("f", home / "l")
        log = mount.requests()
        for name in ("f", "d"):
            for attribute in ("user.tag.a", "user.tagging"):
                with pytest.raises(OSError) as caught:
                    os.setxattr(home / name, attribute, b"b=1")
                assert caught.value.errno == errno.EOPNOTSUPP
            assert getfattr(home / name) == {}
        with pytest.raises(OSError) as caught:
            os.setxattr(home / "l", "tag.a", b"1", follow_symlinks=False)
        assert caught.value.errno == errno.EOPNOTSUPP
        assert getfattr(home / "l", link=True) == {}
        assert "PUT tagging" not in log.kinds()
        assert "GET tagging" not in log.kinds()
        reported = [line for line in mount.log().splitlines() if "WARNING" in line]
        assert len([line for line in reported if "no object tags" in line]) == 1
        assert "parallel file system" in reported[0]

    def test_the_bucket_has_them(self, mount: Mounted) -> None:
        os.setxattr(mount.path, "user.tag.team", b"blue")
        assert mount.judge.bucket_tags() == {"team": "blue"}
        os.removexattr(mount.path, "user.tag.team")
