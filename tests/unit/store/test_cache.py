"""What the cache remembers, for how long, and what a write makes of it. Nothing sleeps."""

import tracemalloc
from dataclasses import replace
from functools import partial

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    NoSuchBucket,
    NotFound,
    ObjectChanged,
    Unreachable,
    Unsupported,
)
from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, Keep, NewObject, ObjectType, Page
from tagfs.store.tags import NO_TAGS
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.unit.store.cachekit import OTHER, TAG_TTL, TAGS, TTL, Gate, Kit, Threads


@pytest.fixture
def kit():
    return Kit()


def fails(error, operation):
    def hook(done, _key):
        if done == operation:
            raise error

    return hook


# Ages


def test_a_head_is_asked_for_once_within_ttl(kit):
    kit.foreign("k", b"1")
    kit.cache.head("k")
    kit.pass_time(TTL - 1)
    assert kit.cost(lambda: kit.cache.head("k")) == 0
    kit.pass_time(1)
    assert kit.cost(lambda: kit.cache.head("k")) == 1


def test_hits_do_not_make_an_answer_younger(kit):
    kit.foreign("k", b"1")
    for _ in range(int(TTL)):
        kit.cache.head("k")
        kit.pass_time(1)
    kit.foreign("k", b"22")
    assert kit.cache.head("k").size == 2


def test_age_counts_from_the_beginning_of_the_request(kit):
    kit.foreign("k", b"1")
    kit.inner.after = lambda *_: kit.pass_time(10)
    kit.cache.head("k")
    kit.inner.after = None
    kit.pass_time(TTL - 11)
    assert kit.cost(lambda: kit.cache.head("k")) == 0
    kit.pass_time(1)
    assert kit.cost(lambda: kit.cache.head("k")) == 1


def test_max_age_wants_a_younger_answer(kit):
    kit.foreign("k", b"1")
    kit.cache.head("k")
    kit.pass_time(2)
    assert kit.cost(lambda: kit.cache.head("k", max_age=3)) == 0
    assert kit.cost(lambda: kit.cache.head("k", max_age=1)) == 1
    assert kit.cost(lambda: kit.cache.head("k", max_age=0)) == 1
    kit.cache.get_tags("k")
    kit.pass_time(2)
    assert kit.cost(lambda: kit.cache.get_tags("k", max_age=1)) == 1
    kit.cache.lookup("k")
    kit.pass_time(2)
    assert kit.cost(lambda: kit.cache.lookup("k", max_age=1)) == 1


def test_max_age_cannot_make_an_answer_last_longer(kit):
    kit.foreign("k", b"1")
    kit.cache.head("k")
    kit.pass_time(TTL + 1)
    assert kit.cost(lambda: kit.cache.head("k", max_age=10 * TTL)) == 1


def test_known_never_asks(kit):
    kit.foreign("k", b"1")
    assert kit.cost(lambda: kit.cache.known("k")) == 0
    assert kit.cache.known("k") is None
    info = kit.cache.head("k")
    assert kit.cache.known("k") == info
    kit.pass_time(5)
    assert kit.cache.known("k", max_age=4) is None
    kit.pass_time(TTL)
    assert kit.cache.known("k") is None
    with pytest.raises(NotFound):
        kit.cache.head("gone")
    assert kit.cache.known("gone") is None


def test_with_no_ttl_nothing_is_remembered():
    kit = Kit(ttl=0, tag_ttl=0)
    kit.put("d/k", b"1", TAGS)
    for call in (
        lambda: kit.cache.head("d/k"),
        lambda: kit.cache.lookup("d/k"),
        lambda: kit.cache.get_tags("d/k"),
        lambda: kit.scan("d/"),
        kit.cache.get_bucket_tags,
    ):
        assert kit.cost(call) == 1
        assert kit.cost(call) == 1
    assert kit.cache.known("d/k") is None


def test_tags_have_a_ttl_of_their_own(kit):
    kit.foreign("k", b"1", TAGS)
    assert kit.cache.get_tags("k") == TAGS
    kit.pass_time(TAG_TTL - 1)
    assert kit.cost(lambda: kit.cache.get_tags("k")) == 0
    kit.pass_time(1)
    assert kit.cost(lambda: kit.cache.get_tags("k")) == 1


def test_no_tags_is_an_answer_like_any_other(kit):
    kit.foreign("k", b"1")
    assert kit.cache.get_tags("k") == NO_TAGS
    assert kit.cost(lambda: kit.cache.get_tags("k")) == 0


def test_bucket_tags_are_remembered(kit):
    kit.cache.get_bucket_tags()
    assert kit.cost(kit.cache.get_bucket_tags) == 0
    kit.cache.update_bucket_tags(lambda _: TAGS)
    assert kit.cost(kit.cache.get_bucket_tags) == 0
    assert kit.cache.get_bucket_tags() == TAGS
    kit.pass_time(TAG_TTL)
    assert kit.cost(kit.cache.get_bucket_tags) == 1
    kit.inner.after = fails(Unreachable("lost"), "put_bucket_tags")
    with pytest.raises(Unreachable):
        kit.cache.update_bucket_tags(lambda _: OTHER)
    assert kit.cache.get_bucket_tags() == OTHER


# Absence


def test_absence_is_remembered(kit):
    for call in (kit.cache.head, kit.cache.get_tags):
        with pytest.raises(NotFound):
            call("no")
    assert kit.inner.count() == 1
    kit.cache.lookup("never")
    assert kit.cost(lambda: kit.cache.lookup("never")) == 0
    kit.foreign("no")
    kit.pass_time(TTL)
    assert kit.cache.head("no").size == 1


def test_a_missing_bucket_is_no_missing_key(kit):
    kit.inner.before = fails(NoSuchBucket("gone"), "head")
    with pytest.raises(NoSuchBucket):
        kit.cache.head("k")
    kit.inner.before = None
    kit.foreign("k")
    assert kit.cache.head("k").size == 1


