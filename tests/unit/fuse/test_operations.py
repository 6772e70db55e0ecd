"""F2: whatever happens below, a callback returns or fails with a positive errno."""

import errno
import inspect
import logging
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest
import requests

from tagfs import errors
from tagfs.fs.filesystem import FileSystem
from tagfs.fuse.binding import RequestMark
from tagfs.fuse.hidden_files import HiddenFiles
from tagfs.fuse.operations import Operations
from tagfs.fuse.recent_failures import RecentFailures

CALLBACKS = [
    name
    for name, member in inspect.getmembers(Operations, inspect.isfunction)
    if not name.startswith("_")
]
NOTHING_TO_DO = {"fsyncdir"}


class Failing:
    """A file system in which everything fails alike."""

    def __init__(self, failure: BaseException) -> None:
        self._failure = failure

    def __getattr__(self, name: str) -> Any:
        def fail(*_arguments: object, **_options: object) -> NoReturn:
            raise self._failure

        return fail


def failing(failure: BaseException, failures: RecentFailures | None = None) -> Operations:
    filesystem = cast("FileSystem", Failing(failure))
    mark = RequestMark(lambda: SimpleNamespace(pid=1))
    return Operations(filesystem, HiddenFiles(filesystem, mark, lambda: None), failures)


def call(name: str, failure: BaseException) -> Any:
    operations = failing(failure)
    wanted = inspect.signature(getattr(Operations, name)).parameters.values()
    plain = [p for p in wanted if p.name != "self" and p.default is p.empty]
    arguments = [
        b"" if p.name in ("data", "value") else "/f" if p.name in ("path", "old", "new") else 0
        for p in plain
    ]
    arguments = [a for p, a in zip(plain, arguments, strict=True) if p.kind is not p.VAR_POSITIONAL]
    return operations(name, *arguments)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    """What tagfs logs, not made into text: that is most of the time of tests with tracebacks."""
    found: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", found.append)
    log = logging.getLogger("tagfs")
    monkeypatch.setattr(log, "propagate", False)
    log.addHandler(handler)
    yield found
    log.removeHandler(handler)


ALIENS = [
    requests.ConnectionError("no errno at all"),
    KeyError("k"),
    OSError("without a number"),
    OSError(0, "nothing"),
    MemoryError(),
    RecursionError(),
    StopIteration(),
    SystemExit(0),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("name", sorted(set(CALLBACKS) - NOTHING_TO_DO))
@pytest.mark.parametrize("alien", ALIENS, ids=repr)
def test_a_bug_is_eio_and_logged_once(
    name: str, alien: BaseException, records: list[logging.LogRecord]
) -> None:
    """fusepy turns an exception whose errno is None into success with garbage; we must not."""
    with pytest.raises(OSError, match="error") as caught:
        list(call(name, alien))  # readdir fails while it is read
    assert caught.value.errno == errno.EIO
    (record,) = records
    assert "a bug in tagfs" in record.getMessage()
    assert record.exc_info


KNOWN = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, errors.TagfsError)
]


@pytest.mark.parametrize("known", KNOWN)
def test_what_we_know_has_its_errno(known: type[errors.TagfsError]) -> None:
    failure = known("reported")
    assert failure.errno > 0
    assert failure.errno in errno.errorcode
    with pytest.raises(OSError) as caught:
        call("unlink", failure)
    assert caught.value.errno == failure.errno
    assert caught.value.strerror == os.strerror(failure.errno)


@pytest.mark.parametrize("known", KNOWN)
def test_the_reason_is_logged_once_here_unless_the_errno_says_all(
    known: type[errors.TagfsError], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tagfs"), pytest.raises(OSError, match=r".*"):
        call("unlink", known("PutObject of 'k': 403, request id 7"))
    shown = [(record.levelno, record.getMessage()) for record in caplog.records]
    if known.log_level == errors.Answer.log_level:
        assert shown == []
    else:
        line = f"unlink('/f'): {known.__name__}: PutObject of 'k': 403, request id 7"
        assert shown == [(known.log_level, line)]


def test_what_is_logged_is_in_the_status_as_well() -> None:
    failures = RecentFailures()
    for failure in (errors.NotFound("/f"), errors.Throttled("slow"), KeyError("k")):
        operations = failing(failure, failures)
        with pytest.raises(OSError, match=r".*"):
            operations("unlink", "/f")
    assert [entry["error"] for entry in failures.report()["last_errors"]] == [
        "KeyError: 'k'",
        "Throttled: slow",
    ]
