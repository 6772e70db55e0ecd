"""A catalogue's file is begun anew once, whoever finds it damaged, and no connection stays open."""

import contextlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tagfs.catalogue.database import Database
from tests.unit.catalogue.cataloguekit import NAME


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """All that are made from now on."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*args: Any, **more: Any) -> sqlite3.Connection:
        made.append(connect(*args, **more))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    return made


def is_closed(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018
    except sqlite3.ProgrammingError:
        return True
    return False


def damage(path: Path) -> None:
    path.write_bytes(b"no database at all, and longer than its header would be" * 9)


def add(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("INSERT INTO meta VALUES (?, '')", (name,))


def test_what_opens_a_damaged_file_is_closed(
    tmp_path: Path, connections: list[sqlite3.Connection]
) -> None:
    directory = tmp_path / "catalogue"
    directory.mkdir(mode=0o700)
    damage(directory / NAME)
    (directory / NAME).chmod(0o600)
    database = Database(directory, NAME)
    assert [is_closed(one) for one in connections] == [True, False]
    database.close()
    assert all(map(is_closed, connections))


def test_threads_that_find_it_damaged_begin_it_anew_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connections: list[sqlite3.Connection]
) -> None:
    """What the first has written since is not thrown away by the second."""
    database = Database(tmp_path / "catalogue", NAME)
    both = threading.Barrier(2)
    begun = []
    close = database.close

    def close_together() -> None:
        begun.append(threading.get_ident())
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.2)  # for another thread that begins it anew as well
        close()

    monkeypatch.setattr(database, "close", close_together)
    database.path.unlink()
    started = threading.Barrier(2)

    def write(number: int) -> bool:
        started.wait(10)
        return database.write(lambda connection: add(connection, f"{number}"))

    with ThreadPoolExecutor(2) as executor:
        assert list(executor.map(write, range(2))) == [True, True]
    assert len(begun) == 1
    read = "SELECT name FROM meta WHERE value = '' AND name NOT LIKE 'open:%'"
    assert database.read(lambda c: len(c.execute(read).fetchall()), 0) == 2
    close()
    assert all(map(is_closed, connections))


def test_a_write_that_finds_it_damaged_leaves_a_whole_one(tmp_path: Path) -> None:
    """It may be the last that a process writes: the next is not to find the damage again."""

    def find_damage(connection: sqlite3.Connection) -> None:
        add(connection, "lost")
        raise sqlite3.DatabaseError("database disk image is malformed")

    database = Database(tmp_path / "catalogue", NAME)
    before = database.path.stat().st_ino
    with database.path.open("rb"):  # so that its number is not given again
        assert not database.write(find_damage)
    database.close()
    assert database.path.stat().st_ino != before
    with contextlib.closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
