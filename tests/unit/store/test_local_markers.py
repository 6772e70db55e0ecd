"""Markers that live in memory: a bucket that keeps none is seen as if it did."""

import pytest
from hypothesis import given, strategies as st

from tagfs.errors import AlreadyExists, NotFound, Unsupported
from tagfs.store.bucket import Capabilities
from tagfs.store.local_markers import LocalMarkers
from tagfs.store.objects import BytesSource, NewObject, Page
from tagfs.store.tags import TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket

EMPTY = BytesSource(b"")
NEW = NewObject(metadata={"mode": "1"}, exclusive=True)
PLAIN = NewObject(tags=TagSet())


def bucket() -> LocalMarkers:
    return LocalMarkers(MemoryBucket(capabilities=Capabilities(markers=False)))


def names(page: Page) -> list[str]:
    return sorted([*page.prefixes, *(info.key for info in page.objects)])


def test_a_directory() -> None:
    one = bucket()
    one.put("d/", EMPTY, NEW)
    assert one._inner.list("", delimiter="").objects == ()
    assert one.lookup("d").is_prefix
    assert one.lookup("d").marker == one.head("d/") == one.head_many(["d/"])["d/"]
    assert names(one.list("")) == ["d/"]
    with pytest.raises(AlreadyExists):
        one.put("d/", EMPTY, NEW)
    edited = one.set_metadata(one.head("d/"), {"mode": "2"}, {})
    moved = one.copy(edited, "e/")
    assert moved.detail is not None
    assert moved.detail.metadata == {"mode": "2"}
    assert one.delete_many(["d/"]) == {}
    with pytest.raises(NotFound):
        one.head("d/")
    assert not one.lookup("d").is_prefix
    one.delete("e/")
    assert names(one.list("")) == []


def test_it_has_no_tags() -> None:
    one = bucket()
    with pytest.raises(Unsupported):
        one.put("d/", EMPTY, NewObject(tags=TagSet({"a": "b"})))
    one.put("d/", EMPTY, NEW)
    assert one.get_tags("d/") == one.get_acl("d/") == {}
    assert one.list_annotations("d/") == {}
    assert one.get_tags_many(["d/"]) == {}
    with pytest.raises(Unsupported):
        one.put_tags("d/", TagSet({"a": "b"}))
    with pytest.raises(Unsupported):
        one.put_acl("d/", "private")
    with pytest.raises(Unsupported):
        one.update_tags("d/", lambda tags: tags.with_tag("a", "b"))


KEYS = st.sets(st.text("ab/", min_size=1, max_size=5).filter(lambda k: not k.startswith("/")))


@given(KEYS, KEYS, st.sampled_from(["", "/"]), st.integers(1, 3), st.sampled_from(["", "a/"]))
def test_pages_hold_what_a_bucket_that_keeps_markers_lists(
    files: set[str], directories: set[str], delimiter: str, limit: int, prefix: str
) -> None:
    """Each key once, in order, whatever a page holds."""
    one, plain = bucket(), MemoryBucket()
    for key in files:
        if not key.endswith("/"):
            one.put(key, EMPTY, PLAIN)
            plain.put(key, EMPTY, PLAIN)
    for key in directories:
        one.put(f"{key}/", EMPTY, PLAIN)
        plain.put(f"{key}/", EMPTY, PLAIN)
    found: list[str] = []
    token, more = None, True
    while more:
        page = one.list(prefix, delimiter=delimiter, token=token, limit=limit)
        found += names(page)
        token, more = page.token, page.token is not None
    assert found == sorted(found)
    whole = plain.list(prefix, delimiter=delimiter)
    assert list(dict.fromkeys(found)) == found == names(whole)
    if delimiter:
        assert [name for page in one.scan(prefix) for name in names(page)] == names(whole)
    beside = one.lookup("a").listing
    assert beside is None or names(beside) == names(plain.list("a/"))


def test_markers_of_hadoop_are_directories() -> None:
    one = LocalMarkers(MemoryBucket())
    for key in ("t_$folder$", "t/f", "e_$folder$", "d/_$folder$", "x_$folder$", "x"):
        one.put(key, EMPTY, PLAIN)
    one.put("n_$folder$", BytesSource(b"1"), PLAIN)
    assert not one.lookup("e").is_prefix  # none was seen yet
    assert names(one.list("")) == ["d/", "e/", "n_$folder$", "t/", "x"]
    assert names(one.list("d/")) == ["d/_$folder$"]
    assert one.lookup("e").is_prefix
    one.put("t/below_$folder$", EMPTY, PLAIN)
    beside = one.lookup("t").listing
    assert beside is not None
    assert names(beside) == ["t/below/", "t/f"]
    one.delete("t/below_$folder$")
    assert not one.lookup("x").is_prefix
    assert not one.lookup("n").is_prefix
    assert [info.key for info in one.list("e/", delimiter="").objects] == ["e/"]
    (own,) = one.list("e/", delimiter="").objects
    one.copy(own, "f/")
    assert one.delete_many(["e/"], meant={"e/": own}) == {}
    one.delete("t/")
    assert names(one.list("")) == ["d/", "f/", "n_$folder$", "t/", "x"]
    assert names(one._inner.list("", delimiter="")) == sorted(
        ["d/_$folder$", "f/", "n_$folder$", "t/f", "x", "x_$folder$"]
    )


@given(st.lists(st.sampled_from("abcX019"), max_size=6), st.integers(1, 3))
def test_markers_of_hadoop_are_shown_once_whatever_a_page_holds(
    directories: list[str], limit: int
) -> None:
    one = LocalMarkers(MemoryBucket())
    for name in directories:
        one.put(f"{name}_$folder$", EMPTY, PLAIN)
        if name in "abX":
            one.put(f"{name}/f", EMPTY, PLAIN)
        one.put(f"{name}0", EMPTY, PLAIN)
    found: list[str] = []
    token, more = None, True
    while more:
        page = one.list("", token=token, limit=limit)
        found += names(page)
        token, more = page.token, page.token is not None
    shown = {f"{name}/" for name in directories} | {f"{name}0" for name in directories}
    assert sorted(found) == sorted(shown)
