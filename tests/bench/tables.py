"""Results as Markdown: what must be shown, what is slower and why, and every row."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.bench.claims import below_one, claims, rows_of
from tests.bench.judging import DEFERRED, PEERS, SETTLED, ratio
from tests.bench.plan import workloads
from tests.bench.results import Cell, Run, cell
from tests.bench.workload import Workload

BUSY = 0.85
MIB = 2**20
_ORDER = ("tagfs", "fuse2", "local", "cached", "listing", "oss", "minio", "s3fs", "rclone",
          "rclone-full", "rclone-times", "sdk-32", "sdk-1", "disk")  # fmt: skip
_HEAD = """\
# What the last run measured

Written by `scripts/bench`; what the words and signs mean is in [README.md](README.md), remarks on
single rows come from [notes.md](notes.md).
"""
_MEANING = """\
Seconds, medians ± half the spread; (n) runs where it was not {repeat}. *closed*: when the tool
returned, where that was before the service had the content. `> 60`: not done by then. `*`: the
service had a core to more than 85 %, so the row measures the service too. *s3fs / tagfs*: how many
times as long s3fs took; *rclone / local*: rclone by `durability=local`, which answer `close` as
early; *peer / listing*: the fastest of all peers by `attributes=listing`.
"""


def report(run: Run, notes: str) -> str:
    """Return the whole page."""
    rows = workloads(rows_of(run))
    parts = [_HEAD, _facts(run), _judged(run, rows), _slower(run, rows, notes)]
    if run.start:
        parts.append(_start(run))
    if run.light:
        parts.append(_light(run))
    if run.results:
        parts.append("![ratios](ratios.png)\n")
    for latency in run.latencies():
        parts.append(_seconds(run, rows, latency))
        parts.append(_costs(run, rows, latency))
    if run.scale:
        parts.append(_scale(run))
    parts.append(_failures(run))
    return "\n".join(part for part in parts if part)


def _facts(run: Run) -> str:
    shown = {k: v for k, v in run.facts.items() if not k.startswith("size ")}
    return "\n".join(f"- {name}: {value}" for name, value in shown.items()) + "\n"


def _judged(run: Run, rows: list[Workload]) -> str:
    words = {True: "**met**", False: "**not met**", None: "not measured"}
    lines = ["## What must be shown", "", "| line | | figures |", "|---|---|---|"]
    lines += [f"| {c.text} | {words[c.met]} | {c.figures} |" for c in claims(run, rows)]
    return "\n".join(lines) + "\n"


def _slower(run: Run, rows: list[Workload], notes: str) -> str:
    found = below_one(run, rows)
    if not found:
        return ""
    lines = ["## Where a peer of the same promise is faster, and why", ""]
    for workload, latency, subject, value in found:
        why = note(notes, workload.id, latency) or "no remark yet"
        at = f"{workload.title} at {latency * 1000:g} ms" + f", close {subject}" * (
            subject != "tagfs"
        )
        lines.append(f"- **{at}**: {value} x of {value.other}. {why}")
    return "\n".join(lines) + "\n"


def note(notes: str, workload: str, latency: float) -> str:
    """Return what notes.md says of a row: under `## row, 0 ms`, or under `## row`."""
    for title in (f"{workload}, {latency * 1000:g} ms", workload):
        found = re.search(
            rf"^## {re.escape(title)}\n+(.+?)(?=^## |\Z)", notes, re.MULTILINE | re.DOTALL
        )
        if found:
            return " ".join(found[1].split())
    return ""


def _light(run: Run) -> str:
    names = list(next(iter(run.light.values())))
    lines = ["## Speed of light: plain HTTP loops on the same service", ""]
    lines += ["| latency | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for latency, figures in run.light.items():
        cells = [f"{figures.get(n, 0):.2f}" for n in names]
        lines.append(f"| {latency} ms | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _start(run: Run) -> str:
    lines = ["## Start of commands that do nothing: medians", ""]
    lines += ["| command | CPU seconds | seconds |", "|---|---|---|"]
    for name, figures in run.start.items():
        lines.append(f"| {name} | {figures['CPU s']:.3f} | {figures['s']:.3f} |")
    return "\n".join(lines) + "\n"


def _columns(run: Run, latency: float) -> list[tuple[str, str]]:
    titles = {r.subject: r.subject_title for r in run.results if r.latency == latency}
    return [(subject, titles[subject]) for subject in _ORDER if subject in titles]


def _measured(run: Run, rows: list[Workload], latency: float) -> Iterator[Workload]:
    here = {r.workload for r in run.results if r.latency == latency}
    return (row for row in rows if row.id in here)


def _seconds(run: Run, rows: list[Workload], latency: float) -> str:
    columns = _columns(run, latency)
    repeat = int(run.facts.get("repeat", "3"))
    lines = [f"## {latency * 1000:g} ms per request", "", _MEANING.format(repeat=repeat)]
    lines.append(
        "| workload | "
        + " | ".join(t for _, t in columns)
        + " | s3fs / tagfs | rclone / tagfs | rclone / local | peer / listing |"
    )
    lines.append("|---" * (len(columns) + 5) + "|")
    for row in _measured(run, rows, latency):
        cells = [time_text(cell(run.of(row.id, s, latency)), repeat) for s, _ in columns]
        better = [
            ratio(run, row.id, latency, others=SETTLED),
            ratio(run, row.id, latency, others=DEFERRED),
            ratio(run, row.id, latency, "local", DEFERRED),
            ratio(run, row.id, latency, "listing", (*PEERS, "rclone-times")),
        ]
        cells += [str(value) if value else "" for value in better]
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def time_text(found: Cell | None, repeat: int) -> str:
    """Return a cell of the table of seconds."""
    if found is None:
        return ""
    if found.at_least:
        return f"> {found.seconds:.0f}"
    if found.error:
        return "fails"
    text = f"{found.seconds:.2f}"
    if found.runs > 1:
        text += f" ±{found.spread:.2f}"
    if found.runs != repeat:
        text += f" ({found.runs})"
    if found.seconds - found.close_seconds > max(0.05, 0.02 * found.seconds):
        text += f", closed {found.close_seconds:.2f}"
    return text + (" *" if found.service_share > BUSY else "")


def _costs(run: Run, rows: list[Workload], latency: float) -> str:
    columns = [c for c in _columns(run, latency) if c[0] in ("tagfs", "s3fs", "rclone", "oss")]
    lines = [f"### What it cost at {latency * 1000:g} ms", ""]
    lines.append("Requests · MiB from and to the service · CPU seconds · peak resident MiB.\n")
    lines.append("| workload | " + " | ".join(t for _, t in columns) + " | tagfs by kind |")
    lines.append("|---" * (len(columns) + 2) + "|")
    for row in _measured(run, rows, latency):
        cells = [_cost(cell(run.of(row.id, subject, latency))) for subject, _ in columns]
        own = run.of(row.id, "tagfs", latency)
        kinds = own[0].requests if own else {}
        cells.append(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cost(found: Cell | None) -> str:
    if found is None or found.error:
        return ""
    moved = f"{found.bytes_out / MIB:.1f} + {found.bytes_in / MIB:.1f}"
    text = f"{found.requests:,} · {moved} · {found.cpu_seconds:.2f}"
    return text + (f" · {found.peak_mib:.0f}" if found.peak_mib else "")


def _scale(run: Run) -> str:
    names = [name for name in run.scale[0] if name not in ("shape", "objects")]
    lines = ["## Cost against the number of objects, 0 ms", "", "![scale](scale.png)", ""]
    lines += ["| shape | objects | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for row in run.scale:
        cells = [_figure(row.get(name)) for name in names]
        lines.append(f"| {row['shape']} | {row['objects']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _figure(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value if value is not None else "")


def _failures(run: Run) -> str:
    failed = [r for r in run.results if r.error and not r.timed_out]
    lines = ["## What failed", ""]
    for r in failed:
        at = f"{r.title}, {r.subject_title}, {r.latency * 1000:g} ms"
        lines.append(f"- {at}: {' '.join(r.error.split())[:300]}")
    return "\n".join(lines) + "\n" if failed else ""


def write(run: Run, out: Path) -> str:
    """Write results.md and return it."""
    notes = out / "notes.md"
    text = report(run, notes.read_text() if notes.exists() else "")
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.md").write_text(text)
    return text
