"""An emulator in a process of its own, with buckets to take from."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tagfs.store.client import BucketSettings, Client, open_bucket
from tagfs.store.credentials import Credentials, StaticCredentials

PAIR = StaticCredentials(Credentials("emulator", "emulator-secret"))


class Emulator:
    """A running emulator; every bucket that it gives out is a new one.

    Attributes:
        url: where it listens.
        log: its request log.
    """

    def __init__(self, url: str, buckets: Iterator[str], log: Path) -> None:
        self.url = url
        self.log = log
        self._buckets = buckets

    def take(self) -> str:
        """Return the name of an empty bucket."""
        return next(self._buckets)

    def open(self) -> Client:
        """Return a client for an empty bucket."""
        settings = BucketSettings(
            service="oss", bucket=next(self._buckets), endpoint=self.url, timeout=10
        )
        return open_bucket(settings, PAIR)


@contextlib.contextmanager
def emulator(directory: Path, buckets: int = 200, latency: float = 0.0) -> Iterator[Emulator]:
    """Run an emulator with its data in `directory`; every answer takes `latency` seconds more."""
    names = [f"bucket-{number}" for number in range(buckets)]
    log = directory / "requests.jsonl"
    command = [sys.executable, "-m", "tagfs.emulator", "--data", str(directory / "data")]
    command += ["--latency", str(latency)]
    command += ["--request-log", str(log), *(f"--bucket={name}" for name in names)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:2] == ["listening", "on"], words
            yield Emulator(words[2], iter(names), log)
        finally:
            process.terminate()
            process.wait(10)
