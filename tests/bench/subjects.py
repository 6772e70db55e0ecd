"""What is compared: how each file system is mounted at its best, and what its process costs."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tagfs.config.options import PARSERS
from tests.bench.service import KEY, REGIONS, SCHEMES, SECRET, cpu_seconds

ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if k != "AWS_CA_BUNDLE"},  # rclone fails on it
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "OSS_ACCESS_KEY_ID": KEY,
    "OSS_ACCESS_KEY_SECRET": SECRET,
}


@dataclass(frozen=True)
class Request:
    """What a subject is asked to mount.

    Attributes:
        scratch: a directory for caches and passwords.
        wants: what the workload is about beyond plain files: "xattr", "links", "random".
    """

    endpoint: str
    bucket: str
    point: Path
    scratch: Path
    wants: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Subject:
    """One column of the tables.

    Attributes:
        command: what mounts; None: no mount, an SDK's loop in its place.
        settled: True when close(2) means that the content is on the service.
        peer: True for what tagfs is compared with.
        main: measured in every row with all repeats; others once, where they report something.
        repeats: as often as main ones, where it is measured.
        disk: it is no mount, but a directory of the local disk.
    """

    id: str
    title: str
    command: Callable[[Request], list[str]] | None = None
    service: str = "s3"
    settled: bool = True
    peer: bool = False
    main: bool = False
    repeats: bool = False
    threads: int = 0
    disk: bool = False
    lacks: frozenset[str] = frozenset()


def _tagfs(service: str, *more: str) -> Callable[[Request], list[str]]:
    def command(request: Request) -> list[str]:
        options = [f"endpoint={request.endpoint}", f"region={REGIONS[service]}"]
        options += [f"cache_dir={request.scratch}", "log_level=warning", *more]
        url = f"{SCHEMES[service]}://{request.bucket}"
        args = [sys.executable, "-m", "tagfs", "mount", url, str(request.point), "-f"]
        return [*args, "-o", ",".join(options)]

    return command


def _s3fs(request: Request) -> list[str]:
    passwd = request.scratch / "passwd"
    passwd.write_text(f"{KEY}:{SECRET}")
    passwd.chmod(0o600)
    options = [
        f"url={request.endpoint}",
        "use_path_request_style",
        f"passwd_file={passwd}",
        f"endpoint={REGIONS['s3']}",
        "multireq_max=64",
        "parallel_count=16",
        "stat_cache_expire=60",
        "enable_noobj_cache",
        "max_stat_cache_size=2000000",
    ]
    if "xattr" in request.wants:
        options.append("use_xattr")
    return ["s3fs", request.bucket, str(request.point), "-f", "-o", ",".join(options)]


def rclone_program() -> str:
    """Return the newest rclone there is: PyPI's where it is installed, else the system's."""
    beside = Path(sys.executable).parent / "rclone"
    return str(beside) if beside.exists() else shutil.which("rclone") or "rclone"


def version(*command: str) -> str:
    """Return the first line of what a program says of itself; "" where it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except OSError:
        return ""
    return next(iter((done.stdout or done.stderr).splitlines()), "")


def _rclone(mode: str, *more: str) -> Callable[[Request], list[str]]:
    def command(request: Request) -> list[str]:
        remote = f":s3,provider=Other,endpoint='{request.endpoint}',access_key_id={KEY}"
        remote += f",secret_access_key={SECRET},region={REGIONS['s3']},force_path_style=true"
        flags = ["--vfs-cache-mode", mode, "--cache-dir", str(request.scratch), *more]
        flags += ["--dir-cache-time", "60s", "--vfs-write-back", "100ms", "--transfers", "32"]
        flags += ["--s3-upload-concurrency", "16", "--s3-no-check-bucket", "--config", "/dev/null"]
        if "random" not in request.wants:  # there streams fetch in vain, and take longer
            flags += _streams()
        flags += ["--vfs-links"] if "links" in request.wants else []
        return [rclone_program(), "mount", f"{remote}:{request.bucket}", str(request.point), *flags]

    return command


