"""An emulator in a process of its own, with buckets to take from."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import requests

from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tests.ports import free_port
from tests.waiting import wait_for

PAIR = StaticCredentials(Credentials("emulator", "emulator-secret"))


class CannotRun(Exception):
    """A server is not there, or does not run on this host; the message says why."""


class Emulator:
    """A running emulator; every bucket that it gives out is a new one.

    Attributes:
        service: "oss", "obs" or "s3".
        url: where it listens.
        log: its request log.
        fuse: the libfuse to mount its buckets with, "2" or "3"; what TAGFS_FUSE says if empty.
    """

    fuse = ""

    def __init__(self, service: str, url: str, buckets: Iterator[str], log: Path) -> None:
        self.service = service
        self.url = url
        self.log = log
        self._buckets = buckets

    def take(self) -> str:
        """Return the name of an empty bucket."""
        return next(self._buckets)

    def open(self, bucket: str | None = None, **chosen: Any) -> Client:
        """Return a client for a bucket, an empty one if none is named."""
        settings = BucketSettings(
            service=self.service,
            bucket=bucket or self.take(),
            endpoint=self.url,
            **{"timeout": 10, **chosen},
        )
        return open_bucket(settings, PAIR)


@contextlib.contextmanager
def emulator(
    directory: Path,
    buckets: int = 200,
    latency: float = 0.0,
    service: str = "oss",
    options: Sequence[str] = (),
    temporary_keys: Path | None = None,
) -> Iterator[Emulator]:
    """Run an emulator with its data in `directory`; every answer takes `latency` seconds more.

    `options` are variants of the service, NAME=VALUE. All services take parts of 100 KiB here, so
    that tests need not move megabytes. `temporary_keys` is a file of pairs that hold for a while.
    """
    names = [f"bucket-{number}" for number in range(buckets)]
    log = directory / "requests.jsonl"
    command = [sys.executable, "-m", "tagfs.emulator", "--data", str(directory / "data")]
    command += ["--latency", str(latency), "--service", service]
    command += ["--minimum-part-size", str(100 * 1024), *(f"--option={text}" for text in options)]
    command += ["--request-log", str(log), *(f"--bucket={name}" for name in names)]
    command += ["--temporary-keys", str(temporary_keys)] if temporary_keys else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:2] == ["listening", "on"], words
            yield Emulator(service, words[2], iter(names), log)
        finally:
            process.terminate()
            process.wait(60)


@contextlib.contextmanager
def moto(directory: Path, buckets: int = 150) -> Iterator[Emulator]:
    """Run moto's server: an S3 that others wrote. It logs no requests."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = {**os.environ, "S3_UPLOAD_PART_MIN_SIZE": str(100 * 1024)}
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(command, stderr=log, env=environment) as process,
    ):
        try:
            wait_for_port(port, process)
            names = [f"bucket-{number}" for number in range(buckets)]
            for name in names:
                assert requests.put(f"{url}/{name}", timeout=60).status_code == 200
            yield Emulator("s3", url, iter(names), directory / "none")
        finally:
            process.terminate()
            process.wait(60)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server listens."""

    def listens() -> bool:
        assert process.poll() is None, f"{process.args!r} ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            return False
        return True

    wait_for(listens, 120)
