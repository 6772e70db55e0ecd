"""Ctrl-C at any moment of a command that is at work: one line at most, and nothing half done."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.interrupts import ENDED, End, run, spread
from tests.judges import judge_of
from tests.mount.conftest import Faults
from tests.mounting import KEYS, command, wait_for
from tests.waiting import FAR

pytestmark = pytest.mark.slow

MOMENTS = 30


def processes_of(path: Path) -> list[str]:
    """Return the processes whose command line names a path."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(path) in file.read_bytes():
                found.append(file.parent.name)
        except OSError:  # it has ended
            continue
    return found


def is_gone(point: Path) -> bool:
    return not os.path.ismount(point) and not processes_of(point)


def is_silent(end: End) -> None:
    assert "Traceback" not in end.stderr, end
    assert "xception" not in end.stderr, end
    assert end.seconds < 30


def test_no_mount_comes_up_after_its_command_was_interrupted(
    service: Emulator, bucket: str, tmp_path: Path
) -> None:
    point = tmp_path / "mnt"
    point.mkdir()
    words = command(service, f"oss://{bucket}", point)[3:]
    words.remove("-f")
    struck = 0
    for end in spread(*words, moments=MOMENTS, env=KEYS):
        assert end.stderr == ""
        if end.status == 0:
            assert os.path.ismount(point)
            subprocess.run(["umount", str(point)], check=True)
            wait_for(lambda: is_gone(point))
        else:
            assert end.status in ENDED
            assert is_gone(point)
            struck += 1
    assert struck > MOMENTS / 3


def test_nor_when_it_waits_for_the_service(
    service: Emulator, bucket: str, tmp_path: Path, refusals: Faults
) -> None:
    point = tmp_path / "mnt"
    point.mkdir()
    options = f"timeout={10 * FAR}"
    words = command(service, f"oss://{bucket}", point, options)[3:]
    words.remove("-f")
    refusals.set("hang")
    end = run(*words, env=KEYS, when=refusals.hits)
    assert (end.status, end.stderr) == (130, "")
    assert is_gone(point)


def test_a_mount_in_the_foreground(service: Emulator, bucket: str, tmp_path: Path) -> None:
    """It ends as it does by SIGTERM, once it is one."""
    point = tmp_path / "mnt"
    point.mkdir()
    words = command(service, f"oss://{bucket}", point, "log_level=error")[3:]
    whole = run(*words, env=KEYS, when=lambda: os.path.ismount(point))
    assert (whole.status, whole.stderr) == (0, "")
    assert is_gone(point)
    for number in range(MOMENTS):
        end = run(*words, env=KEYS, after=1.2 * whole.seconds * number / MOMENTS)
        assert end.status in {0, *ENDED}, end
        assert end.stderr == ""
        assert is_gone(point)


@pytest.mark.parametrize(
    "words",
    [
        "tag set -R --parallel 4 team=blue {url}",
        "tag get -R --parallel 4 {url}",
        "doctor {url} --write",
        "index {url}",
    ],
)
def test_a_command_that_asks_the_service(
    service: Emulator, bucket: str, tmp_path: Path, words: str
) -> None:
    judge = judge_of("oss", service.url, bucket)
    keys = [f"f{number}" for number in range(40)]
    for key in keys:
        judge.put(key, b"x", tags={"a": "b"})
    options = f"endpoint={service.url},region=cn-hangzhou,cache_dir={tmp_path}"
    given = [*words.format(url=f"oss://{bucket}").split(), "-o", options]
    whole, *struck = spread(*given, moments=MOMENTS, env=KEYS)
    assert whole.status == 0, whole
    for end in struck:
        assert end.status in {0, *ENDED}, end
        is_silent(end)
    assert sum(end.status in ENDED for end in struck) > 4  # a second index has less to do
    assert judge.keys() == sorted(keys)
    wanted = {"a": "b", "team": "blue"} if "team" in words else {"a": "b"}
    assert all(judge.tags(key) == wanted for key in keys)