def _is_newer() -> bool:
    """Say whether rclone is a newer one than Debian 12's, which has no streams and no links."""
    return rclone_program() != shutil.which("rclone")


def _streams() -> list[str]:
    """Return how rclone reads one file by parallel ranges, as its manual advises for S3."""
    return ["--vfs-read-chunk-streams=16", "--vfs-read-chunk-size=4M"] if _is_newer() else []


XATTR, LINKS = frozenset({"xattr"}), frozenset({"links"})


def subjects() -> tuple[Subject, ...]:
    """Return all subjects that this machine can run."""
    found = [
        Subject("tagfs", "tagfs", _tagfs("s3"), main=True),
        Subject("listing", "tagfs listing", _tagfs("s3", "attributes=listing")),
        Subject(
            "local",
            "tagfs, close local",
            _tagfs("s3", "durability=local"),
            settled=False,
            repeats=True,
        ),
        Subject("cached", "tagfs, cache on disk", _tagfs("s3", "cache_size=8G"), repeats=True),
        Subject("oss", "tagfs on OSS", _tagfs("oss"), service="oss"),
        Subject("minio", "tagfs on MinIO", _tagfs("minio"), service="minio", repeats=True),
        Subject("s3fs", "s3fs", _s3fs, peer=True, main=True),
        Subject("rclone", "rclone", _rclone("writes"), peer=True, main=True, settled=False),
        Subject("rclone-full", "rclone full", _rclone("full"), peer=True, settled=False),
        Subject(
            "rclone-times",
            "rclone, server times",
            _rclone("writes", "--use-server-modtime"),
            settled=False,
        ),
        Subject("sdk-32", "SDK, 32 threads", threads=32),
        Subject("sdk-1", "SDK, one by one", threads=1),
        Subject("disk", "local disk", disk=True, repeats=True),
    ]
    if importlib.util.find_spec("mfusepy") and "fuse" in PARSERS:
        found.insert(1, Subject("fuse2", "tagfs, libfuse 2", _tagfs("s3", "fuse=2")))
    return tuple(s if not s.id.startswith("rclone") else _without_xattr(s) for s in found)


def _without_xattr(subject: Subject) -> Subject:
    return replace(subject, lacks=XATTR if _is_newer() else XATTR | LINKS)


class Running:
    """A mounted subject and its process."""

    def __init__(self, subject: Subject, request: Request) -> None:
        assert subject.command is not None
        self.title = subject.title
        self.path = request.point
        self.path.mkdir(parents=True, exist_ok=True)
        request.scratch.mkdir(parents=True, exist_ok=True)
        self._log_file = request.scratch.parent / "log"
        self._log = self._log_file.open("wb")
        self.process = subprocess.Popen(
            subject.command(request),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd="/",
            start_new_session=True,
        )
        end = time.monotonic() + 30
        while not os.path.ismount(self.path):
            if self.process.poll() is not None or time.monotonic() > end:
                self.close()
                raise RuntimeError(f"{subject.title} did not mount: {self.log()}")
            time.sleep(0.01)

    def log(self) -> str:
        """Return the end of what the process said."""
        return self._log_file.read_text(errors="replace")[-2000:]

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process took so far, 0 if it died."""
        return cpu_seconds(self.process.pid) if self.process.poll() is None else 0.0

    def memory_mib(self, field: str = "VmHWM") -> float:
        """Return the largest resident set so far (or the present one: VmRSS) in MiB."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except FileNotFoundError:
            return 0.0
        lines = [line for line in status.splitlines() if line.startswith(field)]
        return int(lines[0].split()[1]) / 1024 if lines else 0.0

    def kill(self) -> None:
        """End the process now: whoever waits for the mount gets an error."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def close(self) -> None:
        """Unmount, by force if need be, and end the process."""
        for lazy in ([], ["-z"]):
            command = ["fusermount", "-u", *lazy, str(self.path)]
            subprocess.run(command, check=False, capture_output=True, timeout=60)
            try:
                self.process.wait(30)
                break
            except subprocess.TimeoutExpired:
                continue
        else:
            self.kill()
        self._log.close()
