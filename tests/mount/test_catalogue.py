"""What a mount has learnt is there for the next one: a directory seen before is one LIST."""

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests import zygote
from tests.emulated import Emulator
from tests.judges import judge_of
from tests.mounting import KEYS, Mounted, mounted, run
from tests.waiting import until_listings_prove

COUNT = 60


def fill(service: Emulator, bucket: str) -> None:
    judge = judge_of(service.service, service.url, bucket)
    for number in range(COUNT):
        judge.put(f"d/{number:02}", b"x" * number, {"n": str(number)})


def tag(*words: str | Path) -> str:
    done = zygote.run("tag", *words, env=KEYS)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.services("oss", "s3")
def test_a_directory_seen_before_is_its_listing_alone(
    service: Emulator, bucket: str, tmp_path: Path
) -> None:
    fill(service, bucket)
    until_listings_prove()
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        run("ls", "-l", mount.path / "d")
        assert stat.S_IMODE((mount.path / "d/07").stat().st_mode) == 0o644
        (mount.path / "d/07").chmod(0o640)
        run("rsync", "-a", f"{mount.path}/d/", tmp_path / "copy")
    mount.judge.put("d/08", b"other", {})
    (tmp_path / "before").touch()
    os.utime(tmp_path / "before", (0, time.time() - 2))
    commands = (
        ("ls", "-l", "d"),
        ("find", "d", "-newer", str(tmp_path / "before")),
        ("rsync", "-a", "--dry-run", "--itemize-changes", "d/", f"{tmp_path}/copy/"),
    )
    for command in commands if mount.kind == "oss" else commands[:1]:
        with mounted(service, bucket, tmp_path / "mnt") as mount:
            log = mount.requests()
            shown = subprocess.run(
                command, cwd=mount.path, check=True, capture_output=True, text=True
            ).stdout
            kinds = log.kinds()
            assert stat.S_IMODE((mount.path / "d/07").stat().st_mode) == 0o640
        assert "08" in shown
        assert kinds.pop("GET list") <= 3
        # The directory itself, what was written since, and the one that is not 2 s old.
        assert kinds.pop("HEAD") <= 3, command
        assert not kinds
    assert (mount.log()).count("Traceback") == 0


def test_tags_and_the_command_share_what_they_know(
    service: Emulator, bucket: str, tmp_path: Path
) -> None:
    fill(service, bucket)
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        assert "60 objects" in zygote.run("index", mount.path, env=KEYS).stderr
        log = mount.requests()
        assert tag("find", "--index=local", "n=7", mount.path / "d") == f"{mount.path}/d/07\n"
        names = [os.fsencode(mount.path / f"d/{number:02}") for number in range(COUNT)]
        os.listdir(mount.path / "d")
        assert [os.getxattr(name, "user.tag.n") for name in names][:2] == [b"0", b"1"]
        assert log.kinds()["GET tagging"] == 0
        os.setxattr(mount.path / "d/01", "user.tag.n", b"one")
        tag("set", "n=two", mount.path / "d/02")
        assert os.getxattr(mount.path / "d/01", "user.tag.n") == b"one"
        assert os.getxattr(mount.path / "d/02", "user.tag.n") == b"two"
    assert tag("find", "n=one or n=two", "--index=local", *where(mount)).split() == [
        f"oss://{bucket}/d/01",
        f"oss://{bucket}/d/02",
    ]


def test_views_are_directories_of_links(service: Emulator, bucket: str, tmp_path: Path) -> None:
    fill(service, bucket)
    judge = judge_of(service.service, service.url, bucket)
    judge.put("other/07", b"again", {"n": "7"})
    judge.put("plain", b"p", {})
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        zygote.run("index", mount.path, env=KEYS)
        views = mount.path / ".tagfs"
        assert ".tagfs" not in os.listdir(mount.path)
        log = mount.requests()
        both = sorted(os.listdir(views / "tag/n/=7"))
        assert len(both) == 2
        assert os.listdir(views / "untagged") == ["plain"]
        (views / "query/n~^1.$ and not n=11").mkdir()
        assert os.listdir(views / "query") == ["n~^1.$ and not n=11"]
        assert len(os.listdir(views / "query/n~^1.$ and not n=11")) == 9
        assert len(log) == 0
        assert {os.path.realpath(views / "tag/n/=7" / name) for name in both} == {
            f"{mount.path}/d/07",
            f"{mount.path}/other/07",
        }
        run("tar", "-chf", tmp_path / "t.tar", "-C", views / "query/n=59", "59")
        listed = run("tar", "-tvf", tmp_path / "t.tar")
        assert " 59 " in listed
        assert "59\n" in listed
        with pytest.raises(OSError, match="Read-only"):
            (views / "new").mkdir()
        with pytest.raises(OSError, match="Read-only"):
            (views / "untagged/plain").unlink()
        # What this mount learns is there at once.
        os.setxattr(mount.path / "plain", "user.tag.n", b"7")
        mount.forget_in_kernel()
        assert len(os.listdir(views / "tag/n/=7")) == 3
        assert os.listdir(views / "untagged") == []


