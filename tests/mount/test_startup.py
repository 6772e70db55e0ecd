"""Starting and ending a mount: each mistake is one clear line, status 1 or 2, and no mount."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated import Emulator
from tests.mount.conftest import MountFactory
from tests.mounting import KEYS, REGION, Mounted, run, wait_for
from tests.waiting import FAR, soon


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "point"
    path.mkdir()
    yield path
    if os.path.ismount(path):
        subprocess.run(["fusermount", "-uz", str(path)], check=True)


def mount_in_background(
    service: Emulator, url: str, point: Path, *, options: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    chosen = f"endpoint={service.url},region={REGION},cache_dir={point}.cache"
    return subprocess.run(
        [sys.executable, "-m", "tagfs", "mount", url, str(point), "-o", chosen, "-o", options],
        env={**os.environ, **KEYS, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(
    done: subprocess.CompletedProcess[str], point: Path, *words: str, status: int = 1
) -> None:
    assert done.returncode == status, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert not os.path.ismount(point)


def test_background_mount_and_umount(service: Emulator, bucket: str, point: Path) -> None:
    done = mount_in_background(service, f"oss://{bucket}", point)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    assert os.path.ismount(point)  # at once: the parent returns when the mount answers
    (point / "f").write_bytes(b"x")
    assert (
        subprocess.run(
            [sys.executable, "-m", "tagfs", "umount", str(point)], check=False
        ).returncode
        == 0
    )
    assert not os.path.ismount(point)
    staging = Path(f"{point}.cache") / "staging"
    wait_for(lambda: not list(staging.iterdir()))


@pytest.mark.parametrize("option", ["cache_dir", "log_file", "request_log", "credentials"])
def test_what_it_writes_and_reads_itself_is_elsewhere(
    service: Emulator, bucket: str, point: Path, tmp_path: Path, option: str
) -> None:
    """F5. Or a call would wait for another one that it makes: of a home directory, say."""
    link = tmp_path / "link"
    link.symlink_to(point)
    (point / "kept").write_text("OSS_ACCESS_KEY_ID=a\nOSS_ACCESS_KEY_SECRET=b\n")
    (point / "kept").chmod(0o600)
    done = mount_in_background(
        service, f"oss://{bucket}", point, options=f"nonempty,{option}={link}/kept"
    )
    assert_refused(done, point, option, "would be in the mount itself")


def test_as_mount_8_calls_it(service: Emulator, bucket: str, point: Path) -> None:
    chosen = f"rw,_netdev,nofail,x-systemd.automount,endpoint={service.url},cache_dir={point}.c"
    keys = [f"{k}={v}" for k, v in KEYS.items()]
    run("env", *keys, sys.executable, "-m", "tagfs", f"oss://{bucket}", point, "-o", chosen)
    assert os.path.ismount(point)
    run("umount", point)


def test_a_wrong_key(service: Emulator, bucket: str, point: Path) -> None:
    for wrong in ({"OSS_ACCESS_KEY_ID": "nobody"}, {"OSS_ACCESS_KEY_SECRET": "wrong"}):
        done = mount_in_background(service, f"oss://{bucket}", point, **wrong)
        assert_refused(done, point, "key pair", "OSS_ACCESS_KEY_ID")
        assert "wrong" not in done.stderr


def test_no_key(service: Emulator, bucket: str, point: Path) -> None:
    done = mount_in_background(service, f"oss://{bucket}", point, OSS_ACCESS_KEY_ID="")
    assert_refused(done, point, "OSS_ACCESS_KEY_ID")


def test_a_wrong_endpoint(service: Emulator, bucket: str, point: Path) -> None:
    with soon():
        done = mount_in_background(
            service, f"oss://{bucket}", point, options="endpoint=http://127.0.0.1:1"
        )
    assert_refused(done, point, "endpoint")


def test_a_missing_bucket(service: Emulator, point: Path) -> None:
    done = mount_in_background(service, "oss://no-such-bucket", point)
    assert_refused(done, point, "no bucket 'no-such-bucket'")


def test_credentials_that_others_can_read(service: Emulator, point: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("emulator:emulator-secret")
    keys.chmod(0o644)
    url = f"oss://{service.take()}"
    done = mount_in_background(service, url, point, options=f"credentials={keys}")
    assert_refused(done, point, str(keys), "chmod 600")
    assert "nowhere" not in done.stderr


def test_a_busy_mountpoint(mount: Mounted) -> None:
    done = mount_in_background(mount.service, f"oss://{mount.bucket}", mount.path)
    assert done.returncode == 1
    assert "mountpoint already" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert os.path.ismount(mount.path)


def test_a_missing_or_unfit_mountpoint(service: Emulator, bucket: str, point: Path) -> None:
    url = f"oss://{bucket}"
    assert_refused(mount_in_background(service, url, point / "no"), point / "no", "does not exist")
    (point / "file").write_bytes(b"")
    assert_refused(mount_in_background(service, url, point), point, "not empty")
    file = point / "file"
    assert_refused(mount_in_background(service, url, file), point, "not a directory")


def test_no_dev_fuse(service: Emulator, bucket: str, point: Path) -> None:
    """In a mount namespace of its own, with nothing where /dev/fuse is."""
    if shutil.which("unshare") is None or os.getuid() != 0:
        pytest.skip("needs root and unshare")
    hide = "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && "
    start = f"exec {sys.executable} -m tagfs mount oss://{bucket} {point} -o endpoint={service.url}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", hide + start],
        env={**os.environ, **KEYS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_refused(done, point, "/dev/fuse")


def test_mistakes_in_options_come_all_at_once(service: Emulator, bucket: str, point: Path) -> None:
    done = mount_in_background(
        service, f"oss://{bucket}", point, options="tll=3,memory=lots,atributes=stored"
    )
    said = ("'tll': did you mean 'ttl'", "memory=lots", "'attributes'")
    assert_refused(done, point, *said, status=2)


def test_bad_usage_is_status_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tagfs", "mount"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2


def test_a_bad_url(service: Emulator, point: Path) -> None:
    for url in ("http://x/y", "oss://", "oss://b/../c", "oss://B"):
        assert mount_in_background(service, url, point).returncode == 1


def test_a_dead_mount_is_mended(service: Emulator, bucket: str, mount: Mounted) -> None:
    mount.process.kill()
    mount.process.wait(60)
    with pytest.raises(OSError, match="not connected"):
        os.statvfs(mount.path)
    done = mount_in_background(service, f"oss://{bucket}", mount.path)
    assert done.returncode == 0, done.stderr
    (mount.path / "f").write_bytes(b"x")
    run("umount", mount.path)


def test_read_only(mount_with: MountFactory) -> None:
    mount = mount_with("ro")
    mount.sdk.put_object("f", b"x")
    assert (mount.path / "f").read_bytes() == b"x"
    for change, *arguments in (
        (os.truncate, mount.path / "f", 0),
        (os.mknod, mount.path / "g"),
        (os.mkdir, mount.path / "d"),
        (os.unlink, mount.path / "f"),
        (os.setxattr, mount.path / "f", "user.tag.k", b"v"),
    ):
        with pytest.raises(OSError, match="Read-only"):
            change(*arguments)


def test_the_demo(tmp_path: Path) -> None:
    point = tmp_path / "demo"
    point.mkdir()
    demo = subprocess.Popen(
        [sys.executable, "-m", "tagfs", "demo", str(point)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert demo.stdout is not None
        shown = ""
        while "Ctrl-C" not in shown:
            line = demo.stdout.readline()
            assert line, "the demo ended"
            shown += line
        assert 'user.tag.team="blue"' in shown
        run("setfattr", "-n", "user.tag.team", "-v", "red", point / "README.txt")
        run("sh", "-c", "echo more >> reports/2026/q1.md", cwd=point)
        run("mv", "reports/2026/q1.md", "done.md", cwd=point)
        run("cp", "--preserve=xattr", "done.md", "copy.md", cwd=point)
        assert 'team="blue"' in run("getfattr", "-d", "copy.md", cwd=point)
        assert "地点" in run("getfattr", "-d", "-e", "text", "photos/lake.txt", cwd=point)
        assert 'cost-center="42"' in run("getfattr", "-d", ".", cwd=point)
        assert os.readlink(point / "latest.md") == "reports/2026/q3.md"
    finally:
        for _ in range(4):  # of an impatient user
            demo.send_signal(signal.SIGINT)
            time.sleep(0.05)
        demo.communicate(timeout=FAR)
    assert not os.path.ismount(point)
    assert demo.returncode == 0


def test_a_log_file_is_heeded_in_the_foreground(mount_with: MountFactory, tmp_path: Path) -> None:
    file = tmp_path / "own.log"
    running = mount_with(f"log_file={file}")
    assert "is mounted on" in file.read_text()
    assert running.log() == ""
