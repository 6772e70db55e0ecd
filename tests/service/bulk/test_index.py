"""`tagfs index`, and what `tagfs tag find` answers from it: how many requests, and how old."""

import shutil
import signal
import time
from pathlib import Path

import pytest

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.place import catalogue_name, open_catalogue
from tests.service.bulk.conftest import Ran, Subject
from tests.service.bulk.indexing import run_index, start_index
from tests.waiting import until_listings_prove, wait_for


@pytest.fixture
def indexed(subject: Subject, tmp_path: Path) -> Subject:
    """A bucket with an index."""
    subject.put("a", "d/b")
    subject.put("d/blue", "d/e/blue too", team="blue", retention="7y")
    subject.put("d/red", team="red")
    assert "5 objects, 5 read" in run_index(subject, tmp_path).err
    return subject


def find(subject: Subject, cache: Path, *words: str, status: int = 0) -> Ran:
    return subject.run("find", *words, "-o", f"cache_dir={cache}", status=status)


def names(subject: Subject, ran: Ran) -> list[str]:
    return [line.removeprefix(subject.url + "/") for line in ran.lines]


def test_an_index_answers_without_a_request(indexed: Subject, tmp_path: Path) -> None:
    log = indexed.requests()
    for words, wanted in {
        ("team=blue",): ["d/blue", "d/e/blue too"],
        ("team=blue", "--max-age", "1h"): ["d/blue", "d/e/blue too"],
        ("team", "--include", "r*"): ["d/red"],
        ("team and not retention",): ["d/red"],
        ("not *",): ["a", "d/b"],
        ("team", "--sort", "name", "-r"): ["d/red", "d/e/blue too", "d/blue"],
    }.items():
        local = () if "--max-age" in words else ("--index", "local")
        ran = find(indexed, tmp_path, *words, *local, indexed.url)
        shown = [name.replace("%20", " ") for name in names(indexed, ran)]
        assert shown == wanted
        assert "ago" in ran.err
    below = find(indexed, tmp_path, "team", "--index=local", f"{indexed.url}/d/e/")
    assert names(indexed, below) == ["d/e/blue too"]
    assert find(indexed, tmp_path, "--count", "team", "--index=local", indexed.url).out == "3\n"
    untagged = ("untagged", indexed.url, "--max-age=1h", "-o", f"cache_dir={tmp_path}")
    assert names(indexed, indexed.run(*untagged)) == ["a", "d/b"]
    record = find(indexed, tmp_path, "--json", "team=red", "--index=local", indexed.url).records[0]
    assert (record["size"], record["tags"]) == (1, {"team": "red"})
    assert 0 <= record["age"] < 60
    assert abs(record["modified"] - time.time()) < 60
    assert len(log) == 0


def test_without_a_word_about_age_everything_is_asked_for(indexed: Subject, tmp_path: Path) -> None:
    indexed.tag("a", {"team": "blue"})
    log = indexed.requests()
    assert names(indexed, find(indexed, tmp_path, "team=blue", indexed.url))[0] == "a"
    assert log.kinds() == {"GET list": 1, "GET tagging": 5}
    # What that has learnt is in the index.
    local = find(indexed, tmp_path, "team=blue", "--index=local", indexed.url)
    assert names(indexed, local)[0] == "a"


def test_an_index_that_is_too_old_is_not_asked(indexed: Subject, tmp_path: Path) -> None:
    log = indexed.requests()
    find(indexed, tmp_path, "team", "--max-age", "0.001s", indexed.url)
    assert log.kinds()["GET tagging"] == 5
    words = ("team", "--index=local", "--max-age", "0.001s", indexed.url)
    assert "run tagfs index" in find(indexed, tmp_path, *words, status=1).err
    assert "run tagfs index" in find(indexed, tmp_path / "other", *words, status=1).err
    shutil.rmtree(tmp_path / "catalogue")
    assert "no index" in find(indexed, tmp_path, *words, status=1).err


def test_edits_by_commands_are_in_the_index(indexed: Subject, tmp_path: Path) -> None:
    where = ("-o", f"cache_dir={tmp_path}")
    indexed.run("set", "team=green", f"{indexed.url}/a", *where)
    indexed.run("replace", "x=1", f"{indexed.url}/d/red", *where)
    local = find(indexed, tmp_path, "team", "--index=local", indexed.url)
    assert [n.replace("%20", " ") for n in names(indexed, local)] == ["a", "d/blue", "d/e/blue too"]


def test_a_second_index_reads_tags_alone(indexed: Subject, tmp_path: Path) -> None:
    indexed.sdk.delete_object("d/red")
    indexed.tag("a", {"team": "new"})
    until_listings_prove()
    run_index(indexed, tmp_path)
    log = indexed.requests()
    run_index(indexed, tmp_path)
    assert log.kinds() == {"GET list": 1, "GET tagging": 4}
    local = find(indexed, tmp_path, "team", "--index=local", indexed.url)
    assert [n.replace("%20", " ") for n in names(indexed, local)] == ["a", "d/blue", "d/e/blue too"]


def catalogue(subject: Subject, cache: Path) -> Catalogue:
    name = catalogue_name("oss", subject.name, subject.service.url, None)
    return open_catalogue(cache, name, 1024**3)


def test_what_was_cut_off_is_gone_on_with(subject: Subject, tmp_path: Path) -> None:
    subject.put(*(f"k{number:03}" for number in range(400)))
    log = subject.requests()
    with start_index(subject, tmp_path, "--parallel=2", "--tags-only") as process:
        wait_for(
            lambda: log.kinds()["GET tagging"] >= 100 or process.poll() is not None, pause=0.005
        )
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"run it again to go on" in err
    before = log.kinds()["GET tagging"]
    assert before < 400
    assert "no index" in find(subject, tmp_path, "x", "--index=local", subject.url, status=1).err
    run_index(subject, tmp_path, "--tags-only")
    assert log.kinds()["GET tagging"] == 400
    counted = find(subject, tmp_path, "--count", "not *", "--index=local", subject.url)
    assert counted.out == "400\n"


def test_it_watches_until_it_is_stopped(subject: Subject, tmp_path: Path) -> None:
    subject.put("a")
    log = subject.requests()
    with start_index(subject, tmp_path, "--watch", "0.001") as process:
        wait_for(lambda: log.kinds()["GET list"] >= 3 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("{}/x/*.gz",), "of a bucket or of a directory"),
        (("{}", "-o", "catalogue=off"), "no catalogue"),
        (("/",), "on no tagfs mount"),
    ],
)
def test_what_cannot_be_indexed(
    subject: Subject, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    ran = run_index(subject, tmp_path, *(word.format(subject.url) for word in words), status=1)
    assert reason in ran.err


def test_tags_that_may_not_be_read_are_said_to_be_left_out(
    indexed: Subject, tmp_path: Path
) -> None:
    kept = catalogue(indexed, tmp_path)
    kept.saw_tags("d/blue", None)
    kept.close()
    ran = find(indexed, tmp_path, "team=blue", "--index=local", indexed.url)
    assert len(ran.lines) == 1
    assert "without 1 objects" in ran.err