def test_other_failures_are_not_remembered(kit):
    kit.foreign("k")
    kit.inner.before = fails(Unreachable("no answer"), "head")
    with pytest.raises(Unreachable):
        kit.cache.head("k")
    kit.inner.before = None
    assert kit.cache.head("k").size == 1


# Listings


def test_a_listing_answers_for_its_directory(kit):
    for key in ("d/a", "d/sub/x", "d/both", "d/both/y"):
        kit.foreign(key)
    kit.scan("d/")
    before = kit.inner.count()
    found = kit.cache.lookup("d/a")
    assert found.info is not None
    assert (found.info.key, found.is_prefix) == ("d/a", False)
    assert (kit.cache.lookup("d/sub").info, kit.cache.lookup("d/sub").is_prefix) == (None, True)
    assert kit.cache.lookup("d/both").info is not None
    assert kit.cache.lookup("d/both").is_prefix
    assert kit.cache.lookup("d/none") == kit.cache.lookup("d/none/deeper/still")
    assert kit.cache.lookup("d/a/below").info is None
    with pytest.raises(NotFound):
        kit.cache.head("d/none")
    with pytest.raises(NotFound):
        kit.cache.head("d/none/")
    with pytest.raises(NotFound):
        kit.cache.get_tags("d/none")
    assert kit.cache.known("d/a") is not None
    assert kit.inner.count() == before


def test_a_listed_directory_knows_that_it_is_one(kit):
    kit.foreign("d/a")
    kit.scan("d/")
    kit.cache.lookup("d")
    assert kit.inner.count("lookup") == 1  # for the object "d" that might be there too
    assert kit.cost(lambda: kit.cache.lookup("d")) == 0


def test_a_scan_is_remembered_and_comes_in_the_same_order(kit):
    for key in ("d/", "d/b", "d/a/x", "d/a", "d/a-", "d/é"):
        kit.foreign(key)
    first = kit.scan("d/")
    assert kit.cost(lambda: kit.scan("d/")) == 0
    assert kit.scan("d/") == first
    kit.pass_time(TTL)
    assert kit.cost(lambda: kit.scan("d/")) == 1


def test_an_empty_directory_is_remembered(kit):
    assert kit.scan("d/") == []
    assert kit.cost(lambda: kit.scan("d/")) == 0
    assert not kit.cache.lookup("d/x").is_prefix


def test_the_marker_comes_with_the_lookup_of_a_listed_directory(kit):
    kit.foreign("d/sub/")
    kit.scan("d/")
    assert kit.cache.lookup("d/sub").marker is None
    kit.scan("d/sub/")
    marker = kit.cache.lookup("d/sub").marker
    assert marker is not None
    assert marker.key == "d/sub/"


def test_a_lookup_primes_head_and_marker(kit):
    kit.foreign("d/")
    kit.foreign("d")
    kit.cache.lookup("d")
    assert kit.cache.known("d") is not None
    assert kit.cache.known("d/") is not None
    kit.cache.lookup("gone")
    with pytest.raises(NotFound):
        kit.cache.head("gone")
    assert kit.inner.count("head") == 0


def test_a_large_directory_is_streamed_and_not_kept():
    kit = Kit(max_listing=10)
    for n in range(11):
        kit.foreign(f"d/{n:02}")
    assert len(kit.scan("d/")) == 11
    assert kit.cost(lambda: kit.scan("d/")) == 1
    assert kit.cache.stats.rows == 0


def test_a_directory_that_grows_too_large_is_dropped():
    kit = Kit(max_listing=3)
    kit.scan("d/")
    for n in range(4):
        kit.put(f"d/{n}")
    assert kit.cache.stats.listings == 0
    assert len(kit.scan("d/")) == 4


def test_the_number_of_entries_is_bounded():
    kit = Kit(max_entries=16, max_listing=10)
    for d in range(4):
        for n in range(6):
            kit.foreign(f"{d}/{n}")
        kit.scan(f"{d}/")
        for n in range(6):
            kit.cache.head(f"{d}/{n}")
            kit.cache.get_tags(f"{d}/{n}")
    stats = kit.cache.stats
    assert stats.rows <= 16
    assert stats.entries <= 2
    assert stats.tag_sets <= 2
    assert kit.scan("0/") == [f"0/{n}" for n in range(6)]


def test_a_listed_link_is_asked_for_as_a_link(kit):
    kit.inner.put_symlink("d/link", "t", NewObject(tags=NO_TAGS))
    kit.foreign("d/file")
    kit.scan("d/")
    asked = []
    ask = kit.inner.head

    def head(key, *, expected=None, max_age=None):
        asked.append(expected)
        return ask(key, expected=expected, max_age=max_age)

    kit.inner.head = head
    kit.cache.head("d/link")
    kit.cache.head("d/file")
    assert asked == [ObjectType.SYMLINK, None]


def test_a_listed_object_has_its_detail_when_that_is_known(kit):
    kit.foreign("d/k", metadata={"mode": "1"})
    kit.scan("d/")
    listed = kit.cache.lookup("d/k").info
    assert listed is not None
    assert listed.detail is None
    kit.cache.head("d/k")
    found = kit.cache.lookup("d/k").info
    assert found is not None
    assert found.detail is not None
    kit.cache.forget("")
    kit.cache.head("d/k")
    kit.pass_time(1)
    kit.scan("d/")
    found = kit.cache.lookup("d/k").info
    assert found is not None
    assert found.detail is not None


def test_a_younger_listing_outweighs_an_older_head(kit):
    kit.foreign("d/k", b"1")
    kit.foreign("d/gone")
    kit.cache.head("d/k")
    kit.cache.head("d/gone")
    kit.pass_time(1)
    kit.foreign("d/k", b"22")
    kit.inner.delete("d/gone")
    kit.scan("d/")
    assert kit.cache.head("d/k").size == 2
    with pytest.raises(NotFound):
        kit.cache.head("d/gone")


