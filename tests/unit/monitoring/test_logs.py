"""Where log lines go, and that repeats of one fact do not flood them."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagfs.errors import SettingsError
from tagfs.fuse.recent_failures import KEPT, RecentFailures
from tagfs.host import systemd
from tagfs.monitoring import logs
from tagfs.monitoring.log_dedup import BURST, MANY, DeduplicatingHandler
from tagfs.monitoring.request_log import RequestLog
from tagfs.monitoring.request_stats import RequestStats
from tagfs.store.http.messages import Attempt


class Lines(logging.Handler):
    """Remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log(lines: Lines, clock: Clock) -> Iterator[logging.Logger]:
    repeats = DeduplicatingHandler(lines, clock)
    logger = logging.Logger("tagfs.test", "DEBUG")  # noqa: LOG001  (nobody else's)
    logger.addHandler(repeats)
    yield logger
    repeats.close()


def test_repeats_of_one_fact_are_counted(log: logging.Logger, lines: Lines, clock: Clock) -> None:
    for number in range(4323):
        log.warning("%s", f"GetObject of 'd/f{number}': 403 AccessDenied, request id 65A{number}F")
    assert len(lines.lines) == BURST
    clock.now += 60
    log.info("something else")
    assert lines.lines[BURST:] == [
        "GetObject of 'd/f4322': 403 AccessDenied, request id 65A4322F"
        " (... and 4,312 more like it in the last minute)",
        "something else",
    ]


def test_a_new_minute_begins_anew(log: logging.Logger, lines: Lines, clock: Clock) -> None:
    for _ in range(BURST):
        log.warning("it is slow")
    clock.now += 60
    for _ in range(BURST):
        log.warning("it is slow")
    assert lines.lines == ["it is slow"] * (2 * BURST)


def test_different_facts_do_not_hide_one_another(log: logging.Logger, lines: Lines) -> None:
    for number in range(BURST * 2):
        log.warning("%s", f"GetObject of 'f{number}': 403 AccessDenied, request id {number}")
    log.warning("%s", "GetObject of 'f': 404 NoSuchBucket, request id 7")
    log.error("%s", "PutObject of 'f': 403 AccessDenied, request id 8")
    assert len(lines.lines) == BURST + 2


def test_what_must_be_read_one_by_one_is_never_counted(log: logging.Logger, lines: Lines) -> None:
    for number in range(BURST * 2):
        log.error("/f%d: not uploaded; kept in /c/%d.data", number, number, extra={"each": True})
        log.debug("read('/f%d')", number)
    assert len(lines.lines) == BURST * 4


def test_what_was_counted_is_logged_at_the_end(log: logging.Logger, lines: Lines) -> None:
    for _ in range(BURST + 3):
        log.warning("it is slow")
    log.handlers[0].close()
    assert lines.lines[BURST:] == ["it is slow (... and 2 more like it in the last 1 s)"]


def test_what_was_counted_is_logged_though_nothing_else_is(lines: Lines) -> None:
    repeats = DeduplicatingHandler(lines, window=0.05)
    logger = logging.Logger("tagfs.test")  # noqa: LOG001
    logger.addHandler(repeats)
    for _ in range(BURST + 3):
        logger.warning("it is slow")
    timer = repeats._timer
    assert timer is not None
    timer.join(60)
    assert len(lines.lines) == BURST + 1
    repeats.close()


def test_memory_is_bounded(log: logging.Logger) -> None:
    for number in range(MANY * 3):
        word = "".join(chr(ord("g") + int(digit)) for digit in str(number))
        log.warning("%s", word)
    repeats = log.handlers[0]
    assert isinstance(repeats, DeduplicatingHandler)
    assert len(repeats._facts) == MANY


def attempt(**changes: Any) -> Attempt:
    facts: dict[str, Any] = {
        "operation": "GetObject",
        "method": "GET",
        "bucket": "b",
        "key": "k",
        "subresource": None,
        "status": 200,
        "bytes_in": 10,
        "bytes_out": 3,
        "seconds": 0.5,
        "number": 2,
        "request_id": "RID",
    }
    return Attempt(**{**facts, **changes})


