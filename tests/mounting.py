"""Real mounts for tests: a bucket on a local service, mounted in a process of its own."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import oss2

from tests.emulated import Emulator
from tests.judges import KEY_ID, REGIONS, SECRET, Judge, OssJudge, judge_of
from tests.waiting import until_the_kernel_asks, wait_for as wait_for  # noqa: PLC0414  (for those who import it from here)
from tests.zygote import Copy, start

KEYS = {
    "OSS_ACCESS_KEY_ID": KEY_ID,
    "OSS_ACCESS_KEY_SECRET": SECRET,
    "OBS_ACCESS_KEY_ID": KEY_ID,
    "OBS_SECRET_ACCESS_KEY": SECRET,
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
}
REGION = REGIONS["oss"]
MS_REMOUNT = 32


class RequestLog:
    """What the service logged of one bucket since a moment."""

    def __init__(self, file: Path, bucket: str) -> None:
        self._file = file
        self._bucket = bucket
        self._start = file.stat().st_size if file.exists() else 0

    def rows(self) -> list[dict[str, Any]]:
        with self._file.open("rb") as file:
            file.seek(self._start)
            rows = [json.loads(line) for line in file if line.endswith(b"\n")]
        return [row for row in rows if row["bucket"] == self._bucket]

    def kinds(self) -> Counter[str]:
        """Count requests as "METHOD subresource" (or "METHOD")."""
        return Counter(f"{r['method']} {r['subresource'] or ''}".strip() for r in self.rows())

    def __len__(self) -> int:
        return len(self.rows())


class Mounted:
    """A mounted bucket.

    Attributes:
        path: the mountpoint.
        judge: the same bucket through the vendor's SDK, which is the judge of all writes.
        log_file: what the mount logged.
    """

    def __init__(self, service: Emulator, bucket: str, path: Path, process: Copy) -> None:
        self.service = service
        self.bucket = bucket
        self.path = path
        self.process = process
        self.log_file = path.with_suffix(".log")
        self.cache_dir = path.with_suffix(".cache")
        self.judge: Judge = judge_of(service.service, service.url, bucket)

    @property
    def kind(self) -> str:
        """The service: "oss", "obs" or "s3"."""
        return self.service.service

    @property
    def sdk(self) -> oss2.Bucket:
        """OSS's SDK itself, for what only OSS has."""
        assert isinstance(self.judge, OssJudge)
        return self.judge.sdk

    def has(self, capability: str) -> bool:
        """Say whether the service has "symlinks" or "append" natively."""
        return capability in self.judge.native

    def requests(self) -> RequestLog:
        """Begin to count requests of this bucket from now on."""
        return RequestLog(self.service.log, self.bucket)

    def tags(self, key: str) -> dict[str, str]:
        """Return an object's tags as the SDK sees them."""
        return self.judge.tags(key)

    def content(self, key: str) -> bytes:
        """Return an object's content as the SDK sees it."""
        return self.judge.get(key)

    def keys(self) -> list[str]:
        """Return all keys of the bucket."""
        return self.judge.keys()

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def forget(self) -> None:
        """Let the mount forget what it cached, and the kernel too."""
        os.setxattr(self.path, "user.tagfs.refresh", b"")
        self.forget_in_kernel()

    def forget_in_kernel(self) -> None:
        """Let the kernel forget names and attributes, for which it takes a second by itself.

        A remount (which changes nothing) makes it drop them all at once; those of files that are
        open it keeps, and only root may do so.
        """
        if os.getuid() or self.status()["open_files"] or not _remount(self.path):
            until_the_kernel_asks()

    def status(self) -> dict[str, Any]:
        """Return what the mount reports of itself."""
        reported: dict[str, Any] = json.loads(os.getxattr(self.path, "user.tagfs.status"))
        return reported

    def staged(self) -> list[Path]:
        """Return the files with content that is not on the service, or not yet let go."""
        return list(self.cache_dir.glob("staging/*/*.data"))

    def released(self, still_open: int = 0) -> None:
        """Wait until the mount knows that all files but `still_open` are closed.

        The kernel reports it after close(2) has returned.
        """
        wait_for(lambda: self.status()["open_files"] <= still_open)

    def kill(self) -> None:
        """End the mount as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        subprocess.run(["fusermount", "-uz", str(self.path)], check=False)


def _remount(path: Path) -> bool:
    """Mount once more what is mounted there, as it is; say whether that was done."""
    kept = os.statvfs(path).f_flag & (
        os.ST_RDONLY | os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME
    )  # the kernel's flags of mount(2) have the same values
    done = ctypes.CDLL(None).mount(b"none", os.fsencode(path), b"fuse", kept | MS_REMOUNT, b"")
    return bool(done == 0)


def sdk_bucket(service: Emulator, bucket: str) -> oss2.Bucket:
    auth = oss2.AuthV4("emulator", "emulator-secret")
    return oss2.Bucket(auth, service.url, bucket, region=REGION, enable_crc=True)


def command(service: Emulator, url: str, path: Path, options: str = "") -> list[str]:
    chosen = [
        f"endpoint={service.url}",
        f"region={REGIONS[service.service]}",
        f"cache_dir={path.with_suffix('.cache')}",
        f"fuse={service.fuse or os.environ.get('TAGFS_FUSE', 'auto')}",
        options,
    ]
    args = [sys.executable, "-m", "tagfs", "mount", url, str(path), "-f"]
    return [*args, "-o", ",".join(filter(None, chosen))]


@contextlib.contextmanager
def mounted(
    service: Emulator,
    bucket: str,
    path: Path,
    options: str = "",
    prefix: str = "",
    keys: Mapping[str, str] = KEYS,
) -> Iterator[Mounted]:
    """Mount a bucket; unmount it whatever happens, and fail on what it logged unexpectedly.

    `keys` are the variables by which it learns its credentials.
    """
    path.mkdir(parents=True, exist_ok=True)
    url = f"{service.service}://{bucket}" + (f"/{prefix}" if prefix else "")
    log_file = path.with_suffix(".log")
    with log_file.open("ab") as log:
        arguments = command(service, url, path, options)[3:]  # without python -m tagfs
        process = start(arguments, {**os.environ, **keys}, log.fileno())
    mount = Mounted(service, bucket, path, process)
    try:
        wait_for(lambda: os.path.ismount(path) or process.poll() is not None)
        assert process.poll() is None, mount.log()
        yield mount
    finally:
        unmount(mount)
    assert "a bug in tagfs" not in mount.log(), mount.log()
    assert "Traceback" not in mount.log(), mount.log()


def unmount(mount: Mounted) -> None:
    """Unmount and wait for the process; by force if it does not go by itself."""
    if mount.process.poll() is None:
        try:
            wait_for(lambda: _is_off(mount))
            if not _ends(mount.process, 3):
                detach_copies(mount.path)
            mount.process.wait(60)
        except (AssertionError, subprocess.TimeoutExpired):
            subprocess.run(["fusermount", "-uz", str(mount.path)], check=False)
            mount.process.kill()
            mount.process.wait(60)
            raise


def _is_off(mount: Mounted) -> bool:
    """Take a mount off its place; False if it is in use.

    It may be for a moment, by whoever looks at all mounts of the host, as `tagfs status` does.
    """
    command = ["fusermount", "-u", str(mount.path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return "busy" not in done.stderr


def _ends(process: Copy, seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def detach_copies(path: Path) -> None:
    """Unmount what is mounted there in the mount namespaces of others.

    Who makes a namespace gets copies of all mounts, those of other tests as well. The kernel says
    nothing of an unmount to a file system of which such a copy is left.
    """
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[os.readlink(process / "ns/mnt")] = process.name
    found.pop(os.readlink("/proc/self/ns/mnt"), None)
    for pid in found.values():
        enter = ["nsenter", "-m", "-t", pid, "umount", "-l", str(path)]
        subprocess.run(enter, check=False, capture_output=True)


def run(*args: str | Path, cwd: Path | None = None, text: str | None = None) -> str:
    """Run a tool; its output is the answer, its failure ours."""
    done = subprocess.run(
        [str(a) for a in args], cwd=cwd, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done.stdout


def getfattr(path: Path, *, link: bool = False) -> dict[str, str]:
    """Return all user.* attributes of a path (of a link itself: tag.*), as getfattr(1) shows."""
    names = os.listxattr(path, follow_symlinks=not link)
    return {n: os.getxattr(path, n, follow_symlinks=not link).decode() for n in names}
