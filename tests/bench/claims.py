"""What a run must show: each line with the numbers that meet it or do not."""

from collections.abc import Sequence

from tests.bench.judging import (
    DEFERRED,
    PEERS,
    SETTLED,
    Bar,
    Claim,
    Ratio,
    below,
    every,
    frugal,
    like,
    like_promises,
    processor,
    same,
    within,
)
from tests.bench.results import Run
from tests.bench.workload import Sizes, Workload

AT_20, AT_0 = 0.02, 0.0
FETCHED_PER_BYTE = 50
LINEAR = 1.5
START = 0.12
"""CPU seconds of a command that does nothing."""

LIMITS_MIB = {
    "idle": 60,
    "load, memory=256M": 256 + 120,
    "load, memory=64M": 64 + 120,
    "1,000,000 entries": 300,
}
"""Resident MiB by what memory figures begin with."""

_WRITES = ("create", "cp-in", "tar-x", "rsync")
_ZERO = ("stat", "missing", "ls", "ls-medium", "rm-r")


def claims(run: Run, workloads: Sequence[Workload]) -> list[Claim]:
    """Judge all lines: what is aimed at first, then what holds anyway."""
    return [
        *_remembered(run, workloads),
        *_local(run, workloads),
        *_moved(run),
        *_like_promises(run, workloads),
        *_small(run, workloads),
        _fetched(run),
        _linear(run),
        *_host(run),
    ]


def _usual(run: Run, limits: dict[str, float]) -> dict[str, float]:
    """Return limits in seconds where the rows have the sizes that they are for."""
    return limits if rows_of(run) == Sizes() else {}


def _remembered(run: Run, workloads: Sequence[Workload]) -> list[Claim]:
    seen = ["ls-l-anew", "ls-l-anew-medium"]
    again = [w for w in workloads if w.id == "getfattr-again"]
    return [
        within(run, "20 ms: ls -l of what was seen before: 1,000 in 0.15 s, 10,000 in 1.0 s",
               _usual(run, dict(zip(seen, (0.15, 1.0), strict=True))), AT_20),
        every(run, "20 ms: ls -l of what was seen before, 5 x s3fs", seen,
              Bar(AT_20, 5.0, SETTLED)),
        every(run, "20 ms: ls -l for the first time, 1.3 x s3fs", ["ls-l", "ls-l-medium"],
              Bar(AT_20, 1.3, SETTLED)),
        same(run, "20 ms: ls -l by Debian 13's ls as by the host's, within the spread",
             "ls-l-debian13", "ls-l", AT_20),
        frugal(run, "getfattr -R -d of what was seen before: no request", again),
        every(run, "20 ms: getfattr -R -d for the first time, 1.2 x an SDK loop of 32 threads",
              ["getfattr"], Bar(AT_20, 1.2, ("sdk-32",))),
        within(run, "20 ms: getfattr -R -d of 1,000 whose tags are in the listing: 0.3 s",
               _usual(run, {"getfattr": 0.3}), AT_20, "minio"),
    ]  # fmt: skip


def _local(run: Run, workloads: Sequence[Workload]) -> list[Claim]:
    files = {w.id: w.files for w in workloads if w.id in _WRITES}
    return [
        every(run, "20 ms: durability=local, 1.5 x rclone", _WRITES,
              Bar(AT_20, 1.5, DEFERRED, "local")),
        processor(run, "20 ms: durability=local, 1.4 ms of CPU a file", files, 1.4,
                  Bar(AT_20, 1.5, subject="local")),
    ]  # fmt: skip


def _moved(run: Run) -> list[Claim]:
    ends = ["read", "write"]
    return [
        within(run, "20 ms: cp of 512 MiB inside the mount: 0.3 s",
               _usual(run, {"cp-inside": 0.3}), AT_20),
        every(run, "20 ms: second read with cache_size, 0.8 x a plain file on the disk",
              ["read-again"], Bar(AT_20, 0.8, ("disk",), "cached")),
        every(run, "20 ms: sequential read and write, 1.2 x s3fs", ends, Bar(AT_20, 1.2, SETTLED)),
        every(run, "0 ms: sequential read and write, 0.8 x s3fs", ends, Bar(AT_0, 0.8, SETTLED)),
    ]  # fmt: skip


