"""The processes that mounts of tests are: the command itself, and processes like any other."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.waiting import wait_for
from tests.zygote import Copy, begin, run as run_to_its_end, start

pytestmark = pytest.mark.slow
"""Each of these starts processes."""


def run(stderr: Path, *arguments: str, **environment: str) -> Copy:
    with stderr.open("ab") as file:
        return start(arguments, {**os.environ, **environment}, file.fileno())


def test_its_status_and_what_it_says(tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    assert run(said, "status", str(tmp_path / "none")).wait(60) == 1
    assert said.read_text().startswith("tagfs: ")
    assert run(said, "no-such-command").wait(60) == 2
    assert run(said, "--version").wait(60) == 0


def test_its_environment_is_its_own(tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    assert run(said, "doctor", "oss://bucket", TAGFS_TTL="soon").wait(60) == 1
    assert "TAGFS_TTL=soon: expected seconds" in said.read_text()
    assert "TAGFS_TTL" not in os.environ


def test_what_it_says_and_is_given(tmp_path: Path) -> None:
    done = run_to_its_end("status", tmp_path / "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tagfs: ")
    version = run_to_its_end("--version", cwd=tmp_path)
    assert (version.returncode, version.stderr) == (0, "")
    assert "tagfs" in version.stdout
    (tmp_path / "here").touch()
    words = ("tag", "restore", "--dry-run")
    given = run_to_its_end(*words, cwd=tmp_path, text=b'# file: here\nuser.tag.k="v"\n')
    assert "here" in given.stdout + given.stderr


def test_who_takes_too_long_is_killed(tmp_path: Path) -> None:
    words = ("emulator", "--listen", "127.0.0.1:0", "--data", tmp_path / "data")
    with pytest.raises(subprocess.TimeoutExpired):
        run_to_its_end(*words, timeout=0.5)
    copy = begin(*words)
    assert copy.poll() is None
    copy.kill()
    assert copy.wait(60) == -signal.SIGKILL


def test_signals_and_time(tmp_path: Path) -> None:
    data = tmp_path / "data"
    copy = run(tmp_path / "stderr", "emulator", "--listen", "127.0.0.1:0", "--data", str(data))
    wait_for(data.exists)
    assert copy.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        copy.wait(0.05)
    copy.send_signal(signal.SIGKILL)
    assert copy.wait(60) == -signal.SIGKILL
    copy.terminate()  # it is gone: nothing happens
    assert copy.poll() == -signal.SIGKILL