def test_a_younger_head_outweighs_an_older_listing(kit):
    kit.foreign("d/k", b"1")
    kit.scan("d/")
    kit.pass_time(1)
    kit.foreign("d/k", b"22")
    kit.cache.head("d/k")
    found = kit.cache.lookup("d/k").info
    assert found is not None
    assert found.size == 2


# Detail that comes to life again


def test_a_new_listing_revives_the_detail_of_what_did_not_change(kit):
    kit.foreign("d/k", metadata={"mode": "1"})
    kit.pass_time(10)
    kit.cache.head("d/k")
    kit.pass_time(TTL)
    kit.scan("d/")
    assert kit.cost(lambda: kit.cache.head("d/k")) == 0
    kit.pass_time(TTL)
    assert kit.cost(lambda: kit.cache.head("d/k")) == 1


def test_a_new_lookup_revives_the_detail_of_what_did_not_change(kit):
    kit.foreign("k", metadata={"mode": "1"})
    kit.pass_time(10)
    kit.cache.head("k")
    kit.pass_time(TTL)
    found = kit.cache.lookup("k").info
    assert found is not None
    assert kit.cost(lambda: kit.cache.head("k")) == 0


def test_changed_metadata_shows_in_a_listing_and_revives_nothing(kit):
    kit.foreign("d/k", metadata={"mode": "1"})
    kit.pass_time(10)
    kit.cache.head("d/k")
    kit.pass_time(TTL)
    kit.inner.set_metadata(kit.inner.head("d/k"), {"mode": "2"}, {})
    kit.scan("d/")
    detail = kit.cache.head("d/k").detail
    assert detail is not None
    assert detail.metadata == {"mode": "2"}


def test_detail_asked_for_just_after_a_change_is_not_revived(kit):
    kit.foreign("d/k", metadata={"mode": "1"})
    kit.pass_time(0.1)
    kit.cache.head("d/k")
    kit.inner.set_metadata(kit.inner.head("d/k"), {"mode": "2"}, {})  # within the same second
    kit.pass_time(TTL)
    kit.scan("d/")
    detail = kit.cache.head("d/k").detail
    assert detail is not None
    assert detail.metadata == {"mode": "2"}


def test_detail_asked_for_just_after_a_change_is_not_revived_by_a_lookup(kit):
    kit.foreign("k", metadata={"mode": "1"})
    kit.pass_time(0.1)
    kit.cache.head("k")
    kit.inner.set_metadata(kit.inner.head("k"), {"mode": "2"}, {})  # within the same second
    kit.pass_time(TTL)
    kit.cache.lookup("k")
    detail = kit.cache.head("k").detail
    assert detail is not None
    assert detail.metadata == {"mode": "2"}


def test_young_detail_is_not_made_younger_by_a_lookup_of_about_the_same_time(kit):
    kit.foreign("k", metadata={"mode": "1"})
    kit.pass_time(0.1)
    kit.cache.head("k")
    kit.pass_time(TTL - 1)
    kit.cache.lookup("k", max_age=1)
    assert kit.cost(lambda: kit.cache.head("k")) == 0
    kit.pass_time(1)
    assert kit.cost(lambda: kit.cache.head("k")) == 1


def test_a_number_of_tags_is_not_revived(kit):
    kit.foreign("d/k")
    kit.foreign("other")
    kit.cache.get_tags("other")
    kit.pass_time(10)
    kit.cache.head("d/k")
    kit.inner.put_tags("d/k", TAGS)
    kit.pass_time(TTL)
    kit.scan("d/")
    kit.cache.head("d/k")
    assert kit.cache.get_tags("d/k") == TAGS


# Content


def test_get_brings_a_head(kit):
    kit.foreign("k", b"123", metadata={"mode": "1"})
    kit.cache.get("k", 0, 1)
    assert kit.cost(lambda: kit.cache.head("k")) == 0
    assert kit.cost(lambda: kit.cache.get("k")) == 1


def test_a_get_that_finds_another_version_forgets_the_old_one(kit):
    old = kit.foreign("k", b"1")
    kit.scan("")
    kit.cache.head("k")
    kit.foreign("k", b"22")
    with pytest.raises(ObjectChanged):
        kit.cache.get("k", if_match=old.etag)
    assert kit.cache.head("k").size == 2
    kit.inner.delete("k")
    with pytest.raises(NotFound):
        kit.cache.get("k")
    assert kit.cache.lookup("k").info is None


def test_a_get_through_a_link_is_no_head_of_the_link(kit):
    kit.foreign("file", b"123456789")
    kit.inner.put_symlink("link", "file", NewObject(tags=NO_TAGS))
    assert kit.cache.get("link").data == b"123456789"
    assert kit.cache.head("link").type is ObjectType.SYMLINK


# Writing


def test_a_put_is_known_without_asking(kit):
    kit.scan("")
    kit.scan("d/")
    kit.cache.lookup("d/sub/k")
    kit.put("d/sub/k", b"123", TAGS, metadata={"mode": "1"})
    before = kit.inner.count()
    info = kit.cache.head("d/sub/k")
    assert info.size == 3
    assert info.detail is not None
    assert (info.detail.metadata, info.detail.tag_count) == ({"mode": "1"}, 1)
    assert kit.cache.get_tags("d/sub/k") == TAGS
    assert kit.scan("") == ["d/"]
    assert kit.scan("d/") == ["d/sub/"]
    assert kit.cache.lookup("d/sub").is_prefix
    assert kit.cache.lookup("d/sub/k").info is not None
    assert kit.inner.count() == before


