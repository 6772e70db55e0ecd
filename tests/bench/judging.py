"""How a line is judged by what was measured: times, ratios, requests, processor time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.results import Cell, Run, cell
from tests.bench.workload import Workload

PEERS = ("s3fs", "rclone", "rclone-full")
SETTLED = ("s3fs",)
DEFERRED = ("rclone", "rclone-full")
SAME_PROMISE: Mapping[str, tuple[str, ...]] = {"tagfs": SETTLED, "local": DEFERRED}
"""Peers that answer `close` as early as a subject."""

_SPREAD = 0.05  # of a time: who was measured once or twice has no spread to speak of


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


@dataclass(frozen=True)
class _Figure:
    """What one row contributes to a line."""

    text: str
    met: bool


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


def like_promises(run: Run, row: Workload, latency: float) -> dict[str, Ratio]:
    """Compare by subject each with the best peer that answers as early as it."""
    pairs = SAME_PROMISE if row.deferred else {"tagfs": PEERS}
    found = {own: ratio(run, row.id, latency, own, others) for own, others in pairs.items()}
    return {own: value for own, value in found.items() if value is not None}


def judged(text: str, figures: Sequence[_Figure], missing: int = 0) -> Claim:
    """Return a line that is met if all its figures are; with what misses it, or else with all."""
    left = f" ({missing} not measured)" if missing else ""
    if not figures:
        return Claim(text, None, "not measured")
    bad = [one for one in figures if not one.met]
    shown = ", ".join(one.text for one in bad or figures)
    counted = f"{len(bad)} of {len(figures)} miss it: " if bad and len(figures) > 1 else ""
    return Claim(text, not bad, counted + shown + left)


def every(run: Run, text: str, ids: Sequence[str], bar: Bar) -> Claim:
    """Judge that a subject is so many times as fast as others in each of some rows."""
    measured = {i: ratio(run, i, bar.latency, bar.subject, bar.others) for i in ids}
    figures = [_Figure(f"{i} {r}", r.value >= bar.factor) for i, r in measured.items() if r]
    return judged(text, figures, len(ids) - len(figures))


def like(run: Run, text: str, rows: Sequence[Workload], bar: Bar) -> Claim:
    """Judge the same against peers of the same promise; the bar's peers and subject are unused."""
    figures, missing = [], 0
    for row in rows:
        found = like_promises(run, row, bar.latency)
        missing += not found
        for own, value in found.items():
            name = row.id if own == "tagfs" else f"{row.id}, close {own},"
            figures.append(_Figure(f"{name} {value}", value.value >= bar.factor))
    return judged(text, figures, missing)


def within(
    run: Run, text: str, limits: Mapping[str, float], latency: float, subject: str = "tagfs"
) -> Claim:
    """Judge that a subject takes no more than so many seconds in each of some rows."""
    cells = _cells(run, limits, subject, latency)
    figures = [
        _at_most(row, found, found.seconds, limits[row], "s") for row, found in cells.items()
    ]
    return judged(text, figures, len(limits) - len(figures))


def processor(run: Run, text: str, units: Mapping[str, int], limit: float, bar: Bar) -> Claim:
    """Judge the milliseconds of CPU for each of so many files of a row; of 0: for each request.

    Latency and subject are the bar's.
    """
    cells = _cells(run, units, bar.subject, bar.latency)
    figures = [
        _at_most(row, found, 1000 * found.cpu_seconds / (units[row] or found.requests), limit, "ms")
        for row, found in cells.items()
    ]
    return judged(text, figures, len(units) - len(figures))


def _cells(run: Run, ids: Iterable[str], subject: str, latency: float) -> dict[str, Cell]:
    cells = {row: cell(run.of(row, subject, latency)) for row in ids}
    return {row: found for row, found in cells.items() if found}


def _at_most(row: str, found: Cell, value: float, limit: float, unit: str) -> _Figure:
    if found.error:
        return _Figure(f"{row} fails", met=False)
    return _Figure(f"{row} {value:.2f} {unit}", value <= limit)


def same(run: Run, text: str, row: str, as_row: str, latency: float) -> Claim:
    """Judge that a row takes as long as another, within the spread of their runs."""
    one, other = (cell(run.of(i, "tagfs", latency)) for i in (row, as_row))
    if one is None or other is None:
        return Claim(text, None, "not measured")
    if one.error or other.error:
        return Claim(text, met=False, figures=f"fails: {one.error or other.error}")
    spread = max(one.spread + other.spread, _SPREAD * other.seconds)
    met = one.seconds - other.seconds <= spread and one.requests <= other.requests
    figures = f"{one.seconds:.2f} s, {other.seconds:.2f} s, their spreads {spread:.2f} s"
    return Claim(text, met, f"{figures}; requests {one.requests:,}, {other.requests:,}")


def frugal(run: Run, text: str, rows: Sequence[Workload]) -> Claim:
    """Judge that rows cost no more requests than their budgets, at whatever latency."""
    figures, expected = [], 0
    for row in rows:
        for subject, budget in row.budgets.items():
            found = [r for at in run.latencies() for r in run.of(row.id, subject, at)]
            most = max((r.count for r in found if not r.error), default=None)
            expected += 1
            if most is not None:
                named = row.id if subject == "tagfs" else f"{row.id} {subject}"
                figures.append(_Figure(f"{named} {most:,} of {budget:,}", most <= budget))
    return judged(text, figures, expected - len(figures))


def below(text: str, values: Mapping[str, float], limit: float, unit: str, digits: int) -> Claim:
    """Judge that no value is above a limit."""
    figures = [_Figure(f"{n}: {v:.{digits}f} {unit}", v <= limit) for n, v in values.items()]
    return judged(text, figures)
