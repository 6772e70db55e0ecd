"""What /proc reports of a caller, and that nobody waits for it: on a /proc of files."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tagfs.fuse.caller import Caller
from tagfs.fuse.lookers import Lookers
from tagfs.fuse.mountinfo import MountPoint, device_of, parse_mountinfo
from tests.waiting import soon, wait_for

PID = 4711
OURS = "0:50"
TABLE = """\
20 1 8:1 / / rw - ext4 /dev/sda1 rw
30 20 0:50 / /mnt/b rw,nosuid shared:7 - fuse.tagfs oss://b rw
31 20 0:50 / /bound rw - fuse.tagfs oss://b rw
32 20 0:50 /d/e /sub\\040dir rw - fuse.tagfs oss://b rw
33 20 0:50 /d/f /etc/file rw - fuse.tagfs oss://b rw
34 20 0:51 / /other rw - fuse.tagfs oss://c rw
"""
THEIRS = """\
80 79 8:1 /jail / rw - ext4 /dev/sda1 rw
81 80 0:50 /d /data rw - fuse.tagfs oss://b rw
"""


class Proc:
    """A /proc with this process and one that calls."""

    def __init__(self, path: Path) -> None:
        self.path = path
        own, self.process = path / str(os.getpid()), path / str(PID)
        for directory in (own, self.process / "fd", self.process / "fdinfo"):
            directory.mkdir(parents=True)
        (path / "self").symlink_to(str(os.getpid()))
        (own / "mountinfo").write_text(TABLE)
        (self.process / "mountinfo").write_text(THEIRS)
        (self.process / "root").symlink_to("/jails/1")

    def opens(self, target: str, mount: int | None) -> None:
        number = len(list((self.process / "fd").iterdir()))
        (self.process / "fd" / str(number)).symlink_to(target)
        if mount is not None:
            text = f"pos:\t0\nflags:\t0100001\nmnt_id:\t{mount}\nino:\t7\n"
            (self.process / "fdinfo" / str(number)).write_text(text)

    def caller(self, pid: int = PID, lookers: Lookers | None = None) -> Caller:
        binding: Any = SimpleNamespace(context=lambda: (1, 2, pid))
        # The busiest machine looks at a few files within that.
        made = Caller(binding, Path("/mnt/b"), lookers or Lookers(patience=10), self.path)
        made.mounted()
        return made


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path / "proc")


HELD = [
    ("/mnt/b/d/f", 30, "/d/f"),
    ("/bound/d/f", 31, "/d/f"),
    ("/sub dir/f", 32, "/d/e/f"),
    ("/etc/file", 33, "/d/f"),
    ("/jails/1/data/f", 81, "/d/f"),  # of another mount namespace, whose root is not ours
]


@pytest.mark.parametrize(("target", "mount", "path"), HELD)
def test_a_descriptor_is_found_however_the_file_was_opened(proc, target, mount, path) -> None:
    proc.opens("socket:[12]", None)
    proc.opens("/dev/null", 20)
    proc.opens("/gone/meanwhile", None)
    assert not proc.caller().holds(path)
    proc.opens(target, mount)
    assert proc.caller().holds(path)
    assert not proc.caller().holds(path + "g")


NOT_HELD = [
    ("/mnt/b/d/f", 20, "a file of the disk below, opened before it was mounted over"),
    ("/other/d/f", 34, "of another bucket"),
    ("/mnt/b/d/f", 99, "of a mount that was taken away"),
    ("/mnt/b/d/f (deleted)", 30, "deleted"),
    ("/mnt/bb/d/f", 30, "of no place of that mount"),
]


@pytest.mark.parametrize(("target", "mount", "why"), NOT_HELD)
def test_what_is_not_this_file(proc, target, mount, why) -> None:
    proc.opens(target, mount)
    assert not proc.caller().holds("/d/f"), why


def test_a_caller_that_cannot_be_seen(proc) -> None:
    """Of another PID namespace: number 0; or its /proc is not ours; or nothing is readable."""
    proc.opens("/mnt/b/d/f", 30)
    assert proc.caller().holds("/d/f")
    (proc.path / "0").symlink_to(str(PID))
    for unknown in (proc.caller(pid=0), proc.caller(pid=PID + 1)):
        assert not unknown.holds("/d/f")
        assert unknown.is_rename() is None
    (proc.path / "self").unlink()
    (proc.path / "self").symlink_to(str(PID))
    foreign = proc.caller()
    assert not foreign.holds("/d/f")
    (proc.process / "syscall").write_text("82 0x1")
    assert foreign.is_rename() is None


CALLS: list[tuple[str, bool | None]] = [
    ("82 0x1 0x2", True),
    ("316 0x0", True),
    ("87 0x1", False),
    ("263 0x1", False),
]
UNKNOWN: list[tuple[str, bool | None]] = [
    ("1 0x1", None),
    ("running", None),
    ("-1 0x1", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "answer"), CALLS + UNKNOWN)
def test_rename_or_unlink(proc, monkeypatch, text, answer) -> None:
    """G5: a rename by io_uring or by a 32-bit program is not taken for an unlink."""
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="x86_64"))
    (proc.process / "syscall").write_text(text)
    assert proc.caller().is_rename() is answer


def test_a_call_that_nobody_knows() -> None:
    """G5, on the kernel's own /proc."""
    with subprocess.Popen(["sleep", "60"]) as process:
        binding: Any = SimpleNamespace(context=lambda: (0, 0, process.pid))
        try:
            assert Caller(binding, Path("/"), Lookers()).is_rename() is None
        finally:
            process.kill()


