"""Small directories that come with a lookup: what is known of them, and for how long."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.cache import lookup_listings
from tagfs.store.objects import NewObject
from tests.unit.store.cachekit import TTL, Kit


@pytest.fixture
def kit() -> Kit:
    """Return a cache that has looked at a directory."""
    one = Kit()
    for key in ("d/f", "d/g", "d/below/f"):
        one.foreign(key)
    one.cache.lookup("d")
    return one


def test_a_file_that_was_shown_is_no_directory(kit: Kit) -> None:
    kit.pass_time(TTL - 1)
    assert kit.cost(lambda: kit.cache.lookup("d/f")) == 0
    info = kit.cache.lookup("d/f").info
    assert info is not None
    assert info.detail is None
    assert kit.cost(lambda: kit.cache.head("d/f")) == 1
    kit.pass_time(1)
    assert kit.cost(lambda: kit.cache.lookup("d/g")) == 1


def test_what_is_missing_is_so_for_a_moment(kit: Kit) -> None:
    assert kit.cost(lambda: kit.cache.lookup("d/new")) == 0
    assert kit.cache.lookup("d/new").info is None
    kit.foreign("d/new")
    kit.pass_time(FRESH_WITHIN)
    assert kit.cache.lookup("d/new").info is not None


def test_it_is_not_fresh_for_who_wants_it_fresher(kit: Kit) -> None:
    kit.pass_time(FRESH_WITHIN / 2)
    assert kit.cost(lambda: kit.cache.lookup("d/new", max_age=FRESH_WITHIN / 4)) == 1


def test_a_directory_in_it_is_asked_for_and_shows_what_it_holds(kit: Kit) -> None:
    assert kit.cost(lambda: kit.cache.lookup("d/below")) == 1
    assert kit.cost(lambda: kit.cache.lookup("d/below/f")) == 0


def test_to_read_it_costs_nothing_for_a_moment_and_is_remembered(kit: Kit) -> None:
    assert kit.cost(kit.scan) == 1
    assert kit.cost(lambda: kit.scan("d/")) == 0
    assert kit.scan("d/") == ["d/f", "d/g", "d/below/"]
    kit.pass_time(TTL - 1)
    assert kit.cost(lambda: kit.cache.lookup("d/new")) == 0, "it was read"


def test_later_it_is_read_anew(kit: Kit) -> None:
    kit.pass_time(FRESH_WITHIN)
    assert kit.cost(lambda: kit.scan("d/")) == 1


def test_its_keys_are_known(kit: Kit) -> None:
    assert sorted(kit.cache.known_keys("d/") or ()) == ["d/below/", "d/f", "d/g"]
    kit.pass_time(FRESH_WITHIN)
    assert kit.cache.known_keys("d/", max_age=FRESH_WITHIN) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda kit: kit.put("d/h"),
        lambda kit: kit.put("d/below/deeper/h"),
        lambda kit: kit.cache.delete("d/g"),
        lambda kit: kit.cache.delete_many(["d/g"]),
        lambda kit: kit.cache.put_symlink("d/h", "t", NewObject()),
        lambda kit: kit.cache.forget("d/f"),
        lambda kit: kit.cache.forget(),
    ],
)
def test_a_change_below_it_takes_it_away(kit: Kit, change: Callable[[Kit], object]) -> None:
    change(kit)
    assert kit.cache.known_keys("d/") is None
    assert kit.cost(lambda: kit.cache.lookup("d/none")) == 1


def test_a_change_elsewhere_does_not(kit: Kit) -> None:
    kit.put("d-/f")
    kit.cache.forget("e")
    assert kit.cache.known_keys("d/") is not None


def test_what_is_written_during_the_lookup_is_not_hidden(kit: Kit) -> None:
    kit.pass_time(TTL)
    kit.inner.after = lambda operation, key: (
        kit.put("d/new") if (operation, key) == ("lookup", "d") else None
    )
    kit.cache.lookup("d")
    kit.inner.after = None
    assert kit.cache.known_keys("d/") is None
    assert kit.cache.lookup("d/new").info is not None


def test_what_holds_only_for_a_moment_is_bounded(kit: Kit) -> None:
    for number in range(lookup_listings.MANY):
        kit.foreign(f"{number}/f")
        kit.cache.lookup(f"{number}")
    assert kit.cache.known_keys("d/") is None
    assert kit.cache.known_keys("0/") is not None


def test_where_the_bucket_shows_no_listing_nothing_is_known(kit: Kit) -> None:
    look = kit.inner.lookup
    kit.inner.lookup = lambda key, **age: replace(look(key, **age), listing=None)  # type: ignore[method-assign]
    kit.pass_time(TTL)
    kit.cache.lookup("d")
    assert kit.cost(lambda: kit.cache.lookup("d/f")) == 1
