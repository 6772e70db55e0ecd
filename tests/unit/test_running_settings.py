"""A remount changes what a mount goes by: how long it remembers, how fast it asks."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from tagfs.config.options import REMOUNTABLE
from tagfs.config.settings import Settings, parse_options, parse_url
from tagfs.errors import SettingsError
from tagfs.running_settings import RunningSettings
from tagfs.store.client.client import Client
from tagfs.store.http.pacing import UNLIMITED, Pace, RateLimits
from tests.unit.catalogue.mountkit import CatalogueKit
from tests.unit.store.cachekit import TAGS

URL = parse_url("oss://bucket")
CHANGES: dict[str, object] = {
    "ttl=5": 5.0,
    "tag_ttl=0": 0.0,
    "negative_ttl=2": 2.0,
    "max_requests_per_second=2.5": 2.5,
    "upload_limit=2M": 2 * 1024**2,
    "download_limit=3K": 3 * 1024,
}


class Running:
    """A mount's settings, over a cache and a catalogue, on a clock that stands."""

    def __init__(self) -> None:
        self.kit = CatalogueKit(edits_show=False)
        self.pace = Pace(UNLIMITED, self.kit.clock)
        client = cast("Client", SimpleNamespace(transport=SimpleNamespace(pace=self.pace)))
        chosen = Settings(url=URL)
        self.settings = RunningSettings(chosen, client, self.kit.cache, self.kit.memory)


def test_the_table_has_all_that_can_change() -> None:
    assert {text.partition("=")[0] for text in CHANGES} == REMOUNTABLE


@pytest.mark.parametrize("text", CHANGES)
def test_one_option_changes_and_no_other(text: str) -> None:
    running = Running()
    before = running.settings.now
    running.settings.change(text)
    name = text.partition("=")[0]
    assert getattr(running.settings.now, name) == CHANGES[text]
    assert replace(running.settings.now, **{name: getattr(before, name)}) == before


@pytest.mark.parametrize(
    "text", ["ttl=5,region=x", "ttl=5,tag_ttl=soon", "ttl=5,none=1", "ttl=5,ro"]
)
def test_what_is_wrong_changes_nothing(text: str) -> None:
    running = Running()
    with pytest.raises(SettingsError):
        running.settings.change(text)
    assert running.settings.now == parse_options(URL, {})


def test_requests_have_the_new_pace() -> None:
    running = Running()
    assert [running.pace.turn(0) for _ in range(2)] == [0, 0]
    running.settings.change("max_requests_per_second=4,upload_limit=100")
    assert [running.pace.turn(0) for _ in range(2)] == [0, 0.25]
    running.settings.change("upload_limit=0,max_requests_per_second=0")
    assert running.pace.turn(10**9) == 0
    assert running.pace._limits is not RateLimits()


def test_what_is_remembered_is_too_old_at_once() -> None:
    """... and what grew too old is young again where that is longer."""
    running = Running()
    kit = running.kit
    kit.foreign("k", tags=TAGS)
    assert kit.cost(lambda: (kit.cache.head("k"), kit.cache.get_tags("k"))) == 2
    kit.pass_time(20)
    assert kit.cost(lambda: (kit.cache.head("k"), kit.cache.get_tags("k"))) == 0
    running.settings.change("ttl=10,tag_ttl=30")
    assert kit.cost(lambda: kit.cache.get_tags("k")) == 0
    assert kit.cost(lambda: kit.cache.head("k")) == 1
    kit.pass_time(100)
    running.settings.change("ttl=1000")
    assert kit.cost(lambda: kit.cache.head("k")) == 0
    assert kit.cost(lambda: kit.cache.get_tags("k")) == 1


@pytest.mark.parametrize("changed", [False, True])
def test_absences_follow_the_ttl_unless_they_have_their_own(*, changed: bool) -> None:
    running = Running()
    kit = running.kit
    if changed:
        running.settings.change("negative_ttl=5")
    assert kit.cost(lambda: kit.cache.lookup("none", max_age=None)) == 1
    kit.pass_time(20)
    assert kit.cost(lambda: kit.cache.lookup("none", max_age=None)) == int(changed)
    running.settings.change("ttl=1")
    kit.pass_time(2)
    assert kit.cost(lambda: kit.cache.lookup("none", max_age=None)) == 1


def test_the_catalogue_follows() -> None:
    """Where metadata can change unseen, and of tags always, it is believed for as long."""
    running = Running()
    kit = running.kit
    kit.foreign("d/k")
    kit.pass_time(100)
    kit.scan("d/")
    kit.cache.head("d/k")
    kit.cache.get_tags("d/k")
    kit.pass_time(20)
    listed = next(iter(kit.inner.scan("d/"))).objects
    assert kit.memory.recall_details(listed)
    assert kit.memory.recall_tags(["d/k"])
    running.settings.change("ttl=10,tag_ttl=10")
    assert not kit.memory.recall_details(listed)
    assert not kit.memory.recall_tags(["d/k"])