@pytest.mark.parametrize("listed", [True, False])
def test_what_is_made_in_a_new_directory_needs_no_look(kit, listed):
    if listed:
        kit.scan("")
    kit.cache.lookup("d")
    kit.put("d/")
    before = kit.inner.count()
    assert kit.cache.lookup("d/new").info is None
    kit.put("d/new")
    assert kit.cache.lookup("d/sub") == kit.cache.lookup("d/sub/x")
    kit.put("d/sub/")
    assert kit.cache.lookup("d/sub/y").info is None
    kit.put("d/sub/y")
    assert kit.cache.lookup("d/sub/y").info is not None
    assert kit.scan("d/") == ["d/", "d/new", "d/sub/"]
    assert kit.inner.count() == before + 3


def test_what_a_new_directory_holds_is_as_old_as_its_absence(kit):
    kit.cache.lookup("d")
    kit.pass_time(TTL - 1)
    kit.put("d/")
    kit.foreign("d/foreign")
    assert kit.cache.lookup("d/foreign").info is None
    kit.pass_time(1)
    assert kit.cache.lookup("d/foreign").info is not None


def test_a_delete_is_known_without_asking(kit):
    kit.foreign("a/b/c/k")
    for prefix in ("", "a/", "a/b/", "a/b/c/"):
        kit.scan(prefix)
    before = kit.inner.count()
    kit.cache.delete("a/b/c/k")
    for prefix in ("", "a/", "a/b/", "a/b/c/"):
        assert kit.scan(prefix) == []
    assert not kit.cache.lookup("a").is_prefix
    assert not kit.cache.lookup("a/b/c").is_prefix
    with pytest.raises(NotFound):
        kit.cache.head("a/b/c/k")
    with pytest.raises(NotFound):
        kit.cache.get_tags("a/b/c/k")
    assert kit.inner.count() == before + 1


@pytest.mark.parametrize("rest", ["a/b/", "a/b/other", "a/b/x/y"])
def test_a_directory_stays_while_it_has_a_marker_or_children(kit, rest):
    kit.foreign("a/b/k")
    kit.foreign(rest)
    for prefix in ("", "a/", "a/b/"):
        kit.scan(prefix)
    kit.cache.delete("a/b/k")
    assert kit.scan("a/") == ["a/b/"]
    assert kit.cache.lookup("a/b").is_prefix


@pytest.mark.parametrize("rest", [None, "a/b/other"])
def test_whether_an_unlisted_directory_stays_is_asked(kit, rest):
    kit.foreign("a/b/k")
    kit.foreign("c")
    if rest is not None:
        kit.foreign(rest)
    kit.scan("")
    kit.scan("a/")
    kit.cache.delete("a/b/k")
    assert kit.cache.lookup("a/b").is_prefix is (rest is not None)
    assert kit.cache.lookup("a").is_prefix is (rest is not None)
    assert kit.scan("a/") == (["a/b/"] if rest else [])
    assert kit.scan("") == (["c", "a/"] if rest else ["c"])


def test_a_directory_whose_marker_is_known_stays_without_a_question(kit):
    kit.foreign("a/b/k")
    kit.foreign("a/b/")
    kit.scan("a/")
    kit.cache.head("a/b/")
    kit.cache.delete("a/b/k")
    assert kit.cost(lambda: kit.scan("a/")) == 0
    assert kit.cache.lookup("a/b").is_prefix


def test_an_invalidated_name_does_not_invalidate_its_siblings(kit):
    kit.foreign("a/b/k")
    kit.foreign("a/c")
    kit.scan("a/")
    kit.cache.delete("a/b/k")
    assert kit.cost(lambda: kit.cache.lookup("a/c")) == 0
    assert kit.cost(lambda: kit.cache.lookup("a/none")) == 0
    assert kit.cost(lambda: kit.cache.lookup("a/b")) == 1


def test_what_a_vanished_directory_proves_is_as_old_as_its_listing(kit):
    kit.foreign("a/b/k")
    kit.scan("a/b/")
    kit.pass_time(TTL - 2)
    kit.foreign("a/b/z")
    kit.scan("a/")
    kit.cache.delete("a/b/k")
    assert not kit.cache.lookup("a/b").is_prefix
    kit.pass_time(2)
    assert kit.cache.lookup("a/b").is_prefix


def test_delete_many_is_known_without_asking(kit):
    for n in range(3):
        kit.foreign(f"d/{n}")
    kit.scan("")
    kit.scan("d/")

    def stubborn(operation, key):
        if (operation, key) == ("delete_many_key", "d/2"):
            raise AccessDenied("no")

    kit.inner.before = stubborn
    failed = kit.cache.delete_many(["d/0", "d/1", "d/2"])
    assert set(failed) == {"d/2"}
    assert kit.cache.lookup("d/0").info is None
    assert kit.cache.lookup("d/2").info is not None
    kit.inner.before = None
    kit.cache.delete_many(["d/2"])
    assert kit.scan("") == []


@pytest.mark.parametrize("write", ["copy", "symlink", "append", "upload", "start_append"])
def test_every_way_to_make_an_object_is_known_without_asking(kit, write):
    source = kit.foreign("source", b"data", TAGS, metadata={"mode": "1"})
    log = kit.inner.start_append("d/log", BytesSource(b"1"), NewObject(tags=NO_TAGS))
    kit.scan("d/")
    kit.cache.head("source")
    kit.cache.head("d/log")
    fresh = NewObject(tags=OTHER, metadata={"mode": "2"})
    if write == "copy":
        made = kit.cache.copy(source, "d/k")
    elif write == "symlink":
        made = kit.cache.put_symlink("d/k", "t", fresh)
    elif write == "append":
        made = kit.cache.append(log, BytesSource(b"2"))
    elif write == "start_append":
        made = kit.cache.start_append("d/k", BytesSource(b"2"), fresh)
    else:
        begun = kit.cache.start_upload("d/k", fresh)
        part = kit.cache.upload_part(begun, 1, BytesSource(b"2"))
        made = kit.cache.complete_upload(begun, [part])
    before = kit.inner.count()
    info = kit.cache.head(made.key)
    assert (info.etag, info.size) == (made.etag, made.size)
    assert made.key in kit.scan("d/")
    assert kit.inner.count() == before
    assert kit.inner.head(made.key) == info
    assert kit.cache.get_tags(made.key) == kit.inner.get_tags(made.key)


