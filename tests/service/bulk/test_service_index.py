"""`tagfs tag find` by the index that OSS keeps (MetaQuery): what is asked, and how it lags."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.emulated import Emulator, emulator
from tests.service.bulk.conftest import Ran, Subject
from tests.service.bulk.indexing import run_index


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A service whose index knows what was there when it was opened."""
    directory = tmp_path_factory.mktemp("hourly")
    with emulator(directory, options=("index=hourly",)) as running:
        yield running


@pytest.fixture
def lagging(hourly: Emulator) -> Subject:
    return filled(Subject(hourly, hourly.take()))


def filled(subject: Subject) -> Subject:
    subject.put("a", "d/b")
    subject.put("d/blue", "d/e/blue too", team="blue", retention="7y")
    subject.put("d/red", team="red")
    subject.sdk.open_bucket_meta_query()
    return subject


def find(subject: Subject, cache: Path, *words: str, status: int = 0) -> Ran:
    return subject.run("find", *words, subject.url, "-o", f"cache_dir={cache}", status=status)


def names(subject: Subject, ran: Ran) -> list[str]:
    return [line.removeprefix(subject.url + "/").replace("%20", " ") for line in ran.lines]


def test_each_candidate_is_confirmed(lagging: Subject, tmp_path: Path) -> None:
    log = lagging.requests()
    for words, wanted in {
        ("team=blue",): ["d/blue", "d/e/blue too"],
        ("team and not retention",): ["d/red"],
        ("not *",): ["a", "d/b"],
        ("team", "--include", "r*"): ["d/red"],
        ("team=b*", "--sort", "name", "-r"): ["d/e/blue too", "d/blue"],
    }.items():
        ran = find(lagging, tmp_path, *words, "--index=service")
        assert names(lagging, ran) == wanted
        assert ran.err.splitlines() == [
            "by the service's index, which may not know the latest changes yet"
        ]
    # For each command the state and a page, and the tags of what matched in the index.
    assert log.kinds() == {"GET metaQuery": 5, "POST metaQuery": 5, "GET tagging": 8}
    ran = lagging.run("untagged", "--index=service", "-c", f"{lagging.url}/d/")
    assert ran.out == "1\n"


def test_what_the_index_does_not_know_yet(lagging: Subject, tmp_path: Path) -> None:
    """Something new is missed; nothing wrong is shown."""
    lagging.tag("a", {"team": "blue"})
    lagging.tag("d/blue", {"team": "green"})
    lagging.sdk.delete_object("d/e/blue too")
    lagging.tag("d/red", {"team": "red", "more": "1"})
    ran = find(lagging, tmp_path, "team", "--json", "--index=service")
    assert [(one["path"][-3:], one["tags"]) for one in ran.records] == [
        ("lue", {"team": "green"}),
        ("red", {"team": "red", "more": "1"}),
    ]
    assert "1 gone meanwhile" in ran.err
    assert find(lagging, tmp_path, "team=blue", "--index=service").out == ""
    assert names(lagging, find(lagging, tmp_path, "team=blue")) == ["a"], "as of now, without"


def test_an_age_chooses_the_way(lagging: Subject, tmp_path: Path) -> None:
    """This host's index if it is young, else the service's, else everything is asked."""
    log = lagging.requests()
    assert "every object" not in find(lagging, tmp_path, "team").err
    assert log.kinds().pop("POST metaQuery", 0) == 0
    by_service = find(lagging, tmp_path, "team=blue", "--max-age=1h")
    assert "by the service's index" in by_service.err
    run_index(lagging, tmp_path)
    by_host = find(lagging, tmp_path, "team=blue", "--max-age=1h")
    assert by_host.err.startswith("as of")
    lagging.sdk.close_bucket_meta_query()
    by_host = find(lagging, tmp_path, "team=blue", "--max-age=0.001s")
    assert by_host.err.startswith("every object was asked: the bucket has no index")
    assert by_service.lines == by_host.lines
    failed = find(lagging, tmp_path, "team=blue", "--index=service", status=1)
    assert "the bucket has no index (MetaQuery): its owner can open one" in failed.err


def test_without_the_right_to_ask_it(hourly: Emulator, lagging: Subject, tmp_path: Path) -> None:
    with faults(hourly, "deny:op=GetMetaQueryStatus"):
        failed = find(lagging, tmp_path, "team=blue", "--index=service", status=1)
        assert "GetMetaQueryStatus" in failed.err
        walked = find(lagging, tmp_path, "team=blue", "--max-age=1h")
        assert names(lagging, walked) == ["d/blue", "d/e/blue too"]
        assert walked.err.startswith("every object was asked: GetMetaQueryStatus")


def test_an_index_that_is_being_built(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    with emulator(tmp_path_factory.mktemp("building"), options=("index=building",)) as running:
        subject = filled(Subject(running, running.take()))
        partial = find(subject, tmp_path, "team", "--index=service")
        assert "still being built" in partial.err
        walked = find(subject, tmp_path, "team", "--max-age=1h")
        assert "not ready: Running FullScanning" in walked.err
        assert len(walked.lines) == 3


@contextmanager
def faults(service: Emulator, *specifications: str) -> Iterator[None]:
    url = f"{service.url}/-/faults"
    assert requests.post(url, json=list(specifications), timeout=60).ok
    try:
        yield
    finally:
        requests.delete(url, timeout=60)


def test_an_index_is_of_all_below_a_prefix(lagging: Subject) -> None:
    ran = lagging.run("find", "team", "--index=service", f"{lagging.url}/*", status=1)
    assert "an index is asked for a directory or a bucket" in ran.err