def _like_promises(run: Run, workloads: Sequence[Workload]) -> list[Claim]:
    metadata = [w for w in workloads if w.metadata and w.id not in _ZERO]
    twice = [w for w in workloads if w.factor == 2]
    five = [w.id for w in workloads if w.factor == 5]
    return [
        every(run, "0 ms: stat, missing, ls, rm as fast as the better peer", _ZERO,
              Bar(AT_0, 1.0)),
        like(run, "0 ms: other metadata rows, 0.7 x the better peer of the same promise", metadata,
             Bar(AT_0, 0.7)),
        like(run, "20 ms: every workload as fast as the better peer of the same promise",
             workloads, Bar(AT_20, 1.0)),
        every(run, "20 ms: what changes files or directories, 2 x s3fs", [w.id for w in twice],
              Bar(AT_20, 2.0, SETTLED)),
        every(run, "20 ms: many small files out of the mount, 5 x the better peer", five,
              Bar(AT_20, 5.0)),
    ]  # fmt: skip


def _small(run: Run, workloads: Sequence[Workload]) -> list[Claim]:
    loop = ("sdk-32",)
    small = dict.fromkeys(("ls-l", "getfattr", "cat"), 0)
    return [
        every(run, "20 ms: getfattr -R -d, 10 x an SDK loop", ["getfattr"],
              Bar(AT_20, 10.0, ("sdk-1",))),
        every(run, "20 ms: getfattr -R -d of 10,000, as fast as an SDK loop of 32 threads",
              ["getfattr-medium"], Bar(AT_20, 1.0, loop)),
        every(run, "20 ms: tagfs tag set, as fast as an SDK loop of 32 threads", ["tag"],
              Bar(AT_20, 1.0, loop)),
        processor(run, "0 ms: 0.2 ms of CPU for each small request", small, 0.2,
                  Bar(AT_0, 1.0)),
        frugal(run, "rows that list, read attributes or tags, or create cost no request more than "
               "their budgets", workloads),
    ]  # fmt: skip


def _host(run: Run) -> list[Claim]:
    start = {name: figures["CPU s"] for name, figures in run.start.items() if "tagfs" in name}
    memory = [
        below(f"memory, {words}: {limit} MiB",
              {k: v for k, v in run.memory.items() if k.startswith(words)}, limit, "MiB", 0)
        for words, limit in LIMITS_MIB.items()
    ]  # fmt: skip
    text = f"a command that does nothing: {START} s of CPU"
    return [*memory, below(text, start, START, "s", 3)]


def below_one(run: Run, workloads: Sequence[Workload]) -> list[tuple[Workload, float, str, Ratio]]:
    """Return the rows where a peer of the same promise is faster, with latency and subject."""
    return [
        (workload, latency, subject, value)
        for latency in run.latencies()
        for workload in workloads
        for subject, value in like_promises(run, workload, latency).items()
        if value.value < 1
    ]


def _fetched(run: Run) -> Claim:
    text = f"random 4 KiB reads fetch at most {FETCHED_PER_BYTE} bytes for each asked for"
    reported, met = [], True
    for latency in run.latencies():
        for subject in ("tagfs", *PEERS):
            runs = [r for r in run.of("random-4k", subject, latency) if r.asked and not r.error]
            if runs:
                factor = max(r.bytes_out / r.asked for r in runs)
                reported.append(f"{subject} {factor:.0f} at {latency * 1000:g} ms")
                met = met and (subject != "tagfs" or factor <= FETCHED_PER_BYTE)
    return Claim(text, met if reported else None, ", ".join(reported) or "not measured")


def _linear(run: Run) -> Claim:
    """Compare the time for each object at the largest number with that at the next smaller one."""
    text = f"cost against n is linear: an object costs at most {LINEAR} x as much at ten times n"
    growth = {}
    for shape in ("flat", "deep"):
        rows = sorted((r for r in run.scale if r["shape"] == shape), key=lambda r: r["objects"])
        for name in ("ls, s", "find, s"):
            each = [r[name] / r["objects"] for r in rows if isinstance(r[name], float)]
            if len(each) > 1:
                growth[f"{name[:-3]} {shape}"] = each[-1] / each[-2]
    figures = ", ".join(f"{name} {value:.2f} x" for name, value in growth.items())
    met = all(value <= LINEAR for value in growth.values()) if growth else None
    return Claim(text, met, figures or "not measured")


def rows_of(run: Run) -> Sizes:
    """Return the sizes that titles are made of, as far as the facts have them."""
    known = {k.removeprefix("size "): int(v) for k, v in run.facts.items() if k.startswith("size ")}
    return Sizes(**{k: v for k, v in known.items() if k in Sizes.__dataclass_fields__})
