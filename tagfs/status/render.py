"""A mount's state as people read it: a page about one, a table of many."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tagfs.status.query import Report
from tagfs.terminal.format import duration_text, size_text

if TYPE_CHECKING:  # a page and what programs read do without
    from rich.table import Table


def hit_rate(status: Mapping[str, Any]) -> float | None:
    """Return which part of all questions was answered from memory; None before the first."""
    cache = status.get("cache", {})
    asked = cache.get("hits", 0) + cache.get("misses", 0) + cache.get("coalesced", 0)
    return cache.get("hits", 0) / asked if asked else None


def page(report: Report) -> Iterator[str]:
    """Yield the lines that tell of one mount."""
    yield f"{report.url} on {report.mountpoint}"
    if report.advice:
        yield _line("state", f"{report.state}: {report.advice}")
        return
    for name, text in _facts(report.status):
        yield _line(name, text)
    errors = report.status.get("last_errors", [])
    yield _line("errors", f"{report.status.get('errors', 0):,}")
    for error in errors:
        when = datetime.fromtimestamp(error["time"], UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        where = f" {error['path']}" if error["path"] else ""
        yield f"    {when} {error['operation']}{where}: {error['error']}"


def _line(name: str, text: str) -> str:
    return f"  {name:<13} {text}"


def _facts(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    get = status.get
    rates = get("per_second", {})
    kinds = sorted(get("requests", {}).items(), key=lambda item: -item[1])
    yield "state", f"ok, up {duration_text(get('uptime_seconds', 0))}, pid {get('pid')}"
    yield "service", " ".join(filter(None, (get("endpoint"), get("region")))) or "as the URL says"
    yield (
        "requests",
        f"{sum(count for _, count in kinds):,}, {rates.get('requests', 0):.1f}/s;"
        f" failed {get('attempts_failed', 0):,}, throttled {get('attempts_throttled', 0):,}",
    )
    if kinds:
        yield "  by kind", ", ".join(f"{kind} {count:,}" for kind, count in kinds)
    for name, title in (("bytes_in", "received"), ("bytes_out", "sent")):
        yield title, f"{size_text(get(name, 0))}, {size_text(rates.get(name, 0))}/s"
    rate, cache = hit_rate(status), get("cache", {})
    yield (
        "cache",
        f"{'nothing asked yet' if rate is None else f'{rate:.1%} from memory'}; "
        f"{cache.get('rows', 0):,} listed, {cache.get('entries', 0):,} described,"
        f" {cache.get('tag_sets', 0):,} tag sets",
    )
    yield (
        "files",
        f"{get('open_files', 0):,} open, {get('dirty_files', 0):,} not yet uploaded,"
        f" {get('uploads', 0):,} uploading; {size_text(get('staged_bytes', 0))} staged",
    )
    if get("held_files", 0):
        failing = get("failing_uploads", 0)
        yield (
            "held",
            f"{get('held_files', 0):,} closed and not yet uploaded, "
            f"{size_text(get('held_bytes', 0))}{f'; {failing:,} fail' if failing else ''}",
        )
    has = [name.replace("_", " ") for name, there in get("capabilities", {}).items() if there]
    yield "bucket", f"has {', '.join(has)}"


COLUMNS = (
    "mountpoint",
    "bucket",
    "up",
    "req/s",
    "in/s",
    "out/s",
    "cache",
    "dirty",
    "staged",
    "errors",
)


def table(reports: list[Report]) -> "Table":
    """Return a table with a row for each mount."""
    from rich.table import Table  # noqa: PLC0415

    found = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        numeric = name not in ("mountpoint", "bucket")
        found.add_column(name, justify="right" if numeric else "left", no_wrap=numeric)
    for report in reports:
        found.add_row(report.mountpoint, report.url, *_cells(report))
    return found


def _cells(report: Report) -> list[str]:
    status = report.status
    if not status:
        return [str(report.state)]
    rates, rate = status.get("per_second", {}), hit_rate(status)
    return [
        duration_text(status.get("uptime_seconds", 0)),
        f"{rates.get('requests', 0):.1f}",
        size_text(rates.get("bytes_in", 0)),
        size_text(rates.get("bytes_out", 0)),
        "-" if rate is None else f"{rate:.0%}",
        str(status.get("dirty_files", 0)),
        size_text(status.get("staged_bytes", 0)),
        str(status.get("errors", 0)),
    ]
