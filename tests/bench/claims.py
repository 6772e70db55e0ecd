"""What a run must show: each line with the numbers that meet it or do not."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench.results import Cell, Run, cell
from tests.bench.workload import Sizes, Workload

PEERS = ("s3fs", "rclone", "rclone-full")
AT_20, AT_0 = 0.02, 0.0
FETCHED_PER_BYTE = 50
LINEAR = 1.5
LIMITS_MIB = {
    "idle": 80,
    "load, memory=256M": 256 + 120,
    "load, memory=64M": 64 + 120,
    "1,000,000 entries": 350,
}
"""Design section 8: resident MiB by what memory figures begin with."""


@dataclass(frozen=True)
class Ratio:
    """How many times as long another took; `at_least` where it did not come to an end."""

    value: float
    at_least: bool
    other: str

    def __str__(self) -> str:
        digits = 0 if self.value >= 10 else 1 if self.value >= 2 else 2
        return f"{'≥ ' if self.at_least else ''}{self.value:.{digits}f}"


@dataclass(frozen=True)
class Bar:
    """How many times as fast as the best of `others` a subject must be at a latency."""

    latency: float
    factor: float
    others: Iterable[str] = PEERS
    subject: str = "tagfs"


@dataclass(frozen=True)
class Claim:
    """A line that must be shown; `met` is None where it was not measured.

    Attributes:
        figures: the numbers that it was judged by.
    """

    text: str
    met: bool | None
    figures: str


def ratio(
    run: Run, workload: str, latency: float, subject: str = "tagfs", others: Iterable[str] = PEERS
) -> Ratio | None:
    """Return the best other's time by a subject's; None where either was not measured.

    A subject that failed has ratio 0; others that failed do not count.
    """
    own = cell(run.of(workload, subject, latency))
    rivals = {other: cell(run.of(workload, other, latency)) for other in others}
    known: dict[str, Cell] = {k: v for k, v in rivals.items() if v and (not v.error or v.at_least)}
    if own is None or not known:
        return None
    best = min(known, key=lambda other: known[other].seconds)
    if own.error:
        return Ratio(0.0, at_least=False, other=best)
    value = known[best].seconds / max(own.seconds, 1e-3)
    return Ratio(value, at_least=known[best].at_least, other=best)


def claims(run: Run, workloads: list[Workload]) -> list[Claim]:
    """Judge all lines."""
    zero_metadata = [w.id for w in workloads if w.metadata]
    twice = [w.id for w in workloads if w.factor == 2]
    five = [w.id for w in workloads if w.factor == 5]
    aside = ("rclone", "rclone-full")
    lines = [
        _every(run, "20 ms: every workload at least as fast as the better peer",
               [w.id for w in workloads], Bar(AT_20, 1.0)),
        _every(run, "20 ms: at least 2 x", twice, Bar(AT_20, 2.0)),
        _every(run, "20 ms: at least 2 x rclone, close answered as early as its (durability=local)",
               ["create", "cp-in", "rsync"], Bar(AT_20, 2.0, aside, "local")),
        _every(run, "20 ms: at least 5 x, many small files out of the mount", five,
               Bar(AT_20, 5.0)),
        _every(run, "20 ms: getfattr -R -d, 10 x an SDK loop", ["getfattr"],
               Bar(AT_20, 10.0, ("sdk-1",))),
        _every(run, "20 ms: getfattr -R -d, no slower than an SDK loop of 32 threads",
               ["getfattr", "getfattr-medium"], Bar(AT_20, 1.0, ("sdk-32",))),
        _every(run, "20 ms: tagfs tag set, no slower than an SDK loop of 32 threads", ["tag"],
               Bar(AT_20, 1.0, ("sdk-32",))),
        _every(run, "20 ms: sequential read and write ahead of s3fs", ["read", "write"],
               Bar(AT_20, 1.0, ("s3fs",))),
        _every(run, "0 ms: sequential read and write at least 0.8 x s3fs", ["read", "write"],
               Bar(AT_0, 0.8, ("s3fs",))),
        _every(run, "0 ms: metadata rows at least 0.7 x the better peer", zero_metadata,
               Bar(AT_0, 0.7)),
        _fetched(run),
        _linear(run),
    ]  # fmt: skip
    return lines + [_memory(run, words, limit) for words, limit in LIMITS_MIB.items()]


def below_one(run: Run, workloads: list[Workload]) -> list[tuple[Workload, float, Ratio]]:
    """Return the rows where a peer is faster, with the latency."""
    found = []
    for latency in run.latencies():
        for workload in workloads:
            value = ratio(run, workload.id, latency)
            if value and value.value < 1:
                found.append((workload, latency, value))
    return found


def _every(run: Run, text: str, ids: list[str], bar: Bar) -> Claim:
    measured = {i: ratio(run, i, bar.latency, bar.subject, bar.others) for i in ids}
    ratios = {i: r for i, r in measured.items() if r is not None}
    if not ratios:
        return Claim(text, None, "not measured")
    bad = {i: r for i, r in ratios.items() if r.value < bar.factor}
    shown = bad or ratios
    figures = ", ".join(f"{i} {r}" for i, r in shown.items())
    missing = len(ids) - len(ratios)
    reported = f"{len(bad)} of {len(ratios)} rows miss it: " if bad else ""
    return Claim(
        text, not bad, reported + figures + (f" ({missing} not measured)" if missing else "")
    )


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


def _memory(run: Run, words: str, limit: int) -> Claim:
    values = {k: v for k, v in run.memory.items() if k.startswith(words)}
    figures = ", ".join(f"{name}: {value:.0f} MiB" for name, value in values.items())
    met = all(value < limit for value in values.values()) if values else None
    return Claim(f"memory, {words}: below {limit} MiB", met, figures or "not measured")


def rows_of(run: Run) -> Sizes:
    """Return the sizes that titles are made of, as far as the facts have them."""
    known = {k.removeprefix("size "): int(v) for k, v in run.facts.items() if k.startswith("size ")}
    return Sizes(**{k: v for k, v in known.items() if k in Sizes.__dataclass_fields__})