def test_set_metadata_is_known_without_asking(kit):
    info = kit.foreign("d/k", tags=TAGS)
    kit.scan("d/")
    kit.cache.get_tags("d/k")
    kit.cache.set_metadata(info, {"mode": "2"}, {})
    before = kit.inner.count()
    detail = kit.cache.head("d/k").detail
    assert detail is not None
    assert detail.metadata == {"mode": "2"}
    assert kit.cache.get_tags("d/k") == TAGS
    assert kit.inner.count() == before


def test_detail_that_a_copy_takes_over_keeps_its_age(kit):
    kit.foreign("a", metadata={"mode": "1"})
    source = kit.cache.head("a")
    kit.pass_time(TTL - 1)
    kit.cache.copy(source, "b")
    assert kit.cost(lambda: kit.cache.head("b")) == 0
    kit.pass_time(1)
    assert kit.cost(lambda: kit.cache.head("b")) == 1


@pytest.mark.parametrize("lost", [True, False])
def test_a_write_whose_answer_was_lost_leaves_nothing_known(kit, lost):
    kit.foreign("d/k", b"1", TAGS)
    kit.scan("")
    kit.scan("d/")
    kit.cache.get_tags("d/k")
    failing = fails(Unreachable("no answer"), "put")
    if lost:
        kit.inner.after = failing
    else:
        kit.inner.before = failing
    for key in ("d/k", "d/new", "e/new"):
        with pytest.raises(Unreachable):
            kit.put(key, b"22", OTHER)
    kit.inner.after = kit.inner.before = None
    assert kit.cache.head("d/k").size == (2 if lost else 1)
    assert kit.cache.get_tags("d/k") == (OTHER if lost else TAGS)
    assert (kit.cache.lookup("d/new").info is not None) == lost
    assert kit.scan("d/") == (["d/k", "d/new"] if lost else ["d/k"])
    assert kit.cache.lookup("e").is_prefix == lost
    assert kit.scan("") == (["d/", "e/"] if lost else ["d/"])


def test_a_refused_write_changes_nothing(kit):
    kit.foreign("d/k", b"1", TAGS)
    kit.scan("d/")
    kit.cache.head("d/k")
    kit.inner.before = fails(AccessDenied("no"), "put")
    with pytest.raises(AccessDenied):
        kit.put("d/k", b"2")
    assert kit.cost(lambda: kit.cache.head("d/k")) == 0
    assert kit.cost(lambda: kit.cache.lookup("d/none")) == 0


def test_an_exclusive_write_that_meets_another_is_seen_by_the_next_look(kit):
    kit.scan("")
    kit.foreign("k", b"22")
    assert kit.cache.lookup("k").info is None
    with pytest.raises(AlreadyExists):
        kit.put("k", b"1", exclusive=True)
    assert kit.cache.head("k").size == 2


def test_a_source_that_changed_is_asked_for_again(kit):
    kit.foreign("a", b"1")
    source = kit.cache.head("a")
    kit.foreign("a", b"22")
    with pytest.raises(ObjectChanged):
        kit.cache.copy(source, "b")
    assert kit.cache.head("a").size == 2
    begun = kit.cache.start_upload("c", NewObject(tags=NO_TAGS))
    kit.foreign("a", b"333")
    with pytest.raises(ObjectChanged):
        kit.cache.copy_part(begun, 1, kit.cache.head("a"), 0, 1)
    assert kit.cache.head("a").size == 3


# Forgetting


def test_forget(kit):
    for key in ("a/b/k", "a/c", "d"):
        kit.foreign(key, tags=TAGS)
        kit.cache.head(key)
        kit.cache.get_tags(key)
    for prefix in ("", "a/", "a/b/"):
        kit.scan(prefix)
    kit.cache.forget("a/b/")
    kit.foreign("a/b/k", b"22", OTHER)
    assert kit.cache.head("a/b/k").size == 2
    assert kit.cache.get_tags("a/b/k") == OTHER
    assert kit.cost(lambda: kit.cache.head("a/c")) == 0
    assert kit.cost(lambda: kit.scan("a/")) == 1
    assert kit.cost(lambda: kit.scan("")) == 1
    kit.cache.forget()
    stats = kit.cache.stats
    assert (stats.entries, stats.tag_sets, stats.listings, stats.rows) == (0, 0, 0, 0)


def test_stats_count(kit):
    kit.foreign("k")
    kit.cache.head("k")
    kit.cache.head("k")
    stats = kit.cache.stats
    assert (stats.hits, stats.misses, stats.coalesced, stats.entries) == (1, 1, 0, 1)


def test_close_closes_what_is_inside(kit):
    kit.cache.close()
    assert kit.inner.closed


# Tags


def test_an_untagged_object_costs_no_tag_request_once_tags_may_be_read(kit):
    kit.foreign("a")
    kit.foreign("b")
    kit.cache.head("b")
    assert kit.cost(lambda: kit.cache.get_tags("b")) == 1
    kit.cache.head("a")
    assert kit.cost(lambda: kit.cache.get_tags("a")) == 0
    assert kit.cost(lambda: kit.cache.get_tags("a", max_age=1)) == 0
    kit.pass_time(2)
    assert kit.cost(lambda: kit.cache.get_tags("a", max_age=1)) == 1


def test_a_count_is_not_believed_where_services_do_not_count():
    kit = Kit(counts_tags=False)
    kit.foreign("a")
    kit.foreign("b")
    kit.cache.get_tags("b")
    kit.cache.head("a")
    assert kit.cost(lambda: kit.cache.get_tags("a")) == 1


