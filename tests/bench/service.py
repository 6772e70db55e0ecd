"""The service that all subjects share: an emulator whose buckets are filled before it starts."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import botocore.config
import oss2

from tagfs.emulator.storage.engine import Storage
from tagfs.emulator.storage.generate import generate

KEY, SECRET = "emulator", "emulator-secret"
REGIONS = {"s3": "us-east-1", "oss": "cn-hangzhou", "minio": "us-east-1"}
SCHEMES = {"s3": "s3", "oss": "oss", "minio": "s3"}
VARIANTS = {"minio": ("listing=minio", "access=on")}
"""What the emulator is told of a kind of service beyond its scheme."""
CHANGES = frozenset({"PUT", "POST", "DELETE"})


class Fill(NamedTuple):
    """Objects that are there before: `specification` as `tagfs emulator --generate` reads it."""

    specification: str
    tags: tuple[tuple[str, str], ...] = ()


class Listed(NamedTuple):
    """What a listing reports of an object; `modified` is the service's own text."""

    size: int
    etag: str
    modified: str


@dataclass(frozen=True)
class Tally:
    """Requests of one run by kind, their bodies' bytes, and when the last change ended.

    Attributes:
        last_change: of anything but directory markers; seconds since 1970, 0 where there was none.
    """

    requests: dict[str, int]
    bytes_in: int
    bytes_out: int
    last_change: float


def fill(data: Path, kind: str, buckets: Mapping[str, Sequence[Fill]]) -> None:
    """Write buckets and their objects straight into the emulator's store."""
    storage = Storage(data)
    now_ms = int((time.time() - 3600) * 1000)
    try:
        for bucket, fills in buckets.items():
            number = storage.buckets.create(bucket, now_ms).id
            for item in fills:
                generate(storage, bucket, item.specification, now_ms, lower_case=kind != "oss")
            if tags := next((item.tags for item in fills if item.tags), None):
                with storage.database.transaction():
                    storage.database.execute(
                        "UPDATE objects SET tags = ? WHERE bucket = ?",
                        (json.dumps(dict(tags)), number),
                    )
    finally:
        storage.close()


class Service:
    """A running emulator, `latency` seconds away, and its request log.

    `kind` is one of REGIONS: "minio" lists attributes and tags for who asks as MinIO is asked.
    """

    def __init__(self, work: Path, kind: str, latency: float) -> None:
        self.kind = kind
        self.log = work / "requests.jsonl"
        self.log.touch()
        command = [sys.executable, "-m", "tagfs.emulator", "--service", SCHEMES[kind]]
        command += [f"--option={text}" for text in VARIANTS.get(kind, ())]
        command += ["--data", str(work / "data"), "--request-log", str(self.log)]
        command += ["--latency", str(latency), "--region", REGIONS[kind]]
        with (work / "complaints").open("wb") as complaints:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=complaints, text=True
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        self._s3 = s3_client(self.url) if SCHEMES[kind] == "s3" else None

    def mark(self) -> int:
        """Return the place in the log from which `rows` and `tally` count."""
        return self.log.stat().st_size

    def rows(self, bucket: str, start: int, end: int) -> list[dict[str, Any]]:
        """Return the log's lines of one bucket between two marks."""
        with self.log.open("rb") as file:
            file.seek(start)
            rows = [json.loads(line) for line in file.read(end - start).splitlines()]
        return [row for row in rows if row["bucket"] == bucket]

    def tally(self, bucket: str, windows: Sequence[tuple[int, int]]) -> Tally:
        """Add up one bucket's requests between marks."""
        rows = [row for window in windows for row in self.rows(bucket, *window)]
        kinds = Counter(f"{r['method']} {r['subresource'] or ''}".strip() for r in rows)
        # The marker of a directory says nothing of what is in it.
        changes = (r for r in rows if r["method"] in CHANGES and not f"{r['key']}".endswith("/"))
        ends = [r["time"] + r["seconds"] for r in changes]
        bytes_in, bytes_out = (sum(r[f] for r in rows) for f in ("bytes_in", "bytes_out"))
        return Tally(dict(kinds), bytes_in, bytes_out, max(ends, default=0.0))

    def wait_until_quiet(self, seconds: float, deadline: float) -> None:
        """Return when nothing was logged for `seconds`, or at the deadline (monotonic)."""
        size, since = self.mark(), time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < seconds:
            time.sleep(0.02)
            if (now := self.mark()) != size:
                size, since = now, time.monotonic()

    def empty(self, bucket: str) -> None:
        """Remove all objects of a bucket."""
        for key in self.objects(bucket):
            if self._s3 is None:
                self._oss(bucket).delete_object(key)
            else:
                self._s3.delete_object(Bucket=bucket, Key=key)

    def _oss(self, bucket: str) -> oss2.Bucket:
        return oss2.Bucket(oss2.AuthV4(KEY, SECRET), self.url, bucket, region=REGIONS["oss"])

    def objects(self, bucket: str) -> dict[str, Listed]:
        """Ask the service, by its vendor's SDK, what is in a bucket."""
        if self._s3 is None:
            found = oss2.ObjectIteratorV2(self._oss(bucket), max_keys=1000)
            return {o.key: Listed(o.size, o.etag, str(o.last_modified)) for o in found}
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {
            o["Key"]: Listed(o["Size"], o["ETag"], str(o["LastModified"]))
            for page in pages
            for o in page.get("Contents", ())
        }

    def cpu_seconds(self) -> float:
        """Return the CPU time that the service itself took so far."""
        return cpu_seconds(self.process.pid)

    def close(self) -> None:
        """End the service."""
        self.process.terminate()
        self.process.communicate(timeout=30)


@contextmanager
def serving(
    work: Path, kind: str, latency: float, buckets: Mapping[str, Sequence[Fill]]
) -> Iterator[Service]:
    """Fill and run a service; its data is in `work`."""
    work.mkdir(parents=True)
    fill(work / "data", kind, buckets)
    service = Service(work, kind, latency)
    try:
        yield service
    finally:
        service.close()


def s3_client(url: str, connections: int = 10) -> Any:
    """Return boto3's client, as a script would make it."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name=REGIONS["s3"],
        config=botocore.config.Config(max_pool_connections=connections),
    )


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