def test_the_request_log(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests")
    log(attempt())
    log(attempt(method="PUT", key=None, subresource="tagging", status=0, request_id=""))
    (tmp_path / "requests").rename(tmp_path / "old")
    log.reopen()
    log(attempt(status=503))
    log.close()
    log(attempt())
    first, second = map(json.loads, (tmp_path / "old").read_text().splitlines())
    assert first.pop("time") > 1e9
    assert first == {
        "method": "GET",
        "key": "k",
        "subresource": None,
        "status": 200,
        "bytes_in": 10,
        "bytes_out": 3,
        "seconds": 0.5,
        "request_id": "RID",
        "attempt": 2,
    }
    assert (second["key"], second["subresource"], second["status"]) == (None, "tagging", 0)
    assert [json.loads(s)["status"] for s in (tmp_path / "requests").read_text().splitlines()] == [
        503
    ]
    assert (tmp_path / "requests").stat().st_mode & 0o777 == 0o600


def test_traffic_is_counted_by_kind_and_per_second(clock: Clock) -> None:
    traffic = RequestStats(clock)
    for second in range(20):
        clock.now = 1000.0 + second
        traffic(attempt())
        traffic(attempt(method="PUT", subresource="tagging", status=503))
    clock.now = 1020.5
    report = traffic.report()
    assert report["requests"] == {"GET": 20, "PUT tagging": 20}
    assert (report["bytes_in"], report["bytes_out"]) == (400, 120)
    assert (report["attempts_failed"], report["attempts_throttled"]) == (20, 20)
    assert report["per_second"] == {"requests": 2.0, "bytes_in": 20.0, "bytes_out": 6.0}
    clock.now = 1100.0
    assert traffic.report()["per_second"]["requests"] == 0


def test_few_failures_are_remembered_and_fit_in_an_extended_attribute() -> None:
    failures = RecentFailures(clock=lambda: 5.0)
    for number in range(KEPT + 5):
        failures.add("read", f"/{number}", "x" * 100_000)
    report = failures.report()
    assert report["errors"] == KEPT + 5
    assert [e["path"] for e in report["last_errors"]] == [f"/{n}" for n in range(14, 4, -1)]
    assert len(json.dumps(report)) < 10_000


def test_nothing_is_sent_where_nothing_listens(tmp_path: Path) -> None:
    assert not systemd.notify("READY=1", environment={})
    assert not systemd.notify("READY=1", environment={"NOTIFY_SOCKET": "vsock:2:1"})
    assert not systemd.notify("READY=1", environment={"NOTIFY_SOCKET": str(tmp_path / "gone")})


def test_the_journal_gets_priorities_and_no_time(tmp_path: Path) -> None:
    """Where stderr is the journal, as systemd says by $JOURNAL_STREAM."""
    script = "from tagfs.monitoring import logs; import logging; logs.to_stderr('info');"
    script += "logging.getLogger('tagfs.x').error('one\\ntwo')"
    with (tmp_path / "journal").open("w") as file:
        found = os.fstat(file.fileno())
        stream = f"{found.st_dev}:{found.st_ino}"
        for value in (stream, "1:1"):
            env = {**os.environ, "JOURNAL_STREAM": value}
            subprocess.run([sys.executable, "-c", script], env=env, stderr=file, check=True)
    written = (tmp_path / "journal").read_text().splitlines()
    assert written[:2] == ["<3>tagfs.x: one", "<3>two"]
    assert written[2].endswith("ERROR tagfs.x: one")
    assert written[2][:2] == "20"


def test_a_log_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match=r"log_file=.* cannot be written"):
        logs.to_background("info", tmp_path / "file" / "log", tmp_path / "fallback")


def test_a_read_only_mount_may_be_without_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """... where there is no syslog, and nothing can be written: it is said, and it mounts."""
    monkeypatch.setattr(logs, "SYSLOG", tmp_path / "none")
    (tmp_path / "file").write_text("")
    nowhere = tmp_path / "file" / "log"
    with pytest.raises(SettingsError):
        logs.to_background("info", None, nowhere)
    with pytest.raises(SettingsError):
        logs.to_background("info", nowhere, tmp_path / "fallback", optional=True)
    logs.to_background("info", None, nowhere, optional=True)
    logging.getLogger("tagfs.x").error("lost")
    said = capsys.readouterr().err
    assert said.startswith("tagfs: nothing is logged, as there is no syslog here: ")
    assert "lost" not in said
