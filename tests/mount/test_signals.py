"""What a running mount does when it is asked to end, or anything else, by a signal."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import zygote
from tests.emulated import Emulator
from tests.mount.conftest import Faults, MountFactory
from tests.mounting import KEYS, Mounted, command, run, wait_for
from tests.waiting import FAR, SOON

MIB = 1024**2
PART = "part_size=1M"


@contextlib.contextmanager
def dirty_file(mount: Mounted, size: int) -> Iterator[bytes]:
    """Have a file open that nobody has closed, so that nothing of it is promised yet."""
    content = os.urandom(size)
    fd = os.open(mount.path / "big", os.O_CREAT | os.O_WRONLY)
    try:
        os.write(fd, content)
        yield content
    finally:
        with contextlib.suppress(OSError):  # the mount is gone
            os.close(fd)


@pytest.mark.parametrize("library", ["2", "3"])
def test_sigterm_finishes_what_is_dirty_though_the_service_is_slow(
    mount_with: MountFactory, refusals: Faults, library: str
) -> None:
    """F4: SIGTERM and unmount finish uploads."""
    mount = mount_with(f"{PART},fuse={library}")
    assert f"(libfuse {library}." in mount.log()
    with dirty_file(mount, 4 * MIB + 3) as content:
        refusals.set("delay=0.5:op=UploadPart", "delay=0.5:op=CompleteMultipartUpload")
        mount.process.send_signal(signal.SIGTERM)
        assert mount.process.wait(FAR) == 0
        assert not os.path.ismount(mount.path)
        assert mount.content("big") == content
    assert "SIGTERM: finishing uploads, then unmounting" in mount.log()
    assert not list((mount.cache_dir / "staging").iterdir())


def test_sigterm_keeps_what_a_dead_service_does_not_take_and_says_where(
    mount_with: MountFactory, refusals: Faults
) -> None:
    """F4: ... or keep what is staged and say where it is. Three files wait no longer than one."""
    mount = mount_with("timeout=4")
    more = [os.open(mount.path / f"f{number}", os.O_CREAT | os.O_WRONLY) for number in range(2)]
    for fd in more:
        os.write(fd, b"small")
    with dirty_file(mount, MIB) as content:
        refusals.set("status=503")
        began = time.monotonic()
        mount.process.send_signal(signal.SIGTERM)
        assert mount.process.wait(FAR) == 0
        assert time.monotonic() - began < 3 * 4 - 0.5
    for fd in more:
        with contextlib.suppress(OSError):
            os.close(fd)
    kept = dict(re.findall(r"/(\w+): not uploaded .* is kept in (\S+\.data)", mount.log()))
    assert set(kept) == {"big", "f0", "f1"}
    assert Path(kept["big"]).read_bytes() == content
    assert "run `tagfs recover" in mount.log()
    refusals.clear()
    assert zygote.run("recover", mount.cache_dir, env=KEYS).returncode == 0
    assert mount.content("big") == content
    assert mount.content("f0") == b"small"


def test_a_second_sigterm_waits_for_nothing(mount_with: MountFactory, refusals: Faults) -> None:
    mount = mount_with("timeout=60")
    with dirty_file(mount, 1000):
        refusals.set("status=503")
        mount.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "again in" in mount.log())
        mount.process.send_signal(signal.SIGTERM)
        assert mount.process.wait(FAR) == 0
    assert "SIGTERM again: what is not uploaded is kept" in mount.log()
    assert re.search(r"/big: not uploaded .* is kept in", mount.log())


def test_what_is_being_closed_is_finished_before_the_end(
    mount_with: MountFactory, refusals: Faults
) -> None:
    """The program that is in close(2) gets its answer."""
    mount = mount_with()
    refusals.set("delay=1:op=PutObject")
    writer = subprocess.Popen(["sh", "-c", f"echo content > {mount.path}/f"])
    wait_for(refusals.hits)  # a file is dirty when it is made; it is closed when it is sent
    mount.process.send_signal(signal.SIGINT)
    assert writer.wait(FAR) == 0
    assert mount.process.wait(FAR) == 0
    assert mount.content("f") == b"content\n"


def test_sigusr2_and_sigusr1(mount: Mounted) -> None:
    """SIGUSR2 logs everything, and no more when it comes again; SIGUSR1 logs the status."""
    (mount.path / "quiet").write_bytes(b"")
    mount.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "log_level is debug now" in mount.log())
    (mount.path / "loud").write_bytes(b"")
    mount.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "log_level is info now" in mount.log())
    (mount.path / "silent").write_bytes(b"")
    mount.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: "status: {" in mount.log())
    assert "create('/loud'" in mount.log()
    assert "create('/quiet'" not in mount.log()
    assert "create('/silent'" not in mount.log()
    status = json.loads(mount.log().rpartition("status: ")[2])
    assert status["requests"]["PUT"] == 3
    assert KEYS["OSS_ACCESS_KEY_SECRET"] not in mount.log()


def test_sighup_begins_new_log_files(service: Emulator, bucket: str, tmp_path: Path) -> None:
    """As logrotate(8) does it; the mount goes on."""
    point, log, requests = tmp_path / "mnt", tmp_path / "log", tmp_path / "requests"
    point.mkdir()
    options = f"log_file={log},request_log={requests}"
    start = [word for word in command(service, f"oss://{bucket}", point, options) if word != "-f"]
    run("env", *(f"{k}={v}" for k, v in KEYS.items()), *start)
    try:
        pid = json.loads(os.getxattr(point, "user.tagfs.status"))["pid"]
        log.rename(tmp_path / "log.1")
        requests.rename(tmp_path / "requests.1")
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: log.exists() and "opened anew" in log.read_text())
        (point / "f").write_bytes(b"x")
        assert "is mounted on" in (tmp_path / "log.1").read_text()
        assert "opened anew" not in (tmp_path / "log.1").read_text()
        assert json.loads(requests.read_text().splitlines()[-1])["key"] == "f"
        assert '"f"' not in (tmp_path / "requests.1").read_text()
    finally:
        run("fusermount", "-u", point)
    wait_for(lambda: "is unmounted" in log.read_text())


def test_sighup_of_a_terminal_ends_the_mount(
    service: Emulator, bucket: str, tmp_path: Path
) -> None:
    """In the foreground, it means that nobody is there any more."""
    point = tmp_path / "mnt"
    point.mkdir()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(service, f"oss://{bucket}", point), env={**os.environ, **KEYS}, stderr=theirs
    )
    os.close(theirs)
    wait_for(lambda: os.path.ismount(point) or process.poll() is not None)
    process.send_signal(signal.SIGHUP)
    assert process.wait(FAR) == 0
    os.close(ours)
    assert not os.path.ismount(point)


class Supervisor:
    """The receiving end of sd_notify(3)."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(FAR)

    def reported(self) -> dict[str, str]:
        lines = self.socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    path = Path(f"/tmp/tagfs-notify-{os.getpid()}")  # a short name: 108 bytes at most
    one = Supervisor(path)
    yield one
    one.socket.close()
    path.unlink()


