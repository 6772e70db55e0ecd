"""Which callers list directories, and want no names of extended attributes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tagfs.kernel import listers
from tagfs.kernel.listers import Listers


def asked_by(pid: int) -> Listers:
    return Listers(SimpleNamespace(context=lambda: (0, 0, pid)))


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


def test_nothing_is_known_of_a_process_that_cannot_be_seen() -> None:
    """Those of other PID namespaces have no number here."""
    assert asked_by(0)() is None
    assert asked_by(2**22 + 1)() is None


def test_arguments_that_do_not_come_in_time_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """... nor is one more thread made for each that asks meanwhile."""
    stuck, pipe = os.pipe()
    looks = 0
    read = listers._read

    def slow(file: Path) -> str:
        nonlocal looks
        if file.name == "cmdline":
            looks += 1
            os.read(stuck, 1)
        return read(file)

    monkeypatch.setattr(listers, "PATIENCE", 0.01)
    monkeypatch.setattr(listers, "_read", slow)
    with program(tmp_path, "coreutils", "ls") as pid:
        one = asked_by(pid)
        assert not any(one() for _ in range(3 * listers.AT_ONCE))
        assert looks == listers.AT_ONCE
        os.write(pipe, bytes(looks))
        while not one._looks.acquire(blocking=False):
            pass
        one._looks.release()
    os.close(stuck)
    os.close(pipe)
