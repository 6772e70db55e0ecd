"""What views show is read once for many links that are followed, and is never too old."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tagfs.catalogue import query
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.expression import parse_expression
from tagfs.fs.mapping.paths import Root
from tagfs.fs.views.reader import ABSENT, HELD, SHARE, ViewReader
from tests.fakes.clock import FakeClock
from tests.unit.catalogue.cataloguekit import opened, tags
from tests.waiting import wait_for

find_keys = query.find_keys
TEAM = parse_expression("team")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    found = opened(tmp_path)
    for key in ("a", "d/b"):
        found.saw_tags(key, tags(team="blue"))
    yield found
    found.close()


class Readings:
    """Counts how often the catalogue is read for links; `during` is done each time."""

    count = 0

    def during(self) -> object:
        return None

    def find_keys(self, *words: Any) -> Iterator[str]:
        self.count += 1
        self.during()
        return find_keys(*words)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    found = Readings()
    monkeypatch.setattr(query, "find_keys", found.find_keys)
    return found


@pytest.fixture
def views(catalogue: Catalogue, clock: FakeClock, readings: Readings) -> ViewReader:
    del readings
    return ViewReader(catalogue, Root(), None, clock)


@pytest.mark.parametrize(
    ("took", "name", "age", "again"),
    [
        (0.0, "a", HELD - 0.1, False),
        (0.0, "a", HELD, True),
        (0.0, "new", ABSENT - 0.1, False),
        (0.0, "new", ABSENT, True),
        (4.0, "a", 4.0 * SHARE - 0.1, False),
        (4.0, "new", 4.0 * SHARE - 0.1, False),
        (4.0, "a", 4.0 * SHARE, True),
        (0.0, None, 0.1, True),
    ],
)
def test_what_was_read_is_held(  # noqa: PLR0913  (the cases' four)
    views: ViewReader,
    readings: Readings,
    clock: FakeClock,
    catalogue: Catalogue,
    *,
    took: float,
    name: str | None,
    age: float,
    again: bool,
) -> None:
    readings.during = lambda: clock.advance(took)  # type: ignore[method-assign]
    assert set(views.links(TEAM, "a")) == {"a", "b"}
    catalogue.saw_tags("new", tags(team="red"))
    clock.advance(age)
    assert ("new" in views.links(TEAM, name)) is again
    assert readings.count == 1 + again


def test_who_asks_for_the_same_meanwhile_waits_for_it(
    views: ViewReader, readings: Readings
) -> None:
    goes_on = threading.Event()
    readings.during = lambda: goes_on.wait(60)  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(views.links, TEAM, "a") for _ in range(8)]
        wait_for(lambda: readings.count == 1)
        goes_on.set()
        assert [len(one.result(60)) for one in asked] == [2] * 8
    assert readings.count == 1


def test_words_are_of_what_the_mount_shows(catalogue: Catalogue, clock: FakeClock) -> None:
    catalogue.saw_tags("c", tags(team="red", x="1"))
    everything = ViewReader(catalogue, Root(), None, clock)
    assert everything.vocabulary() == {"team": {"blue", "red"}, "x": {"1"}}
    blue = ViewReader(catalogue, Root(), parse_expression("team=blue"), clock)
    assert blue.vocabulary() == {"team": {"blue"}}
    assert set(blue.links(TEAM)) == {"a", "b"}
