"""A mount's state as people read it: a page about one, a table of many."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tagfs.status.query import Report
from tagfs.terminal.columns import fit, line, widths
from tagfs.terminal.format import duration_text, shown, size_text


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
    yield from _chosen(get("options", {}))
    if "index_bytes" in status:
        age = get("index_age_seconds")
        when = "never read as a whole" if age is None else f"read {duration_text(age)} ago"
        yield "index", f"{size_text(get('index_bytes', 0))}, {when} (tagfs index)"
    if "content_limit" in status:
        yield "content", _content(status)
    if get("hedged_reads", 0):
        won = get("hedged_reads_won", 0)
        yield "slow reads", f"{get('hedged_reads'):,} asked twice, {won:,} answered so earlier"
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


def _content(status: Mapping[str, Any]) -> str:
    """Return how the cache of content fares (`cache_size`)."""
    size, limit = status.get("content_bytes"), size_text(status["content_limit"])
    hits, misses = status.get("content_hits", 0), status.get("content_misses", 0)
    there = f"up to {limit}" if size is None else f"{size_text(size)} of {limit}"
    return f"{there} on disk; {hits:,} ranges read there, {misses:,} not"


def _chosen(options: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what a remount can change."""
    if "ttl" in options:
        absences = f", absences {options['negative_ttl']} s" if "negative_ttl" in options else ""
        yield "remembers", f"listings {options['ttl']} s, tags {options['tag_ttl']} s{absences}"
    sizes = {"upload_limit": "sent", "download_limit": "received"}
    limits = [
        f"{size_text(int(options[name]))}/s {what}"
        for name, what in sizes.items()
        if options.get(name, "0") != "0"
    ]
    if float(options.get("max_requests_per_second", 0)):
        limits.insert(0, f"{options['max_requests_per_second']} requests/s")
    if limits:
        yield "limits", ", ".join(limits)


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
_NAMES: Final = 2
"""Columns that name a mount: always there."""

_LEAVING: Final = ("out/s", "in/s", "req/s", "cache", "staged", "dirty", "errors")
"""Columns that go where there is not room for all, the first one first."""


def table(reports: Sequence[Report], width: int | None = None) -> list[str]:
    """Return a line for each mount, and one of titles; more for each where no column fits."""
    rows = [list(COLUMNS)]
    rows += [[shown(one.mountpoint), shown(one.url), *_cells(one)] for one in reports]
    kept = fit(rows, width, [COLUMNS.index(name) for name in _LEAVING])
    if kept is None:
        return [text for row in rows[1:] for text in _stacked(row)]
    wide = widths(rows, kept)
    return [line(row, kept, wide, left=_NAMES) for row in rows]


def _stacked(row: Sequence[str]) -> list[str]:
    facts = dict(zip(COLUMNS, row, strict=False))
    up = f"up {facts['up']}, errors {facts['errors']}" if "errors" in facts else facts["up"]
    return [facts["mountpoint"], f"  {facts['bucket']}", f"  {up}"]


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
