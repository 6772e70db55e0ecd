"""What a mount believes of a catalogue: attributes that a listing proves, tags for a while."""

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import rule

from tagfs.catalogue.catalogue import Catalogue
from tagfs.errors import ObjectChanged, Unreachable
from tagfs.store.tags import NO_TAGS
from tests.examples import examples
from tests.unit.catalogue.mountkit import CatalogueKit
from tests.unit.store import test_cache_model as model
from tests.unit.store.cachekit import OTHER, TAGS

META = {"mode": "33188"}


@pytest.fixture
def kit():
    kit = CatalogueKit()
    yield kit
    kit.close()


def seen(kit: CatalogueKit, count: int = 3, age: float = 5.0) -> list[str]:
    """A directory whose objects were looked at once, `age` seconds after they were written."""
    keys = [f"d/{number}" for number in range(count)]
    for key in keys:
        kit.foreign(key, metadata=META, tags=TAGS)
    kit.pass_time(age)
    kit.scan("d/")
    kit.cache.head_many(keys)
    kit.cache.get_tags_many(keys)
    return keys


def test_a_directory_seen_before_is_its_listing_alone(kit: CatalogueKit) -> None:
    keys = seen(kit)
    kit.pass_time(1_000_000)
    kit.remount()
    assert kit.cost(lambda: kit.scan("d/")) == 1
    assert kit.cost(lambda: kit.cache.head_many(keys)) == 0
    assert kit.cost(lambda: [kit.cache.head(key) for key in keys]) == 0
    assert kit.cache.head("d/1") == kit.inner.head("d/1")
    kit.remount()
    kit.scan("d/")
    assert kit.cost(lambda: kit.cache.head("d/1")) == 0, "one by one as well"


def test_without_a_listing_nothing_is_proved(kit: CatalogueKit) -> None:
    keys = seen(kit)
    kit.remount()
    assert kit.cost(lambda: [kit.cache.head(key) for key in keys]) == len(keys)


def test_what_must_be_fresh_is_asked_for(kit: CatalogueKit) -> None:
    seen(kit)
    kit.pass_time(2)
    kit.remount()
    kit.scan("d/")
    assert kit.cost(lambda: kit.cache.head("d/1", max_age=0)) == 1
    assert kit.cost(lambda: kit.cache.get_tags("d/2", max_age=1)) == 1


@pytest.mark.parametrize(
    ("later", "requests"), [(10, 0), (1_000_000, 1)], ids=["young", "older than tag_ttl"]
)
def test_a_copy_has_the_tags_that_are_known_of_its_source_as_old_as_these(
    kit: CatalogueKit, later: int, requests: int
) -> None:
    seen(kit)
    assert kit.catalogue is not None
    read_at = kit.catalogue.known(["d/1"])["d/1"].tags_at
    kit.pass_time(later)
    kit.remount()
    kit.scan("d/")
    kit.cache.copy(kit.cache.head("d/1"), "d/moved")
    kit.cache.delete("d/1")
    known = kit.catalogue.known(["d/moved", "d/1"])
    assert known.keys() == {"d/moved"}, "views show it under its new name alone"
    assert (known["d/moved"].tags, known["d/moved"].tags_at) == (TAGS, read_at)
    assert kit.cost(lambda: kit.cache.get_tags("d/moved")) == requests
    assert kit.cost(lambda: kit.cache.get_tags("d/moved", max_age=0)) == 1


def test_a_copy_over_what_was_tagged_later_has_the_tags_of_its_source(kit: CatalogueKit) -> None:
    seen(kit)
    kit.pass_time(1)
    kit.cache.put_tags("d/2", OTHER)
    kit.pass_time(1)
    kit.cache.copy(kit.cache.head("d/1"), "d/2")
    kit.cache.copy(kit.cache.head("d/2"), "d/3")
    for key in ("d/2", "d/3"):
        assert kit.cache.get_tags(key) == kit.inner.get_tags(key) == TAGS


def test_nothing_is_taken_over_that_is_not_believed(kit: CatalogueKit) -> None:
    seen(kit)
    kit.pass_time(10)
    kit.cache.forget("d/")
    kit.cache.copy(kit.cache.head("d/1"), "d/moved")
    assert kit.catalogue is not None
    assert kit.catalogue.known(["d/moved"])["d/moved"].tags is None


@pytest.mark.parametrize("age", [0.0, 1.9])
def test_an_edit_within_the_second_is_not_missed(kit: CatalogueKit, age: float) -> None:
    seen(kit, age=age)
    kit.pass_time(100)
    kit.remount()
    kit.scan("d/")
    assert kit.cost(lambda: kit.cache.head("d/1")) == 1


@pytest.mark.parametrize("data", [b"x", b"other"])
def test_another_version_is_asked_for(kit: CatalogueKit, data: bytes) -> None:
    seen(kit)
    kit.foreign("d/1", data, metadata={"mode": "33261"})
    kit.remount()
    kit.scan("d/")
    assert kit.cache.head("d/1").detail == kit.inner.head("d/1").detail
    assert kit.cost(lambda: kit.cache.head("d/2")) == 0


def test_where_edits_need_not_show_a_detail_lasts_for_ttl() -> None:
    kit = CatalogueKit(edits_show=False)
    seen(kit)
    for passed, cost in ((50, 0), (20, 1)):
        kit.pass_time(passed)
        kit.remount()
        kit.scan("d/")
        assert kit.cost(lambda: kit.cache.head("d/1")) == cost
    kit.close()


