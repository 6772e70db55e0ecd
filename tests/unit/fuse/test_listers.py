"""Which callers list directories, and want no names of extended attributes."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tagfs.fuse.listers import Listers
from tagfs.fuse.lookers import Lookers


def asked_by(pid: int | None) -> Listers:
    return Listers(lambda: pid, Lookers(patience=10))


@contextmanager
def program(directory: Path, name: str, *arguments: str) -> Iterator[int]:
    """Run a program of this name and these arguments, the first being its script; yield its pid."""
    (directory / name).symlink_to("/bin/sh")
    (directory / arguments[0]).write_text("echo ready; read _\n")
    with subprocess.Popen(
        [name, *arguments],
        executable=directory / name,
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.communicate("\n")


@pytest.mark.parametrize(
    ("name", "first", "lists"),
    [
        ("ls", "x", True),
        ("dir", "x", True),
        ("vdir", "x", True),
        ("coreutils", "ls", True),
        ("coreutils", "vdir", True),
        ("coreutils", "cp", False),
        ("cp", "ls", False),
        ("getfattr", "x", False),
        ("lsattr", "x", False),
        ("rsync", "x", False),
    ],
)
def test_a_program_is_known_by_its_name(
    tmp_path: Path, name: str, first: str, *, lists: bool
) -> None:
    with program(tmp_path, name, first, "-l") as pid:
        assert asked_by(pid)() is lists


def test_a_process_is_known_by_the_name_that_it_has_now(tmp_path: Path) -> None:
    """A shell asks, becomes `ls`, asks again, and ends; then another has its number."""
    (tmp_path / "ls").symlink_to("/bin/sh")
    numbers: list[int] = []
    lists = Listers(lambda: numbers[-1], Lookers(patience=10))
    with subprocess.Popen(
        ["sh", "-c", 'echo ready; read _; exec ./ls -c "echo ready; read _"'],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        numbers.append(process.pid)
        for expected in (False, True):
            assert process.stdout.readline() == "ready\n"
            assert [lists(), lists()] == [expected, expected]
            process.stdin.write("\n")
            process.stdin.flush()
    assert [lists(), lists()] == [None, None]
    numbers.append(os.getpid())
    assert lists() is False


def test_one_process_at_a_time_is_kept_open() -> None:
    asking = [os.getpid(), os.getppid(), 1, os.getpid()] * 3
    numbers = iter(asking)
    lists = Listers(lambda: next(numbers), Lookers(patience=10))
    lists()
    before = os.listdir("/proc/self/fd")
    for _ in asking[1:]:
        lists()
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_nothing_is_known_of_a_process_that_cannot_be_seen() -> None:
    """Those of other PID namespaces have no number here."""
    assert asked_by(None)() is None
    assert asked_by(2**22 + 1)() is None


def test_arguments_that_do_not_come_are_not_waited_for(tmp_path: Path) -> None:
    lookers = Lookers(threads=1, patience=0.01, longest=0.01)
    let_go = threading.Event()
    assert lookers.ask(lambda: let_go.wait(30)) is None
    with program(tmp_path, "coreutils", "ls") as pid:
        assert not Listers(lambda: pid, lookers)()
    let_go.set()