def test_a_count_is_not_believed_after_tags_were_denied(kit):
    kit.foreign("a", tags=TAGS)
    kit.foreign("b")
    kit.foreign("c")
    kit.cache.get_tags("b")
    kit.inner.before = fails(AccessDenied("no"), "get_tags")
    with pytest.raises(AccessDenied):
        kit.cache.get_tags("a")
    kit.inner.before = None
    kit.cache.head("c")
    assert kit.cost(lambda: kit.cache.get_tags("c")) == 1


def test_a_count_is_believed_only_where_tags_were_read(kit):
    """Rights differ by prefix, and who may not read tags is shown no count of them."""
    kit.foreign("a/tagged", tags=TAGS)
    kit.foreign("a/x")
    kit.foreign("b/secret", tags=TAGS)
    shown = kit.inner.head("b/secret")
    hidden = replace(shown, detail=replace(shown.detail, tag_count=None))
    kit.cache.get_tags("a/tagged")
    kit.cache.head("a/x")
    assert kit.cost(lambda: kit.cache.get_tags("a/x")) == 0
    with kit.cache._state.lock:
        kit.cache._state.record("b/secret", hidden, kit.clock.now)
    kit.put("b/secret", b"new", Keep.REPLACED)
    assert kit.inner.get_tags("b/secret") == TAGS


def test_a_tagged_object_is_asked_for_its_tags(kit):
    kit.foreign("a", tags=TAGS)
    kit.foreign("b")
    kit.cache.get_tags("b")
    kit.cache.head("a")
    assert kit.cache.get_tags("a") == TAGS


def test_an_edit_outweighs_the_count_of_an_older_head(kit):
    kit.foreign("a")
    kit.cache.get_tags("a")
    kit.cache.head("a")
    kit.cache.put_tags("a", TAGS)
    assert kit.cost(lambda: kit.cache.get_tags("a")) == 0
    assert kit.cache.get_tags("a") == TAGS
    detail = kit.cache.head("a").detail
    assert detail is not None
    assert detail.tag_count == 1


def test_a_failed_edit_leaves_no_tags_known(kit):
    kit.foreign("a", tags=TAGS)
    kit.cache.get_tags("a")
    kit.scan("")
    kit.inner.after = fails(Unreachable("lost"), "put_tags")
    with pytest.raises(Unreachable):
        kit.cache.put_tags("a", OTHER)
    kit.inner.after = None
    assert kit.cache.get_tags("a") == OTHER
    assert kit.cost(lambda: kit.scan("")) == 0


def test_update_tags_reads_afresh(kit):
    kit.foreign("a", tags=TAGS)
    kit.cache.get_tags("a")
    kit.inner.put_tags("a", OTHER)
    assert kit.cache.update_tags("a", lambda tags: tags.with_tag("n", "1")) == {
        "team": "red",
        "n": "1",
    }
    assert kit.cost(lambda: kit.cache.get_tags("a")) == 0


def test_a_count_that_differs_drops_remembered_tags(kit):
    kit.foreign("a", tags=TAGS)
    kit.cache.get_tags("a")
    kit.pass_time(1)
    kit.inner.put_tags("a", TAGS.with_tag("n", "1"))
    kit.cache.head("a", max_age=0)
    assert kit.cache.get_tags("a") == TAGS.with_tag("n", "1")


def rewrite(kit, key="k"):
    return kit.cost(lambda: kit.cache.put(key, BytesSource(b"new"), NewObject()))


def test_a_rewrite_asks_for_tags_that_are_not_known(kit):
    kit.foreign("k", tags=TAGS)
    assert rewrite(kit) == 2
    assert kit.inner.get_tags("k") == TAGS


def test_a_rewrite_asks_for_nothing_that_was_just_asked(kit):
    kit.foreign("k", tags=TAGS)
    kit.cache.get_tags("k")
    kit.pass_time(FRESH_WITHIN / 2)
    assert rewrite(kit) == 1
    assert kit.inner.get_tags("k") == TAGS
    kit.cache.get_tags("k", max_age=0)
    kit.pass_time(FRESH_WITHIN)
    assert rewrite(kit) == 2


def test_a_rewrite_of_an_untagged_or_missing_object_is_one_request(kit):
    kit.foreign("k")
    kit.foreign("other")
    kit.cache.get_tags("other")
    kit.cache.head("k")
    assert rewrite(kit) == 1
    kit.cache.lookup("missing")
    assert rewrite(kit, "missing") == 1
    kit.scan("d/")
    assert rewrite(kit, "d/missing") == 1


def test_older_knowledge_does_not_decide_what_a_rewrite_keeps(kit):
    kit.foreign("k")
    kit.cache.get_tags("k")
    kit.pass_time(FRESH_WITHIN)
    kit.inner.put_tags("k", TAGS)
    rewrite(kit)
    assert kit.inner.get_tags("k") == TAGS


def test_an_upload_and_a_link_use_recent_knowledge_too(kit):
    kit.foreign("k", tags=TAGS)
    kit.cache.get_tags("k")
    assert kit.cost(lambda: kit.cache.start_upload("k", NewObject())) == 1
    assert kit.cost(lambda: kit.cache.put_symlink("k", "t", NewObject())) == 1
    assert kit.inner.get_tags("k") == TAGS


def test_an_upload_still_says_whose_tags_it_keeps(kit):
    kit.foreign("k", tags=TAGS)
    kit.cache.get_tags("k")
    begun = kit.cache.start_upload("k", NewObject())
    assert begun.new.tags is Keep.REPLACED
    assert begun.tags == TAGS


