"""What people see on terminals of any width: columns, progress, results that are not held back."""

import io
import itertools
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest

from tagfs.bulk.lookahead import run_ahead
from tagfs.status.query import Report, State
from tagfs.status.render import COLUMNS, page, table
from tagfs.terminal.columns import cells
from tagfs.terminal.progress import ProgressLine

pytestmark = pytest.mark.slow
"""Each of these starts processes."""

STATUS = {"uptime_seconds": 2383, "errors": 3, "dirty_files": 2, "staged_bytes": 10_000}
REPORTS = [
    Report("/home/developer/mounts/bucket", "oss://photos/2026/", State.OK, STATUS),
    Report("/mnt/b", "s3://写真", State.STALE, {}),
]


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 200])
def test_status_names_every_mount_and_bucket_at_any_width(width: int) -> None:
    lines = table(REPORTS, width)
    assert all(cells(line) <= width for line in lines)
    text = "\n".join(lines)
    for report in REPORTS:
        assert report.mountpoint in text
        assert report.url in text
    assert "39 min 43 s" in text
    assert "stale" in text


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "up to 10.0 GiB on disk"), (5 * 2**29, "2.5 GiB of 10.0 GiB on disk")],
)
def test_status_shows_the_content_on_disk(size: int | None, text: str) -> None:
    state = {"content_limit": 10 * 2**30, "content_hits": 9000, "content_misses": 1}
    status = {**STATUS, **state, "content_bytes": size}
    lines = list(page(Report("/mnt/b", "s3://b", State.OK, status)))
    assert any(text in line and "9,000 ranges read there, 1 not" in line for line in lines)
    assert not any("on disk" in line for line in page(REPORTS[0]))


def test_status_shows_reads_that_were_asked_twice() -> None:
    status = {**STATUS, "hedged_reads": 1200, "hedged_reads_won": 7}
    lines = list(page(Report("/mnt/b", "s3://b", State.OK, status)))
    assert any("1,200 asked twice, 7 answered so earlier" in line for line in lines)
    assert not any("asked twice" in line for line in page(REPORTS[0]))


def test_status_in_a_pipe_is_complete() -> None:
    lines = table(REPORTS)
    assert lines[0].split() == list(COLUMNS)
    assert len(lines) == 3


def test_status_where_nothing_fits_is_one_mount_after_the_other() -> None:
    assert table(REPORTS, 30) == [
        "/home/developer/mounts/bucket",
        "  oss://photos/2026/",
        "  up 39 min 43 s, errors 3",
        "/mnt/b",
        "  s3://写真",
        "  stale",
    ]


def test_nothing_in_a_name_moves_the_cursor() -> None:
    report = Report("/mnt/\x1b[2J", "oss://b", State.OK, STATUS)
    assert "\x1b" not in "".join(table([report], 80))


def test_progress_shows_total_rate_and_time_left() -> None:
    now = [0.0]
    line = ProgressLine(io.StringIO(), lambda: now[0])
    line.start()
    for _ in range(100):
        line.advance()
    now[0] = 10.0
    assert line.text() == "100 done  10/s"
    line.expect(1600)
    assert line.text() == "100 of 1,600  6%  10/s  2 min 30 s left"
    now[0] = 1000.0
    assert line.text() == "100 of 1,600  6%  6/min  4 h 10 min left"


def test_progress_leaves_nothing_behind() -> None:
    ticks = itertools.count()
    stream = io.StringIO()
    line = ProgressLine(stream, lambda: float(next(ticks)))
    line.start()
    line.advance()
    assert "done" in stream.getvalue()
    line.clear()
    line.clear()
    line.stop()
    assert stream.getvalue().endswith("/s\r\x1b[K") or stream.getvalue().endswith("/min\r\x1b[K")


def test_a_number_is_known_before_the_work_is_done() -> None:
    seen: list[tuple[int, list[int]]] = []
    got: list[int] = []
    for item in run_ahead(iter(range(1000)), lambda total: seen.append((total, got.copy()))):
        got.append(item)
        if len(got) == 1:
            for thread in threading.enumerate():
                if thread.name == "tagfs-find":
                    thread.join(10)
    assert got == list(range(1000))
    assert seen in ([(1000, [])], [(1000, [0])])


def test_what_fails_while_items_are_found_fails_at_its_place() -> None:
    def found():
        yield 1
        raise LookupError("no more")

    got = run_ahead(found(), lambda _total: None)
    assert next(got) == 1
    with pytest.raises(LookupError):
        next(got)


def test_who_stops_stops_the_search() -> None:
    asked = []

    def found():
        for number in itertools.count():
            asked.append(number)
            yield number

    got = run_ahead(found(), lambda _total: None, ahead=3)
    assert next(got) == 0
    cast("Generator[int]", got).close()
    for thread in threading.enumerate():
        if thread.name == "tagfs-find":
            thread.join(10)
            assert not thread.is_alive()
    assert len(asked) < 10


REPORTER = """
import sys
from tagfs.bulk.report import Report, Style
report = Report(Style())
with report:
    report.expect(5)
    for _ in range(3):
        report.skip()
    if hasattr(report._ticker, '_draw'):
        report._ticker._draw()
    report.write("result\\n")
    input()
"""


def _started(stdout: int, stderr: int, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", REPORTER],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[2])}
        | environment,
    )


def _read_until(descriptor: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        seen += os.read(descriptor, 4096)
    return seen


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.communicate(b"\n", timeout=60)
    assert process.returncode == 0


def test_a_result_is_in_the_pipe_when_it_is_there_and_no_bar_in_the_pager() -> None:
    ours, theirs = pty.openpty()
    process = _started(subprocess.PIPE, theirs)
    assert process.stdout is not None
    assert process.stdout.readline() == b"result\n"  # while it waits for us
    _ended(process)
    os.write(theirs, b"end")
    assert _read_until(ours, b"end") == b"end"
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(("term", "drawn"), [("xterm", True), ("dumb", False)])
def test_on_a_terminal_the_bar_makes_room_for_results(term: str, drawn: bool) -> None:  # noqa: FBT001
    ours, theirs = pty.openpty()
    process = _started(theirs, theirs, TERM=term)
    seen = _read_until(ours, b"result")
    _ended(process)
    assert (b"3 of 5" in seen) is drawn
    if drawn:
        assert seen.index(b"3 of 5") < seen.index(b"\r\x1b[Kresult")
    os.close(ours)
    os.close(theirs)
