"""Inode numbers of real mounts: the same after a remount, and true while files are open."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mount.conftest import MountFactory
from tests.mounting import Mounted, run, unmount, wait_for
from tests.waiting import next_second

pytestmark = pytest.mark.services("oss", "s3", "fuse2")


def ino(path: Path | int) -> int:
    return os.stat(path, follow_symlinks=False).st_ino if isinstance(path, Path) else fd_ino(path)


def fd_ino(fd: int) -> int:
    return os.fstat(fd).st_ino


def everything(root: Path) -> dict[str, tuple[int, int, int]]:
    """Return what backups compare, of all that is below a directory and of itself."""
    found = {}
    for path in [root, *root.rglob("*")]:
        seen = path.lstat()
        found[str(path.relative_to(root))] = (seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns)
    return found


def plant(mount: Mounted) -> None:
    (mount.path / "dir" / "below").mkdir(parents=True)
    for name in ("f", "dir/f", "dir/below/é ü"):
        (mount.path / name).write_bytes(b"content")
    (mount.path / "link").symlink_to("dir/f")
    os.mkfifo(mount.path / "fifo")
    mount.judge.put("unmarked/deep/f", b"theirs")


class TestListings:
    def test_they_show_the_numbers_that_stat_does(self, mount: Mounted) -> None:
        plant(mount)
        for directory in (mount.path, mount.path / "dir", mount.path / "unmarked"):
            with os.scandir(directory) as entries:
                seen = {entry.name: entry.inode() for entry in entries}
            assert seen == {name: ino(directory / name) for name in os.listdir(directory)}
            assert len(set(seen.values())) == len(seen)

    def test_dots(self, mount: Mounted) -> None:
        plant(mount)
        shown = run("ls", "-ai", mount.path / "dir").split()
        numbers = dict(zip(shown[1::2], shown[::2], strict=True))
        assert int(numbers["."]) == ino(mount.path / "dir")
        assert int(numbers[".."]) == ino(mount.path)

    def test_find_by_number(self, mount: Mounted) -> None:
        plant(mount)
        wanted = mount.path / "dir" / "f"
        assert run("find", mount.path, "-inum", str(ino(wanted))).split() == [str(wanted)]
        assert run("find", mount.path, "-samefile", wanted).split() == [str(wanted)]

    def test_of_files_that_are_open_or_moved(self, mount: Mounted) -> None:
        (mount.path / "old").write_bytes(b"x")
        with (mount.path / "unsaved").open("wb") as file:
            file.write(b"x")
            file.flush()
            (mount.path / "old").rename(mount.path / "new")
            with os.scandir(mount.path) as entries:
                seen = {entry.name: entry.inode() for entry in entries}
            assert seen == {name: ino(mount.path / name) for name in ("unsaved", "new")}


class TestRemount:
    def test_a_second_scan_finds_nothing_new(self, mount_with: MountFactory, kind: str) -> None:
        """restic and borg read a file anew if its number, mtime or ctime is another one.

        The time of a directory moves while its entries come and go, in that mount alone.
        """
        first = mount_with()
        plant(first)
        planted = everything(first.path)
        directories = {name for name in planted if (first.path / name).is_dir()}
        unmount(first)
        before = everything(mount_with().path)
        assert {name: seen[0] for name, seen in planted.items()} == {
            name: seen[0] for name, seen in before.items()
        }
        assert {name for name in planted if planted[name] != before[name]} <= directories
        assert everything(mount_with().path) == before
        assert everything(mount_with("fuse=3" if kind == "fuse2" else "fuse=2").path) == before
        below = everything(mount_with(prefix="dir").path)
        assert below["f"] == before["dir/f"]

    def test_of_what_was_renamed_it_is_that_of_its_key(self, mount_with: MountFactory) -> None:
        first = mount_with()
        (first.path / "old").write_bytes(b"x")
        (first.path / "old").rename(first.path / "new")
        (first.path / "other").write_bytes(b"x")
        unmount(first)
        assert ino(mount_with().path / "new") == ino(mount_with().path / "new")

    def test_tar_takes_nothing_again(self, mount_with: MountFactory, tmp_path: Path) -> None:
        """GNU tar takes a directory of another number for another directory."""
        snapshot = tmp_path / "snapshot"

        def archive(root: Path) -> list[str]:
            command = ["tar", "-cvf", "/dev/null", f"--listed-incremental={snapshot}"]
            options = ["--no-check-device", "-C", str(root), "."]
            return [n for n in run(*command, *options).split("\n") if n and not n.endswith("/")]

        first = mount_with()
        plant(first)
        next_second()
        assert "./dir/f" in archive(first.path)
        unmount(first)
        assert archive(mount_with().path) == []


class TestOpenFiles:
    @pytest.fixture
    def log(self, mount: Mounted) -> Iterator[Any]:
        path = mount.path / "log"
        path.write_bytes(b"line\n")
        with path.open("ab", buffering=0) as file:
            yield file

    def test_a_renamed_one_is_found_at_its_new_name(self, mount: Mounted, log: Any) -> None:
        number = fd_ino(log.fileno())
        assert number == ino(mount.path / "log")
        os.rename(mount.path / "log", mount.path / "log.1")
        log.write(b"more\n")
        (mount.path / "log").write_bytes(b"")
        assert fd_ino(log.fileno()) == ino(mount.path / "log.1") == number
        assert ino(mount.path / "log") != number

    def test_a_replaced_one_is_not_at_its_name(self, mount: Mounted, log: Any) -> None:
        number = fd_ino(log.fileno())
        (mount.path / "new").write_bytes(b"new")
        new = ino(mount.path / "new")
        os.replace(mount.path / "new", mount.path / "log")
        assert fd_ino(log.fileno()) == number
        assert ino(mount.path / "log") == new != number

    def test_an_unlinked_one_and_the_next_of_its_name(self, mount: Mounted, log: Any) -> None:
        number = fd_ino(log.fileno())
        (mount.path / "log").unlink()
        (mount.path / "log").write_bytes(b"new")
        assert fd_ino(log.fileno()) == number != ino(mount.path / "log")

    def test_in_a_directory_that_is_renamed(self, mount: Mounted) -> None:
        (mount.path / "dir").mkdir()
        with (mount.path / "dir" / "f").open("wb", buffering=0) as file:
            file.write(b"x")
            number, directory = fd_ino(file.fileno()), ino(mount.path / "dir")
            os.rename(mount.path / "dir", mount.path / "moved")
            assert ino(mount.path / "moved") == directory
            assert ino(mount.path / "moved" / "f") == fd_ino(file.fileno()) == number
            (mount.path / "dir").mkdir()
            (mount.path / "dir" / "f").write_bytes(b"other")
            assert ino(mount.path / "dir" / "f") != number
            assert ino(mount.path / "dir") != directory

    def test_tail_follows_a_log_that_is_rotated(self, mount: Mounted, tmp_path: Path) -> None:
        log, seen = mount.path / "log", tmp_path / "seen"

        def wait_for_lines(count: int) -> None:
            wait_for(lambda: seen.read_text().count("\n") == count)

        log.write_text("one\n")
        with seen.open("w") as out:
            command = ["tail", "-F", "-s", "0.2", "-n", "+1", str(log)]
            with subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as tail:
                try:
                    for number, line in enumerate(("two", "three")):
                        wait_for_lines(number + 1)
                        log.rename(mount.path / f"log.{number}")
                        log.write_text(f"{line}\n")
                    wait_for(lambda: seen.read_text() == "one\ntwo\nthree\n")
                finally:
                    tail.terminate()


RENAMES: dict[str, Callable[[Path], Any]] = {
    "file": lambda p: p.write_bytes(b"x"),
    "directory": lambda p: p.mkdir(),
    "link": lambda p: p.symlink_to("nowhere"),
    "fifo": os.mkfifo,
}


class TestTools:
    @pytest.mark.parametrize("what", RENAMES)
    def test_rename_keeps_the_number(self, mount: Mounted, what: str) -> None:
        RENAMES[what](mount.path / "old")
        number = ino(mount.path / "old")
        os.rename(mount.path / "old", mount.path / "new")
        assert ino(mount.path / "new") == number
        RENAMES[what](mount.path / "old")
        assert ino(mount.path / "old") != number

    def test_a_copy_back_is_another_file(self, mount: Mounted) -> None:
        """cp(1) refuses two names of one number: "are the same file"."""
        (mount.path / "a").write_bytes(b"x")
        run("mv", mount.path / "a", mount.path / "b")
        for _ in range(2):
            run("cp", mount.path / "b", mount.path / "a")
        (mount.path / "d").mkdir()
        (mount.path / "d" / "f").write_bytes(b"x")
        run("mv", mount.path / "d", mount.path / "e")
        for _ in range(2):
            run("cp", "-r", f"{mount.path}/e/.", mount.path / "d")

    def test_git_sees_no_change(self, mount: Mounted) -> None:
        def git(*args: str) -> str:
            names = ["-c", "user.name=x", "-c", "user.email=x@y", "-c", "gc.auto=0"]
            return run("git", "-C", mount.path, *names, *args)

        if shutil.which("git") is None:
            pytest.skip("needs git")
        git("init", "-q", ".")
        (mount.path / "f").write_bytes(b"x")
        git("add", "f")
        git("commit", "-qm", "one")
        git("mv", "f", "g")
        git("commit", "-qm", "two")
        assert git("status", "--porcelain") == ""
        git("checkout", "-q", "HEAD~1")
        assert (mount.path / "f").read_bytes() == b"x"

    def test_rsync_moves_nothing_the_second_time(self, mount: Mounted, tmp_path: Path) -> None:
        if shutil.which("rsync") is None:
            pytest.skip("needs rsync")
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "f").write_bytes(b"x" * 1000)
        copy = ["rsync", "-a", "--itemize-changes", f"{tmp_path}/source/", f"{mount.path}/copy/"]
        assert "f" in run(*copy)
        assert run(*copy) == ""