@pytest.mark.parametrize(
    ("own", "replaced", "requests"),
    [(TAGS, OTHER, 1), (NO_TAGS, OTHER, 1), (NO_TAGS, NO_TAGS, 1)],
)
def test_a_copy_over_uses_recent_knowledge(kit, own, replaced, requests):
    source = kit.foreign("a", tags=own)
    kit.foreign("b", tags=replaced)
    kit.cache.get_tags("a")
    kit.cache.get_tags("b")
    assert kit.cost(lambda: kit.cache.copy(source, "b", tags=Keep.SOURCE_OR_REPLACED)) == requests
    assert kit.inner.get_tags("b") == (own or replaced)
    assert kit.cache.get_tags("b") == (own or replaced)


# Several at once


def single(kit, kind):
    return {"head": lambda key: kit.cache.head(key).size, "get_tags": kit.cache.get_tags}[kind]


def many(kit, kind):
    return {"head": kit.cache.head_many, "get_tags": kit.cache.get_tags_many}[kind]


KINDS = pytest.mark.parametrize("kind", ["head", "get_tags"])
OLD = {"head": 1, "get_tags": TAGS}
NEW = {"head": 2, "get_tags": OTHER}


def let_leave_out(kit, kind, *left_out):
    """Make the bucket leave some keys out of its answers to many."""
    name = f"{kind}_many"
    real = getattr(kit.inner, name)
    setattr(kit.inner, name, lambda keys: real([key for key in keys if key not in left_out]))


def nothing_is_under_way(kit):
    return len(kit.cache._state.flights) == 0


@KINDS
def test_many_answers_are_remembered(kit, kind):
    for key in "abc":
        kit.foreign(key, b"1", TAGS)
    found = many(kit, kind)(["a", "b", "gone"])
    assert set(found) == {"a", "b"}
    assert kit.cost(lambda: [single(kit, kind)(key) for key in "ab"]) == 0
    assert [single(kit, kind)(key) for key in "ab"] == [OLD[kind]] * 2
    assert kit.cost(lambda: many(kit, kind)(["a", "b", "c"])) == 1
    assert many(kit, kind)(["a", "b", "c"]) == {}
    assert nothing_is_under_way(kit)


@KINDS
def test_many_answers_age_like_others(kit, kind):
    ttl = {"head": TTL, "get_tags": TAG_TTL}[kind]
    kit.foreign("k", b"1", TAGS)
    many(kit, kind)(["k"])
    kit.pass_time(ttl - 1)
    assert kit.cost(lambda: single(kit, kind)("k")) == 0
    kit.pass_time(1)
    assert set(many(kit, kind)(["k"])) == {"k"}


@KINDS
def test_what_is_left_out_is_not_taken_for_missing(kit, kind):
    for key in "ab":
        kit.foreign(key, b"1", TAGS)
    let_leave_out(kit, kind, "b")
    assert set(many(kit, kind)(["a", "b"])) == {"a"}
    assert kit.cost(lambda: single(kit, kind)("b")) == 1
    assert single(kit, kind)("b") == OLD[kind]


@KINDS
def test_one_key_twice_is_asked_for_once(kit, kind):
    kit.foreign("k", b"1", TAGS)
    assert kit.cost(lambda: many(kit, kind)(["k", "k", "k"])) == 1
    assert nothing_is_under_way(kit)


def test_a_listing_is_no_description_to_many(kit):
    kit.foreign("k", b"1", metadata={"m": "1"})
    kit.scan()
    assert kit.cache.known("k").detail is None
    assert kit.cost(lambda: kit.cache.head_many(["k", "not listed"])) == 1
    assert kit.cache.known("k").detail.metadata == {"m": "1"}


def test_what_has_no_tags_is_not_asked_for(kit):
    kit.foreign("tagged", b"1", TAGS)
    kit.foreign("k", b"1")
    kit.cache.get_tags("tagged")  # they may be read: counts are believed
    kit.cache.head("k")
    assert kit.cost(lambda: kit.cache.get_tags_many(["k"])) == 0
    assert kit.cache.get_tags("k") == NO_TAGS


def test_reading_many_tags_shows_that_they_may_be_read(kit):
    kit.foreign("tagged", b"1", TAGS)
    kit.foreign("k", b"1")
    kit.cache.head("k")
    kit.cache.get_tags_many(["tagged"])
    assert kit.cost(lambda: kit.cache.get_tags("k")) == 0


def test_reading_no_tags_of_many_shows_nothing(kit):
    kit.foreign("k", b"1")
    kit.cache.head("k")
    assert kit.cost(lambda: kit.cache.get_tags_many(["gone"])) == 1
    assert kit.cost(lambda: kit.cache.get_tags("k")) == 1


def test_a_bucket_without_tags_leaves_all_out(kit):
    kit.foreign("k", b"1")
    kit.inner.get_tags_many = lambda _keys: {}
    assert kit.cache.get_tags_many(["k"]) == {}
    kit.inner.before = fails(Unsupported("tags"), "get_tags")
    with pytest.raises(Unsupported):
        kit.cache.get_tags("k")


@KINDS
def test_who_asks_for_one_of_many_waits_for_it(kit, kind):
    for key in "abc":
        kit.foreign(key, b"1", TAGS)
    gate = kit.inner.before = Gate(kind, "c")
    with Threads(kit) as threads:
        first = threads.start(lambda: many(kit, kind)(["a", "b", "c"]))
        gate.wait()
        others = threads.join([partial(single(kit, kind), key) for key in "abc"])
        gate.open()
        assert [other.result(10) for other in others] == [OLD[kind]] * 3
        assert first.result(10).keys() == {"a", "b", "c"}  # type: ignore[attr-defined]
    assert kit.inner.count(kind) == 3


@KINDS
def test_who_waits_for_what_is_left_out_asks_itself(kit, kind):
    for key in "ab":
        kit.foreign(key, b"1", TAGS)
    let_leave_out(kit, kind, "b", "gone")
    gate = kit.inner.before = Gate(kind, "a")
    with Threads(kit) as threads:
        first = threads.start(lambda: many(kit, kind)(["a", "b", "gone"]))
        gate.wait()
        others = threads.join([lambda: single(kit, kind)("b")] * 3)
        (lost,) = threads.join([lambda: single(kit, kind)("gone")])
        gate.open()
        assert first.result(10).keys() == {"a"}  # type: ignore[attr-defined]
        assert [other.result(10) for other in others] == [OLD[kind]] * 3
        with pytest.raises(NotFound):
            lost.result(10)
    assert kit.inner.count(kind) == 3
    assert nothing_is_under_way(kit)


