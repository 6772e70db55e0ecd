"""An emulator in a process of its own, and the vendor's SDKs pointed at it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import alibabacloud_oss_v2 as v2
import oss2
import requests

REGION = "cn-hangzhou"
KEY_ID, SECRET = "emulator", "emulator-secret"


class Emulator:
    """Runs until the `with` block ends, whatever happens in it."""

    def __init__(self, data: Path, *options: str, log: Path | None = None) -> None:
        self.data = data
        self._log = log
        self._options = (*options, *(("--request-log", str(log)) if log else ()))
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> "Emulator":
        self.start()
        return self

    def start(self) -> None:
        command = [sys.executable, "-m", "tagfs.emulator", "--data", str(self.data)]
        self._process = subprocess.Popen(
            [*command, *self._options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on http://"), self._process.communicate()[1]
        self.url = line.split()[-1]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def stop(self) -> tuple[int, str]:
        """Stop it in order; return the exit status and what it complained about."""
        if self._process is None:
            return 0, ""
        self._process.terminate()
        return self._reap()

    def _reap(self) -> tuple[int, str]:
        assert self._process is not None
        _, complaints = self._process.communicate(timeout=60)
        status, self._process = self._process.returncode, None
        return status, complaints

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        status, complaints = self.stop()
        if kind is None:
            assert (status, complaints) == (0, "")

    def requests(self) -> list[dict[str, object]]:
        """Return the request log."""
        assert self._log is not None
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def faults(self, *specifications: str) -> None:
        answer = requests.post(f"{self.url}/-/faults", json=list(specifications), timeout=60)
        assert answer.status_code == 200, answer.text


def v1_auth() -> oss2.Auth:
    return oss2.Auth(KEY_ID, SECRET)


def v4_auth() -> oss2.AuthV4:
    return oss2.AuthV4(KEY_ID, SECRET)


def oss2_bucket(emulator: Emulator, name: str, auth: object | None = None) -> oss2.Bucket:
    """Return a bucket of the old SDK; it signs V4 unless asked otherwise."""
    return oss2.Bucket(auth or v4_auth(), emulator.url, name, region=REGION)


def v2_client(emulator: Emulator, *, host: str = "127.0.0.1", version: str = "v4") -> v2.Client:
    """Return a client of the new SDK; a host that is no address makes it use virtual hosts."""
    config = v2.config.load_default()
    config.credentials_provider = v2.credentials.StaticCredentialsProvider(KEY_ID, SECRET)
    config.region = REGION
    config.endpoint = f"http://{host}:{emulator.port}"
    config.signature_version = version
    config.retry_max_attempts = 1
    return v2.Client(config)
