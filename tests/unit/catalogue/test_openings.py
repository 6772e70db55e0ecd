"""Who ended without writing what it had learnt is noticed by the next that opens the catalogue."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tagfs.catalogue import openings
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.database import Database
from tests.unit.catalogue.cataloguekit import NAME


def opened(directory: Path) -> Database:
    return Database(directory / "catalogue", NAME)


def notes(database: Database) -> list[str]:
    nothing: list[tuple[str]] = []
    rows = database.read(lambda c: list(c.execute("SELECT name FROM meta")), nothing)
    return [name for (name,) in rows if name.startswith("open:")]


@pytest.fixture
def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_who_has_written_all_leaves_nothing(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    assert len(notes(second)) == 2
    first.end()
    assert len(notes(second)) == 1
    second.end()
    last = opened(tmp_path)
    assert (len(notes(last)), last.died_at) == (1, 0)
    last.end()


def test_who_is_still_there_has_not_died(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    assert second.died_at == 0
    first.end()
    second.end()


@pytest.mark.parametrize("note", ["dead", "another with its number", "cut off", "no number"])
def test_who_is_gone_was_killed(tmp_path: Path, ended: int, note: str) -> None:
    """Whatever a note says that no living process has written."""
    name = {
        "dead": f"open:{ended}:77:0",
        "another with its number": f"open:{os.getpid()}:77:0",
        "cut off": "open:",
        "no number": "open:x:y:z",
    }[note]
    first = opened(tmp_path)
    first.write(lambda c: _put(c, name))
    before = first.clock.now()
    second = opened(tmp_path)
    assert second.died_at >= before
    assert len(notes(second)) == 2
    second.end()
    third = opened(tmp_path)
    assert third.died_at == second.died_at  # once noticed, it does not move
    third.end()
    first.end()


def _put(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("INSERT INTO meta VALUES (?, '')", (name,))


@pytest.mark.parametrize("lost", [False, True])
def test_what_could_not_be_written_leaves_the_note(tmp_path: Path, *, lost: bool) -> None:
    catalogue = Catalogue(opened(tmp_path), 1 << 30)
    if lost:
        catalogue._believed_from = catalogue.clock.now()
    catalogue.close()
    with sqlite3.connect(catalogue.database.path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM meta")]
    connection.close()
    assert any(name.startswith("open:") for name in names) is lost


def test_a_time_to_come_is_now(tmp_path: Path) -> None:
    database = opened(tmp_path)
    now = database.clock.now()
    with sqlite3.connect(database.path) as connection:
        connection.execute("INSERT INTO meta VALUES ('died', ?)", (str(1 << 60),))
        assert openings.enter(connection, now)[1] == now
    connection.close()
    database.end()