@KINDS
@pytest.mark.parametrize("error", [Unreachable("no answer"), KeyboardInterrupt()])
def test_who_waits_for_many_that_fail_asks_itself(kit, kind, error):
    for key in "ab":
        kit.foreign(key, b"1", TAGS)
    gate = Gate(kind, "a")
    failed: list[str] = []

    def once(operation, key):
        gate(operation, key)
        if key == "b" and not failed:
            failed.append(key)
            raise error

    kit.inner.before = once
    with Threads(kit) as threads:
        first = threads.start(lambda: many(kit, kind)(["a", "b"]))
        gate.wait()
        others = threads.join([partial(single(kit, kind), key) for key in "ab"])
        gate.open()
        with pytest.raises(type(error)):
            first.result(10)
        assert [other.result(10) for other in others] == [OLD[kind]] * 2
    assert nothing_is_under_way(kit)


@KINDS
def test_many_do_not_wait_for_one_that_is_asked_for(kit, kind):
    for key in "ab":
        kit.foreign(key, b"1", TAGS)
    gate = kit.inner.before = Gate(kind, "a")
    with Threads(kit) as threads:
        first = threads.start(lambda: single(kit, kind)("a"))
        gate.wait()
        assert set(many(kit, kind)(["a", "b"])) == {"b"}
        gate.open()
        assert first.result(10) == OLD[kind]
    assert kit.inner.count(kind) == 2


@KINDS
@pytest.mark.parametrize("hand", ["put", "delete", "put_tags", "forget"])
def test_a_write_invalidates_many(kit, kind, hand):
    """What was asked before a write came back is reported to nobody later, and not remembered."""
    for key in "ab":
        kit.foreign(key, b"1", TAGS)
    gate = kit.inner.after = Gate(kind, "b")
    with Threads(kit) as threads:
        first = threads.start(lambda: many(kit, kind)(["a", "b"]))
        gate.wait()
        if hand == "put":
            kit.put("b", b"22", OTHER)
        elif hand == "delete":
            kit.cache.delete("b")
        elif hand == "put_tags":
            kit.cache.put_tags("b", OTHER)
        else:
            kit.cache.forget("b")
            kit.foreign("b", b"22", OTHER)
        gate.open()
        first.result(10)
    if hand == "delete":
        with pytest.raises(NotFound):
            single(kit, kind)("b")
    elif hand == "put_tags":
        assert kit.cache.get_tags("b") == OTHER
        assert kit.cache.head("b").detail.tag_count == len(OTHER)
    else:
        assert single(kit, kind)("b") == NEW[kind]
    assert kit.cost(lambda: single(kit, kind)("a")) == 0  # which nobody wrote
    assert nothing_is_under_way(kit)


@KINDS
def test_many_that_are_spoiled_are_not_shared(kit, kind):
    kit.foreign("k", b"1", TAGS)
    gate = kit.inner.after = Gate(kind, "k")
    with Threads(kit) as threads:
        first = threads.start(lambda: many(kit, kind)(["k"]))
        gate.wait()
        kit.cache.forget("k")
        kit.foreign("k", b"22", OTHER)
        later = threads.start(lambda: single(kit, kind)("k"))
        gate.wait()  # so it asks
        gate.open()
        assert later.result(10) == NEW[kind]
        first.result(10)
    assert single(kit, kind)("k") == NEW[kind]


def test_a_directory_that_is_being_made_is_expected_to_be_empty(kit):
    kit.cache.lookup("d")
    kit.cache.expect_empty("d/")
    assert kit.cost(lambda: kit.scan("d/")) == 0
    assert kit.scan("d/") == []
    assert kit.cost(lambda: kit.cache.lookup("d/k")) == 0
    kit.put("d/k", b"1")
    assert kit.cost(lambda: kit.scan("d/")) == 0
    assert kit.scan("d/") == ["d/k"]


@pytest.mark.parametrize("there", [True, False])
def test_without_a_look_nothing_is_expected(kit, there):
    if there:
        kit.foreign("d/k", b"1")
        kit.cache.lookup("d")
        kit.pass_time(FRESH_WITHIN)
    kit.cache.expect_empty("d/")
    kit.foreign("d/other", b"1")
    assert "d/other" in kit.scan("d/")


def test_what_is_expected_is_as_old_as_the_look(kit):
    kit.cache.lookup("d")
    kit.pass_time(TTL - 1)
    kit.cache.expect_empty("d/")
    kit.foreign("d/k", b"1")
    assert kit.scan("d/") == []
    kit.pass_time(1)
    assert kit.scan("d/") == ["d/k"]


# Size


@pytest.mark.slow
def test_a_listed_entry_takes_little_memory():
    keys = [f"d/file-{n:06}.dat" for n in range(20_000)]
    template = replace(Kit().foreign("template"), detail=None)
    pages = [
        Page(
            tuple(
                replace(template, key=key, size=n, etag=f"{n:032X}", last_modified_ns=n * 10**14)
                for n, key in enumerate(keys)
            )
        )
    ]

    class Large(MemoryBucket):
        def scan(self, prefix):  # noqa: ARG002 - it has but one directory
            return iter(pages)

    cache = CachedBucket(Large(), ttl=TTL, tag_ttl=TTL)
    tracemalloc.start()
    for _ in cache.scan("d/"):
        pass
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cache.stats.rows == len(keys)
    assert used / len(keys) < 250
    assert cache.lookup(keys[7]).info == pages[0].objects[7]