class Stuck:
    """Looks that last until they are let go, as those at a process within execve(2) do."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.begun = 0

    def __call__(self) -> bool:
        self.begun += 1
        self.let_go.wait(30)
        return True


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    stuck = Stuck()
    yield stuck
    stuck.let_go.set()


def threads() -> int:
    return sum(thread.name == "tagfs-looker" for thread in threading.enumerate())


def test_nobody_waits_for_a_look_that_does_not_end(stuck) -> None:
    """F5. No callback waits for anything that its caller's kernel call may hold."""
    lookers, before = Lookers(threads=2, patience=0.02, longest=0.02), threads()
    asking = [threading.Thread(target=lookers.ask, args=(stuck,)) for _ in range(50)]
    with soon():  # of 50 that would last for ever
        for one in asking:
            one.start()
        for one in asking:
            one.join()
    assert stuck.begun <= 2, "a storm starts no more looks than there are threads"
    assert threads() - before <= 2
    assert lookers.ask(lambda: 1) is None, "all are busy: unknown"
    stuck.let_go.set()
    wait_for(lambda: lookers.ask(lambda: 1))  # as soon as those calls are answered
    assert threads() - before <= 2


@pytest.mark.slow
def test_a_look_says_whether_it_waits_for_the_kernel(stuck, monkeypatch) -> None:
    """F5. That is how a caller within execve(2) is known; that a thread sleeps is no sign of it."""
    lookers = Lookers(threads=1, patience=0.01, longest=0.2)
    assert not lookers.stalls(lambda: 1)
    assert not lookers.stalls(stuck)
    assert not lookers.stalls(lambda: 1), "no thread is free: unknown"
    stuck.let_go.set()
    wait_for(lambda: lookers.ask(lambda: 1))
    stuck.let_go.clear()
    monkeypatch.setattr("tagfs.fuse.lookers._waits_for_the_kernel", lambda _thread: True)
    assert lookers.stalls(stuck)


def test_a_look_that_only_lacks_a_processor_is_waited_for() -> None:
    """... or `cmd > file` would be two uploads on a busy host."""
    lookers = Lookers(threads=1, patience=0.01, longest=10)

    def slow() -> int:
        time.sleep(0.05)
        return 1

    assert lookers.ask(slow) == 1


def test_one_look_follows_the_other_on_one_thread() -> None:
    lookers = Lookers(threads=1, patience=10)
    assert [lookers.ask(partial(int, n)) for n in range(200)] == list(range(200))

    def fails() -> None:
        raise PermissionError

    assert lookers.ask(fails) is None
    assert lookers.ask(lambda: 1) == 1


def test_the_mount_table() -> None:
    assert [mount.path for mount in parse_mountinfo(TABLE)][3] == "/sub dir"
    assert device_of("/mnt/b", parse_mountinfo(TABLE)) == OURS
    assert device_of("/", parse_mountinfo(TABLE)) is None  # a disk
    assert device_of("/nowhere", parse_mountinfo(TABLE)) is None
    covered = TABLE + "40 30 0:60 / /mnt/b rw - tmpfs none rw\n"
    assert device_of("/mnt/b", parse_mountinfo(covered)) is None


@pytest.mark.parametrize(
    ("root", "path", "asked", "inside"),
    [
        ("/", "/m", "/m", "/"),
        ("/", "/m", "/m/a", "/a"),
        ("/", "/", "/a/b", "/a/b"),
        ("/s", "/m", "/m", "/s"),
        ("/s", "/m", "/m/a", "/s/a"),
        ("/s", "/m", "/mm", None),
    ],
)
def test_paths_inside(root, path, asked, inside) -> None:
    assert MountPoint(1, OURS, root, path, "fuse").inside(asked) == inside