def where(mount: Mounted) -> tuple[str, ...]:
    options = f"endpoint={mount.service.url},cache_dir={mount.cache_dir}"
    return f"oss://{mount.bucket}", "-o", options


@pytest.mark.parametrize("options", ["catalogue=off", "ro"])
def test_a_mount_may_do_without(
    service: Emulator, bucket: str, tmp_path: Path, options: str
) -> None:
    with mounted(service, bucket, tmp_path / "mnt", options) as mount:
        assert os.listdir(mount.path) == []
    assert not (mount.cache_dir / "catalogue").exists()


def test_a_place_that_cannot_be_used_is_no_error(
    service: Emulator, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "mnt.cache").mkdir(mode=0o700)
    (tmp_path / "mnt.cache/catalogue").touch()
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        (mount.path / "f").write_text("x")
    assert mount.content("f") == b"x"


@pytest.mark.services("oss", "s3")
def test_a_mount_of_some_objects(service: Emulator, bucket: str, tmp_path: Path) -> None:
    fill(service, bucket)
    judge = judge_of(service.service, service.url, bucket)
    judge.put("d/plain", b"p", {})
    wanted = ["10", *(str(number) for number in range(12, 20))]
    hidden = {*judge.keys()} - {f"d/{name}" for name in wanted}
    options = "only=n~^1.$ and not n=11,default_tags=n=15"
    with mounted(service, bucket, tmp_path / "mnt", options) as mount:
        assert sorted(os.listdir(mount.path / "d")) == wanted
        assert (mount.path / "d/12").read_bytes() == b"x" * 12
        with pytest.raises(FileNotFoundError):
            (mount.path / "d/11").stat()
        with pytest.raises(FileNotFoundError):
            (mount.path / "d/plain").read_bytes()
        assert run("find", mount.path, "-type", "f").count("\n") == len(wanted)
        shown = os.listdir(mount.path / ".tagfs/tag/n")
        assert sorted(name for name in shown if name[0] != "=") == wanted
        check_changes(mount)
    assert hidden <= set(judge.keys()) <= {"d/", *hidden}
    assert judge.get("d/11") == b"x" * 11


def check_changes(mount: Mounted) -> None:
    """What is shown can be changed; what is not stays, and nothing comes in its place."""
    directory = mount.path / "d"
    for name in ("11", "plain"):
        with pytest.raises(PermissionError):
            (directory / name).write_bytes(b"new")
        with pytest.raises(FileExistsError):
            (directory / name).mkdir()
        with pytest.raises(PermissionError):
            (directory / "12").rename(directory / name)
    (directory / "new").write_bytes(b"new")
    (directory / "12").write_bytes(b"changed")
    os.setxattr(directory / "12", "user.tag.team", b"blue")
    with pytest.raises(PermissionError):
        os.setxattr(directory / "12", "user.tag.n", b"99")
    (directory / "12").rename(directory / "moved")
    assert mount.judge.tags("d/new") == {"n": "15"}
    assert mount.judge.tags("d/moved") == {"n": "12", "team": "blue"}
    assert sorted(os.listdir(directory))[-2:] == ["moved", "new"]
    with pytest.raises(PermissionError):
        directory.rename(mount.path / "elsewhere")
    done = subprocess.run(["rm", "-rf", directory], capture_output=True, text=True, check=False)
    assert "not empty" in done.stderr
    assert os.listdir(directory) == []


@pytest.mark.services("oss")
def test_what_was_set_just_before_a_crash_is_not_shown_as_it_was(
    service: Emulator, bucket: str, tmp_path: Path
) -> None:
    judge_of(service.service, service.url, bucket).put("f", b"x", {"state": "old"})
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        assert os.getxattr(mount.path / "f", "user.tag.state") == b"old"
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        os.setxattr(mount.path / "f", "user.tag.state", b"new")
        mount.kill()
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        assert os.getxattr(mount.path / "f", "user.tag.state") == b"new"
    with mounted(service, bucket, tmp_path / "mnt") as mount:
        log = mount.requests()
        assert os.getxattr(mount.path / "f", "user.tag.state") == b"new"
        assert "GET tagging" not in log.kinds()