def test_tags_last_for_tag_ttl(kit: CatalogueKit) -> None:
    keys = seen(kit)
    kit.pass_time(20)
    kit.remount()
    assert kit.cost(lambda: kit.cache.get_tags("d/0")) == 0
    assert kit.cost(lambda: kit.cache.get_tags_many(keys)) == 0
    assert kit.cache.get_tags("d/0") == TAGS
    kit.pass_time(15)
    assert kit.cost(lambda: kit.cache.get_tags("d/0")) == 1, "their age goes on"


@pytest.mark.parametrize("step", [0.0, -86400.0, -3.0, 86400.0])
def test_after_a_boot_no_tags_are_believed(kit: CatalogueKit, step: float) -> None:
    keys = seen(kit)
    kit.pass_time(1)
    kit.step = step
    kit.remount(booted=True)
    kit.scan("d/")
    assert kit.cost(lambda: kit.cache.get_tags("d/0")) == 1
    assert kit.cost(lambda: kit.cache.head_many(keys)) == 0, "these are proved"


def test_what_was_written_here_is_remembered_as_it_is(kit: CatalogueKit) -> None:
    kit.put("a", tags=TAGS)
    kit.put("b", tags=TAGS)
    kit.cache.put_tags("b", OTHER)
    kit.put("c", tags=TAGS)
    kit.cache.delete("c")
    kit.foreign("c")
    kit.remount()
    assert kit.cost(lambda: kit.cache.get_tags("a")) == 0
    assert kit.cache.get_tags("a") == TAGS
    assert kit.cache.get_tags("b") == OTHER
    assert kit.cache.get_tags("c") == NO_TAGS


def test_what_is_forgotten_is_asked_for(kit: CatalogueKit) -> None:
    seen(kit)
    kit.inner.put_tags("d/1", OTHER)
    kit.pass_time(1)
    kit.cache.forget("d/")
    kit.scan("d/")
    assert kit.cache.get_tags("d/1") == OTHER
    assert kit.cost(lambda: kit.cache.head("d/1")) == 1


def test_a_write_whose_outcome_nobody_knows_leaves_nothing(kit: CatalogueKit) -> None:
    seen(kit)
    kit.pass_time(1)

    def fail(operation: str, _key: str) -> None:
        if operation == "put_tags":
            raise Unreachable("no answer")

    kit.inner.after = fail
    with pytest.raises(Unreachable):
        kit.cache.put_tags("d/1", OTHER)
    kit.inner.after = None
    assert kit.cache.get_tags("d/1") == OTHER
    kit.remount()
    assert kit.cache.get_tags("d/1") == OTHER


def test_a_write_during_a_recollection_wins(
    kit: CatalogueKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen(kit)
    kit.remount()
    known = Catalogue.known

    def write_meanwhile(self, keys):
        found = known(self, keys)
        monkeypatch.setattr(Catalogue, "known", known)
        kit.cache.put_tags("d/1", OTHER)
        return found

    monkeypatch.setattr(Catalogue, "known", write_meanwhile)
    assert kit.cache.get_tags("d/1") == OTHER


@pytest.mark.parametrize("is_there", [True, False])
def test_an_answer_during_a_recollection_wins(
    kit: CatalogueKit, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    seen(kit)
    kit.remount()
    kit.scan("d/")
    kit.pass_time(1)
    known = Catalogue.known

    def look_meanwhile(self, keys):
        found = known(self, keys)
        if is_there:
            kit.foreign("d/1", b"another")
        else:
            kit.inner.delete("d/1")
        kit.cache.lookup("d/1", max_age=0)
        return found

    monkeypatch.setattr(Catalogue, "known", look_meanwhile)
    kit.cache.recall(["d/1"])
    shown = kit.cache.known("d/1")
    assert (shown and shown.size) == (7 if is_there else None)


def test_what_changed_during_a_recollection_is_asked_for(
    kit: CatalogueKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen(kit)
    kit.remount()
    recall = kit.memory.recall_tags

    def fail_meanwhile(keys):
        found = recall(keys)
        with pytest.raises(ObjectChanged):
            kit.cache.get("d/1", if_match="another")
        return found

    monkeypatch.setattr(kit.memory, "recall_tags", fail_meanwhile)
    assert kit.cost(lambda: kit.cache.get_tags("d/1")) == 2, "a GET that failed, and the tags"


class WithCatalogue(model.Calls):
    """The same calls, over a catalogue, with mounts that end and begin."""

    def __init__(self):
        super().__init__()
        self.kit = CatalogueKit(ttl=model.TTL, tag_ttl=model.TAG_TTL, max_listing=4)
        self.hand = self.kit.cache

    kit: CatalogueKit  # type: ignore[mutable-override]  # the base has one without

    @rule(killed=st.booleans(), booted=st.booleans())
    def remount(self, killed, booted):
        kit = self.kit
        at_cache = self.hand is kit.cache
        kit.remount(killed=killed, booted=booted)
        self.hand = kit.cache if at_cache else self.hand

    @rule(step=st.sampled_from([-86400.0, -3.0, 0.5, 7200.0]))
    def step_the_clock(self, step):
        self.kit.step += step

    def teardown(self):
        self.kit.close()


class Beside(WithCatalogue, model.Beside):
    """Another writer changes the bucket behind its back."""


TestBeside = Beside.TestCase
TestBeside.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
