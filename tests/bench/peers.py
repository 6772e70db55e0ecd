"""The file systems that are compared: how each is mounted, and what its process costs."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KEY, SECRET, REGION = "emulator", "emulator-secret", "us-east-1"


@dataclass(frozen=True)
class Peer:
    """One way to mount a bucket.

    Attributes:
        command: from endpoint, bucket, mountpoint and a scratch directory to what is run.
        settled: True when close(2) means that the content is on the service.
    """

    name: str
    command: Callable[[str, str, Path, Path], list[str]]
    settled: bool = True


def _tagfs(attributes: str) -> Callable[[str, str, Path, Path], list[str]]:
    def command(endpoint: str, bucket: str, point: Path, scratch: Path) -> list[str]:
        options = f"endpoint={endpoint},region={REGION},attributes={attributes}"
        options += f",cache_dir={scratch},log_level=warning"
        args = [sys.executable, "-m", "tagfs", "mount", f"s3://{bucket}", str(point), "-f"]
        return [*args, "-o", options]

    return command


def _s3fs(endpoint: str, bucket: str, point: Path, scratch: Path) -> list[str]:
    passwd = scratch / "passwd"
    passwd.write_text(f"{KEY}:{SECRET}")
    passwd.chmod(0o600)
    options = [
        f"url={endpoint}",
        "use_path_request_style",
        f"passwd_file={passwd}",
        f"endpoint={REGION}",
        "multireq_max=64",
        "parallel_count=16",
        "stat_cache_expire=60",
        "enable_noobj_cache",
        "max_stat_cache_size=200000",
    ]
    return ["s3fs", bucket, str(point), "-f", "-o", ",".join(options)]


def _rclone(endpoint: str, bucket: str, point: Path, scratch: Path) -> list[str]:
    remote = f":s3,provider=Other,endpoint='{endpoint}',access_key_id={KEY}"
    remote += f",secret_access_key={SECRET},region={REGION},force_path_style=true:{bucket}"
    flags = ["--vfs-cache-mode", "writes", "--cache-dir", str(scratch), "--dir-cache-time", "60s"]
    flags += ["--vfs-write-back", "0s", "--transfers", "32", "--config", "/dev/null"]
    return ["rclone", "mount", remote, str(point), *flags]


PEERS = (
    Peer("tagfs", _tagfs("stored")),
    Peer("tagfs listing", _tagfs("listing")),
    Peer("s3fs", _s3fs),
    Peer("rclone", _rclone, settled=False),
)


class Running:
    """A mounted peer; `usage` is what its process took in all, after it ended."""

    def __init__(self, peer: Peer, endpoint: str, bucket: str, work: Path) -> None:
        self.peer = peer
        self.path = work / "mnt"
        self.path.mkdir(parents=True)
        scratch = work / "scratch"
        scratch.mkdir()
        environment = {
            **{k: v for k, v in os.environ.items() if k != "AWS_CA_BUNDLE"},  # rclone fails on it
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        self._log = (work / "log").open("wb")
        self._before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._process = subprocess.Popen(
            peer.command(endpoint, bucket, self.path, scratch),
            env=environment,
            stdout=self._log,
            stderr=self._log,
        )
        end = time.monotonic() + 20
        while not os.path.ismount(self.path):
            if self._process.poll() is not None or time.monotonic() > end:
                self.close()
                raise RuntimeError(f"{peer.name}: {(work / 'log').read_text()}")
            time.sleep(0.02)

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process took so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """Return the largest resident set so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def close(self) -> None:
        """Unmount, by force if need be, and end the process."""
        for lazy in ([], ["-z"]):
            command = ["fusermount", "-u", *lazy, str(self.path)]
            subprocess.run(command, check=False, capture_output=True, timeout=60)
            try:
                self._process.wait(20)
                break
            except subprocess.TimeoutExpired:
                continue
        else:
            self._process.kill()
            self._process.wait(10)
        self._log.close()
