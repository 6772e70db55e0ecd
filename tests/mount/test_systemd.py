"""Under systemd, and taken off by hand: nothing is left "not connected", and nothing is lost."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import zygote
from tests.emulated import Emulator
from tests.mount.conftest import Faults, MountFactory
from tests.mounting import KEYS, REGION, Mounted, run, wait_for
from tests.waiting import FAR, soon

DATA = Path(__file__).parent.parent.parent / "tagfs" / "data"
UNIT = DATA / "tagfs@.service"


def umount(*args: str | Path) -> "subprocess.CompletedProcess[str]":
    return zygote.run("umount", *args, timeout=FAR)


@pytest.mark.parametrize("name", ["tagfs@photos.service", "mnt-photos.mount"])
def test_the_units_are_what_systemd_understands(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    source = UNIT if "@" in name else DATA / name
    tagfs = tmp_path / "tagfs"
    tagfs.write_text("#!/bin/sh\n")
    tagfs.chmod(0o755)
    # systemd looks for programs in a fixed list of directories, in which a test writes nothing.
    text = source.read_text().replace("=tagfs ", f"={tagfs} ").replace("=-tagfs ", f"=-{tagfs} ")
    (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if name in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr


class Unit:
    """What systemd does with a unit, as far as it matters here: commands and variables."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._text = UNIT.read_text()
        self._environment = environment

    def command(self, setting: str) -> list[str]:
        found = re.search(rf"^{setting}=-?(.*)$", self._text, re.MULTILINE)
        assert found is not None, setting
        words = [
            re.sub(r"\$\{(\w+)\}", lambda name: self._environment[name[1]], word)
            for word in found[1].split()
        ]
        return [sys.executable, "-m", *words] if words[0] == "tagfs" else words

    def setting(self, name: str) -> str:
        return str(re.findall(rf"^{name}=(.*)$", self._text, re.MULTILINE)[0])

    def run(self, setting: str) -> int:
        environment = {**os.environ, **self._environment}
        return subprocess.run(self.command(setting), env=environment, check=False).returncode

    @contextlib.contextmanager
    def started(self) -> Iterator["subprocess.Popen[bytes]"]:
        point = self._environment["MOUNTPOINT"]
        assert self.run("ExecStartPre") == 0
        process = subprocess.Popen(
            self.command("ExecStart"),
            env={**os.environ, **self._environment},
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: os.path.ismount(point) or process.poll() is not None)
            assert process.poll() is None
            yield process
        finally:
            process.kill()
            process.wait(60)


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    """A mountpoint that is not made yet; taken off at the end, whatever is there."""
    yield tmp_path / "made" / "mnt"
    umount = ["fusermount", "-uz", str(tmp_path / "made" / "mnt")]
    subprocess.run(umount, check=False, capture_output=True)


def test_a_killed_mount_is_mended_and_mounted_again(
    service: Emulator, bucket: str, tmp_path: Path, point: Path
) -> None:
    """As systemd does it: ExecStart, kill -9, ExecStopPost, and for Restart= ExecStart again."""
    unit = Unit(
        {
            **KEYS,
            "URL": f"oss://{bucket}",
            "MOUNTPOINT": str(point),
            "TAGFS_ENDPOINT": service.url,
            "TAGFS_REGION": REGION,
            "TAGFS_CACHE_DIR": str(tmp_path / "cache"),
        }
    )
    assert unit.setting("Restart") == "on-failure"
    with unit.started() as process:
        (point / "f").write_bytes(b"x")
        assert unit.run("ExecStopPost") == 0  # never touches what lives
        assert (point / "f").read_bytes() == b"x"
        process.kill()
        process.wait(60)
        with pytest.raises(OSError, match="not connected"):
            os.statvfs(point)
        assert unit.run("ExecStopPost") == 0
    assert list(point.iterdir()) == []
    with unit.started() as process:
        assert (point / "f").read_bytes() == b"x"
        process.send_signal(signal.SIGTERM)
        assert process.wait(FAR) == 0
        assert unit.run("ExecStopPost") == 0
    assert not os.path.ismount(point)


def test_umount_returns_when_everything_is_uploaded(mount: Mounted, refusals: Faults) -> None:
    """Pages of a shared mapping are uploaded after the last close(2)."""
    refusals.set("delay=3:op=PutObject")
    path = mount.path / "mapped"
    script = (
        "import mmap, os, sys; fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT);"
        "os.ftruncate(fd, 4096); m = mmap.mmap(fd, 4096); os.close(fd);"
        "m[:5] = b'later'; os._exit(0)"
    )
    run(sys.executable, "-c", script, path)
    done = umount(mount.path)
    assert done.returncode == 0, done.stderr
    assert mount.process.poll() == 0
    assert mount.content("mapped")[:5] == b"later"


def test_umount_reports_what_is_kept(mount_with: MountFactory, refusals: Faults) -> None:
    mount = mount_with("timeout=1")
    refusals.set("status=503:op=PutObject")
    with pytest.raises(OSError, match="Input/output error"):
        (mount.path / "f").write_bytes(b"x")
    done = umount(mount.path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"run `tagfs recover {mount.cache_dir}`" in done.stderr.splitlines()[-1]
    assert not os.path.ismount(mount.path)


def test_lazy_umount_lets_who_has_a_file_open_finish(mount: Mounted) -> None:
    with (mount.path / "f").open("wb") as file:
        file.write(b"begun")
        busy = umount(mount.path)
        assert busy.returncode == 1
        assert "is in use: python" in busy.stderr
        with soon():
            assert umount("--lazy", mount.path).returncode == 0
        assert not os.path.ismount(mount.path)
        file.write(b", finished")
    assert mount.process.wait(FAR) == 0, mount.log()
    assert mount.content("f") == b"begun, finished"


def test_a_dead_mount_is_taken_off(mount: Mounted) -> None:
    mount.process.kill()
    mount.process.wait(60)
    assert umount(mount.path).returncode == 0
    assert list(mount.path.iterdir()) == []
    done = umount(mount.path)
    assert done.returncode == 1
    assert "nothing is mounted on" in done.stderr