def test_systemd_is_notified(
    service: Emulator, bucket: str, tmp_path: Path, supervisor: Supervisor
) -> None:
    """READY=1 when the mount answers, STOPPING=1 when it ends."""
    point = tmp_path / "mnt"
    point.mkdir()
    process = subprocess.Popen(
        command(service, f"oss://{bucket}", point),
        env={**os.environ, **KEYS, "NOTIFY_SOCKET": supervisor.socket.getsockname()},
        stderr=subprocess.DEVNULL,
    )
    try:
        reported = supervisor.reported()
        assert reported["READY"] == "1"
        assert os.path.ismount(point)
        assert reported["MAINPID"] == str(process.pid)
        assert reported["STATUS"] == f"oss://{bucket} is mounted on {point}"
        process.send_signal(signal.SIGTERM)
        reported = supervisor.reported()
        assert reported["STOPPING"] == "1"
        assert int(supervisor.reported()["EXTEND_TIMEOUT_USEC"]) > 0
        assert process.wait(FAR) == 0
        assert not os.path.ismount(point)
    finally:
        process.kill()
        process.wait()
        subprocess.run(["fusermount", "-uz", str(point)], check=False, capture_output=True)


def test_a_signal_before_the_mount_just_ends_it(
    service: Emulator, bucket: str, tmp_path: Path, refusals: Faults
) -> None:
    refusals.set("hang")
    point = tmp_path / "mnt"
    point.mkdir()
    process = subprocess.Popen(
        command(service, f"oss://{bucket}", point, "log_level=debug"),
        env={**os.environ, **KEYS},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(refusals.hits)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SOON)
    assert process.returncode == 128 + signal.SIGTERM
    assert not os.path.ismount(point)
