"""s3fs (Debian's) and tagfs on one bucket: what either writes is right through the other."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.judges import KEY_ID, SECRET
from tests.mounting import Mounted, run, wait_for
from tests.waiting import until_the_kernel_asks

pytestmark = [
    pytest.mark.services("s3"),
    pytest.mark.skipif(shutil.which("s3fs") is None, reason="s3fs is not installed"),
]

MTIME = 1_500_000_000


@pytest.fixture
def other(service: Emulator, bucket: str, tmp_path: Path) -> Iterator[Path]:
    """The test's bucket, mounted by s3fs, which remembers nothing."""
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(f"{KEY_ID}:{SECRET}")
    point = tmp_path / "s3fs"
    point.mkdir()
    options = f"url={service.url},use_path_request_style,passwd_file={password}"
    command = ["s3fs", bucket, str(point), "-f", "-o", f"{options},stat_cache_expire=0"]
    with (tmp_path / "s3fs.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: os.path.ismount(point) or process.poll() is not None)
        assert process.poll() is None, (tmp_path / "s3fs.log").read_text()
        yield point
    finally:
        subprocess.run(["fusermount", "-u", str(point)], check=False, timeout=10)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            subprocess.run(["fusermount", "-uz", str(point)], check=False, timeout=10)
            process.kill()
            process.wait(60)


def make(root: Path) -> None:
    """Make a directory, files of all modes and sizes, and links."""
    (root / "dir").mkdir()
    (root / "dir").chmod(0o750)
    (root / "dir/script é").write_text("#!/bin/sh\n")
    (root / "dir/script é").chmod(0o751)
    os.chown(root / "dir/script é", 1234, 4321)
    (root / "empty").write_bytes(b"")
    (root / "large").write_bytes(b"0123456789abcdef" * 1_700_000)  # of several parts
    for name, text in {"link": "dir/script é", "dangling": "../none", "out": "/etc/hosts"}.items():
        (root / name).symlink_to(text)
    (root / "dir/up").symlink_to("../large")
    os.mkfifo(root / "fifo", 0o600)
    os.utime(root / "dir/script é", (MTIME, MTIME))


def facts(root: Path) -> dict[str, tuple[object, ...]]:
    """Return what a tree looks like: type, mode, owner, size, and content or target."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        seen = path.lstat()
        owner = (seen.st_mode, seen.st_uid, seen.st_gid)
        more: tuple[object, ...] = ()
        if stat.S_ISLNK(seen.st_mode):
            more = (os.readlink(path), seen.st_size)
        elif stat.S_ISREG(seen.st_mode):
            more = (path.read_bytes(), seen.st_size)
        found[str(path.relative_to(root))] = (*owner, *more)
    return found


def test_what_s3fs_writes_is_right_here(mount: Mounted, other: Path, tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    for root in (other, tmp_path / "local"):
        make(root)
    assert facts(mount.path) == facts(tmp_path / "local")
    assert (mount.path / "dir/script é").stat().st_mtime == MTIME
    assert (mount.path / "link").read_text() == "#!/bin/sh\n"


def test_what_is_written_here_is_right_through_s3fs(
    mount: Mounted, other: Path, tmp_path: Path
) -> None:
    (tmp_path / "local").mkdir()
    for root in (mount.path, tmp_path / "local"):
        make(root)
    assert facts(other) == facts(tmp_path / "local")
    assert (other / "dir/script é").stat().st_mtime == MTIME
    assert (other / "link").read_text() == "#!/bin/sh\n"


def test_both_write_the_same_objects(mount: Mounted, other: Path) -> None:
    """Directory markers, links and modes look alike on the service."""
    for root, name in ((mount.path, "ours"), (other, "theirs")):
        (root / name).mkdir()
        (root / name / "link").symlink_to("some/where")
        (root / name / "f").write_bytes(b"x")
        (root / name / "f").chmod(0o640)
    for key in ("/", "/link", "/f"):
        ours, theirs = (mount.judge.head(name + key) for name in ("ours", "theirs"))
        assert (ours.size, ours.etag) == (theirs.size, theirs.etag)
        for name in ("uid", "gid"):
            assert ours.meta[name] == theirs.meta[name], (key, name)
        # s3fs writes the mode of a directory without its type, and reads it either way.
        bits = stat.S_IMODE if key == "/" else int
        assert bits(int(ours.meta["mode"])) == bits(int(theirs.meta["mode"])), key
    assert mount.judge.head("ours/").content_type == mount.judge.head("theirs/").content_type


def test_edits_of_either_keep_what_the_other_made(mount: Mounted, other: Path) -> None:
    """Attributes survive edits in both directions; tags survive ours, whoever made the object."""
    (other / "f").write_bytes(b"old")
    (other / "f").chmod(0o600)
    mount.judge.set_tags("f", {"team": "blue"})
    with (mount.path / "f").open("ab") as file:
        file.write(b" and new")
    until_the_kernel_asks()  # ... s3fs for the size
    assert (other / "f").read_bytes() == b"old and new"
    assert stat.S_IMODE((other / "f").stat().st_mode) == 0o600
    assert mount.tags("f") == {"team": "blue"}
    (mount.path / "link").symlink_to("f")
    (other / "link").rename(other / "moved")
    mount.forget()
    assert os.readlink(mount.path / "moved") == "f"
    (mount.path / "moved").rename(mount.path / "back")
    assert os.readlink(other / "back") == "f"
    run("rm", "-r", mount.path / "back", mount.path / "f")
    assert os.listdir(other) == []
