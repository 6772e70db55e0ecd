"""An index whose disk is full, read-only or damaged, or that was killed: whole, or none, and said.

`tagfs tag find --index=local` answers with all that it should, or fails with the reason.
"""

import itertools
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mounting import mounted
from tests.service.bulk.conftest import Ran, Subject
from tests.service.bulk.indexing import run_index, start_index
from tests.waiting import wait_for

COUNT = 300
WIDE = "x" * 200
"""Makes keys long, so that few of them are many pages of the file."""

as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to make a small file system")


@pytest.fixture
def tagged(subject: Subject) -> Subject:
    """A bucket of objects that are all blue."""
    subject.put(*(f"d/{WIDE}{number:03}" for number in range(COUNT)), team="blue")
    return subject


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """Mount a file system of 1 MiB."""
    path.mkdir()
    options = "size=1m,mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False)


def fill(path: Path, leave: int = 0) -> None:
    """Fill a disk up but for some bytes."""
    path.touch()
    fd = os.open(path, os.O_WRONLY)
    try:
        for at in itertools.count():
            os.pwrite(fd, bytes(4096), at * 4096)
    except OSError:
        os.ftruncate(fd, max(0, os.fstat(fd).st_size - leave))
    finally:
        os.close(fd)


def find(subject: Subject, cache: Path, *, status: int | None = 0) -> Ran:
    words = ("team=blue", "--index=local", subject.url, "-o", f"cache_dir={cache}")
    return subject.run("find", *words, status=status)


def check_begun_anew(subject: Subject, cache: Path) -> None:
    """All is well after the next index, or says to be after the second."""
    ran = run_index(subject, cache, status=None)
    if ran.status:
        assert "run it again" in ran.err
        ran = run_index(subject, cache)
    assert f"{COUNT} objects" in ran.err
    assert len(find(subject, cache).lines) == COUNT


@as_root
@pytest.mark.parametrize("leave", [0, 250_000])
def test_a_full_disk(tagged: Subject, tmp_path: Path, leave: int) -> None:
    """Nobody takes a part for the whole, neither now nor when there is room again."""
    with small_disk(tmp_path / "small") as cache:
        fill(cache / "filler", leave)
        ran = run_index(tagged, cache, status=1)
        assert "disk is full" in ran.err
        assert "objects," not in ran.err  # that would be success
        assert "there is no index" in find(tagged, cache, status=1).err
        (cache / "filler").unlink()
        assert "there is no index" in find(tagged, cache, status=1).err
        check_begun_anew(tagged, cache)


@as_root
def test_a_disk_that_is_full_at_the_second_time(tagged: Subject, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as cache:
        run_index(tagged, cache)
        tagged.tag(f"d/{WIDE}007", {"team": "red"})
        fill(cache / "filler")
        assert "full" in run_index(tagged, cache, status=1).err
        ran = find(tagged, cache, status=None)
        # The old one as what it is, or none.
        assert len(ran.lines) == COUNT if ran.status == 0 else "there is no index" in ran.err
        assert "ago" in ran.err or ran.status == 1
        (cache / "filler").unlink()
        run_index(tagged, cache)
        assert len(find(tagged, cache).lines) == COUNT - 1


@as_root
@pytest.mark.parametrize("is_there", [False, True])
def test_a_read_only_disk(tagged: Subject, tmp_path: Path, *, is_there: bool) -> None:
    with small_disk(tmp_path / "small") as cache:
        if is_there:
            run_index(tagged, cache)
        subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
        assert "Read-only file system" in run_index(tagged, cache, status=1).err
        assert "Read-only file system" in find(tagged, cache, status=1).err


@as_root
def test_a_directory_that_a_user_may_not_write(tagged: Subject) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    cache = Path(f"/var/tmp/tagfs-unwritable-{os.getpid()}")
    cache.mkdir(mode=0o500)
    os.chown(cache, 65534, 65534)
    may = "-all,+dac_read_search"  # no right but to read: Python may be below /root
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    become += [f"--inh-caps={may}", f"--ambient-caps={may}"]
    try:
        with start_index(tagged, cache, as_user=become) as process:
            _, err = process.communicate(timeout=60)
    finally:
        shutil.rmtree(cache)
    assert b"Traceback" not in err
    assert b"Permission denied" in err, err
    assert process.returncode == 1


def noise(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + random.Random(1).randbytes(end - start) + data[end:]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "its head": lambda data: noise(data, 0, 100),
    "its middle": lambda data: noise(data, len(data) // 3, len(data) // 2),
    "its end": lambda data: noise(data, len(data) - 20_000, len(data)),
    "a page": lambda data: noise(data, len(data) // 2 // 4096 * 4096, len(data) // 2 + 4096),
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _data: b"",
    "a text": lambda _data: b"text " * 1000,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file(tagged: Subject, tmp_path: Path, name: str) -> None:
    cache = tmp_path / "cache"
    run_index(tagged, cache)
    (file,) = (cache / "catalogue").glob("*.sqlite")
    file.write_bytes(DAMAGE[name](file.read_bytes()))
    ran = find(tagged, cache, status=None)
    assert len(ran.lines) == COUNT if ran.status == 0 else "run tagfs index" in ran.err
    check_begun_anew(tagged, cache)


@pytest.mark.parametrize("name", ["its middle", "its end"])
def test_a_damaged_file_and_views(tagged: Subject, tmp_path: Path, name: str) -> None:
    """They show all, or fail; files are there as ever."""
    cache = tmp_path / "cache"
    run_index(tagged, cache)
    (file,) = (cache / "catalogue").glob("*.sqlite")
    file.write_bytes(DAMAGE[name](file.read_bytes()))
    with mounted(tagged.service, tagged.name, tmp_path / "mnt", f"cache_dir={cache}") as mount:
        view = mount.path / ".tagfs/tag/team/=blue"
        try:
            shown = len(os.listdir(view))
        except OSError:
            shown = None
        assert shown in (None, COUNT)
        assert len(os.listdir(mount.path / "d")) == COUNT
        check_begun_anew(tagged, cache)
        assert len(os.listdir(view)) == COUNT


@pytest.mark.parametrize("is_second", [False, True])
def test_an_index_that_is_killed(tagged: Subject, tmp_path: Path, *, is_second: bool) -> None:
    """Until another one has come to its end there is none, and what that says is as of its time."""
    cache = tmp_path / "cache"
    if is_second:
        run_index(tagged, cache)
    log = tagged.requests()
    with start_index(tagged, cache, "--parallel=2", "--tags-only") as process:
        wait_for(
            lambda: log.kinds()["GET tagging"] >= COUNT // 3 or process.poll() is not None,
            pause=0.005,
        )
        process.kill()
    assert log.kinds()["GET tagging"] < COUNT
    ran = find(tagged, cache, status=1)
    assert "there is no index" in ran.err
    tagged.tag(f"d/{WIDE}{COUNT - 1}", {"team": "red"})  # not read yet
    with mounted(
        tagged.service, tagged.name, tmp_path / "mnt", f"cache_dir={cache},tag_ttl=0"
    ) as mount:
        assert os.getxattr(mount.path / f"d/{WIDE}{COUNT - 1}", "user.tag.team") == b"red"
    run_index(tagged, cache, "--tags-only")
    assert len(find(tagged, cache).lines) == COUNT - 1
