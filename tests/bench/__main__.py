"""`scripts/bench`: every workload on every peer, cold mounts, interleaved, medians and ratios."""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.config

from tests.bench.peers import KEY, PEERS, REGION, SECRET, Peer, Running
from tests.bench.workloads import WORKLOADS, Sizes, Workload


@dataclass(frozen=True)
class Result:
    """One run: wall seconds until close, and until the service was quiet; requests; cost."""

    workload: str
    peer: str
    latency: float
    seconds: float
    settled_seconds: float
    requests: dict[str, int]
    bytes_moved: int
    cpu_seconds: float
    peak_mib: float
    error: str = ""


class Service:
    """An S3 emulator with many buckets, `latency` seconds away."""

    def __init__(self, work: Path, latency: float, buckets: int) -> None:
        self.log = work / "requests.jsonl"
        command = [sys.executable, "-m", "tagfs.emulator", "--service", "s3"]
        command += ["--data", str(work / "data"), "--request-log", str(self.log)]
        command += ["--latency", str(latency), "--region", REGION]
        command += [f"--bucket=bench-{n}" for n in range(buckets)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name=REGION,
            config=botocore.config.Config(max_pool_connections=32),
        )

    def rows(self, bucket: str, start: int) -> list[dict[str, Any]]:
        with self.log.open("rb") as file:
            file.seek(start)
            rows = [json.loads(line) for line in file if line.endswith(b"\n")]
        return [row for row in rows if row["bucket"] == bucket]

    def wait_until_quiet(self, bucket: str, start: int) -> float:
        """Return when the last request ended, after nothing came for a while (monotonic)."""
        last, at = -1, time.monotonic()
        while True:
            count = len(self.rows(bucket, start))
            if count != last:
                last, at = count, time.monotonic()
            elif time.monotonic() - at > 0.5:
                return at
            time.sleep(0.02)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def measure(
    service: Service, peer: Peer, workload: Workload, bucket: str, sizes: Sizes, latency: float
) -> Result:
    def put(key: str, data: bytes) -> None:
        service.client.put_object(Bucket=bucket, Key=key, Body=data, Tagging="team=blue")

    workload.prepare(put, sizes)
    with tempfile.TemporaryDirectory(prefix="tagfs-bench-") as name:
        work = Path(name)
        scratch = work / "local"
        scratch.mkdir()
        running = Running(peer, service.url, bucket, work)
        error = ""
        try:
            start, cpu = service.log.stat().st_size, running.cpu_seconds()
            began = time.monotonic()
            try:
                workload.run(running.path, scratch, sizes)
            except (OSError, subprocess.SubprocessError) as failure:
                error = str(failure)
            seconds = time.monotonic() - began
            settled = seconds
            if not peer.settled:
                settled = max(seconds, service.wait_until_quiet(bucket, start) - began)
            rows = service.rows(bucket, start)
            kinds = Counter(f"{r['method']} {r['subresource'] or ''}".strip() for r in rows)
            return Result(
                workload.name,
                peer.name,
                latency,
                seconds,
                settled,
                dict(kinds),
                sum(r["bytes_in"] + r["bytes_out"] for r in rows),
                running.cpu_seconds() - cpu,
                running.peak_mib(),
                error,
            )
        finally:
            running.close()


def table(results: list[Result], latency: float) -> str:
    lines = [
        f"### {latency * 1000:g} ms per request",
        "",
        "| workload | " + " | ".join(p.name for p in PEERS) + " | ratio | requests |",
        "|---" * (len(PEERS) + 3) + "|",
    ]
    for workload in WORKLOADS:
        mine = [r for r in results if r.workload == workload.name and r.latency == latency]
        cells, medians = [], {}
        for peer in PEERS:
            runs = [r for r in mine if r.peer == peer.name]
            if not runs:
                cells.append("")
                continue
            median = statistics.median(r.settled_seconds for r in runs)
            spread = max(r.settled_seconds for r in runs) - min(r.settled_seconds for r in runs)
            failed = any(r.error for r in runs)
            cells.append("fails" if failed else f"{median:.2f} ±{spread / 2:.2f}")
            if not failed:
                medians[peer.name] = median
        others = [v for k, v in medians.items() if not k.startswith("tagfs")]
        ratio = f"{min(others) / medians['tagfs']:.1f}" if others and "tagfs" in medians else ""
        counts = ", ".join(
            f"{p.name} {sum(next(r for r in mine if r.peer == p.name).requests.values())}"
            for p in PEERS
            if any(r.peer == p.name for r in mine)
        )
        lines.append(f"| {workload.name} | {' | '.join(cells)} | {ratio} | {counts} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--latency", default="0,0.02", help="seconds per request, several by ','")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--large", type=int, default=128, help="MiB")
    parser.add_argument("--only", default="", help="workloads whose names contain this")
    parser.add_argument("--out", type=Path, default=Path("docs/bench"))
    chosen = parser.parse_args()
    sizes = Sizes(chosen.files, chosen.large * 2**20)
    workloads = [w for w in WORKLOADS if chosen.only in w.name]
    results: list[Result] = []
    latencies = [float(text) for text in chosen.latency.split(",")]
    for latency in latencies:
        with tempfile.TemporaryDirectory(prefix="tagfs-bench-") as work:
            count = len(workloads) * len(PEERS) * chosen.repeat
            service = Service(Path(work), latency, count)
            buckets = (f"bench-{n}" for n in itertools.count())
            try:
                for workload, _, peer in itertools.product(workloads, range(chosen.repeat), PEERS):
                    result = measure(service, peer, workload, next(buckets), sizes, latency)
                    results.append(result)
                    print(
                        f"{latency * 1000:3g} ms  {workload.name:28} {peer.name:14} "
                        f"{result.settled_seconds:7.2f} s  {sum(result.requests.values()):6} "
                        f"requests  {result.peak_mib:5.0f} MiB  {result.error}",
                        flush=True,
                    )
            finally:
                service.close()
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "results.json").write_text(json.dumps([asdict(r) for r in results], indent=1))
    text = "\n\n".join(table(results, latency) for latency in latencies)
    (chosen.out / "results.md").write_text(text + "\n")
    print(text)


main()
