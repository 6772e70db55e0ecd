"""The cache against the bucket inside it, whatever is called in whatever order.

Alone it answers as the bucket would; beside another writer it answers what was true at some moment
within the last ttl.
"""

import contextlib
from collections.abc import Hashable

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tagfs.errors import (
    AlreadyExists,
    NotFound,
    ObjectChanged,
    PositionMismatch,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.store.objects import BytesSource, Keep, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.examples import examples
from tests.unit.store.cachekit import Kit

TTL, TAG_TTL = 10.0, 7.0
KEYS = st.sampled_from(["a", "a-", "a/", "a/b", "a/b/", "a/b/c", "a/d/e", "b", "b/a", "ab/"])
PATHS = st.sampled_from(["a", "a/b", "a/b/c", "a/d", "a/d/e", "b", "b/a", "ab", "x", "x/y"])
PREFIXES = st.sampled_from(["", "a/", "a/b/", "a/d/", "b/", "ab/", "x/"])
DATA = st.sampled_from([b"", b"1", b"22"])
TAG_SETS = st.sampled_from([NO_TAGS, TagSet({"t": "1"}), TagSet({"t": "2", "u": ""})])
KEPT = st.one_of(TAG_SETS, st.just(Keep.REPLACED))
META = st.sampled_from([{}, {"m": "1"}, {"m": "2"}])
MANY = st.lists(KEYS, max_size=5)
AGES = st.sampled_from([None, None, 0, 1, 5])
REFUSALS = (NotFound, AlreadyExists, ObjectChanged, PositionMismatch, Unsupported)


class Calls(RuleBasedStateMachine):
    """Calls of every kind through one bucket: `self.hand`, the cache or the bucket inside."""

    def __init__(self):
        super().__init__()
        self.kit = Kit(ttl=TTL, tag_ttl=TAG_TTL, max_listing=4)
        self.hand = self.kit.cache

    def try_to(self, call):
        with contextlib.suppress(*REFUSALS):
            call()
        self.wrote()

    def wrote(self):
        """Note that something may have changed."""

    @rule(seconds=st.sampled_from([0.4, 1.5, 4.0, 11.0]))
    def pass_time(self, seconds):
        self.kit.pass_time(seconds)

    @rule(key=KEYS, data=DATA, tags=KEPT, metadata=META, exclusive=st.booleans())
    def put(self, key, data, tags, metadata, exclusive):
        new = NewObject(tags=tags, metadata=metadata, exclusive=exclusive)
        self.try_to(lambda: self.hand.put(key, BytesSource(data), new))

    @rule(key=KEYS, tags=KEPT)
    def put_symlink(self, key, tags):
        self.try_to(lambda: self.hand.put_symlink(key, "t", NewObject(tags=tags)))

    @rule(key=KEYS, tags=KEPT, edit=TAG_SETS)
    def upload(self, key, tags, edit):
        begun = self.hand.start_upload(key, NewObject(tags=tags))
        part = self.hand.upload_part(begun, 1, BytesSource(b"part"))
        self.try_to(lambda: self.hand.put_tags(key, edit))
        self.try_to(lambda: self.hand.complete_upload(begun, [part]))

    @rule(key=KEYS, tags=KEPT)
    def start_append(self, key, tags):
        self.try_to(lambda: self.hand.start_append(key, BytesSource(b"1"), NewObject(tags=tags)))

    @rule(key=KEYS)
    def append(self, key):
        self.try_to(lambda: self.hand.append(self.hand.head(key), BytesSource(b"2")))

    @rule(
        source=KEYS,
        key=KEYS,
        tags=st.one_of(TAG_SETS, st.sampled_from([Keep.SOURCE, Keep.SOURCE_OR_REPLACED])),
        exclusive=st.booleans(),
    )
    def copy(self, source, key, tags, exclusive):
        if source != key:
            self.try_to(
                lambda: self.hand.copy(self.hand.head(source), key, tags=tags, exclusive=exclusive)
            )

    @rule(key=KEYS, metadata=META)
    def set_metadata(self, key, metadata):
        self.try_to(lambda: self.hand.set_metadata(self.hand.head(key), metadata, {}))

    @rule(key=KEYS)
    def delete(self, key):
        self.try_to(lambda: self.hand.delete(key))

    @rule(keys=st.lists(KEYS, max_size=4))
    def delete_many(self, keys):
        self.try_to(lambda: self.hand.delete_many(keys))

    @rule(key=KEYS, tags=TAG_SETS)
    def put_tags(self, key, tags):
        self.try_to(lambda: self.hand.put_tags(key, tags))

    @rule(key=KEYS, value=st.sampled_from(["1", "2"]))
    def update_tags(self, key, value):
        self.try_to(lambda: self.hand.update_tags(key, lambda tags: tags.with_tag("t", value)))

    @rule(prefix=st.sampled_from(["a/", "a/b/", "a/d/", "b/", "ab/", "x/", "x/y/"]))
    def expect_empty(self, prefix):
        self.hand.expect_empty(prefix)


class Alone(Calls):
    """The cache is the only writer."""

    @rule(key=KEYS, data=DATA, lost=st.booleans(), delete=st.booleans())
    def write_without_an_answer(self, key, data, lost, delete):
        def fail(operation, _key):
            if operation in ("put", "delete"):
                raise Unreachable("no answer")

        if lost:
            self.kit.inner.after = fail
        else:
            self.kit.inner.before = fail
        source = BytesSource(data)
        with pytest.raises(Unreachable):
            self.hand.delete(key) if delete else self.hand.put(key, source, NewObject())
        self.kit.inner.after = self.kit.inner.before = None

    @rule(prefix=st.sampled_from(["", "a", "a/", "a/b", "b"]))
    def forget(self, prefix):
        self.hand.forget(prefix)

    @rule(key=KEYS, max_age=AGES)
    def head(self, key, max_age):
        assert answer(lambda: self.hand.head(key, max_age=max_age)) == answer(
            lambda: self.kit.inner.head(key)
        )

    @rule(key=KEYS)
    def get(self, key):
        assert answer(lambda: self.hand.get(key)) == answer(lambda: self.kit.inner.get(key))

    @rule(key=KEYS, max_age=AGES)
    def get_tags(self, key, max_age):
        assert answer(lambda: self.hand.get_tags(key, max_age=max_age)) == answer(
            lambda: self.kit.inner.get_tags(key)
        )

    @rule(keys=MANY)
    def head_many(self, keys):
        for key, info in self.hand.head_many(keys).items():
            assert info == self.kit.inner.head(key)

    @rule(keys=MANY)
    def get_many(self, keys):
        for key, content in self.hand.get_many(dict.fromkeys(keys, 1)).items():
            assert content == self.kit.inner.get(key)

    @rule(keys=MANY)
    def get_tags_many(self, keys):
        for key, tags in self.hand.get_tags_many(keys).items():
            assert tags == self.kit.inner.get_tags(key)

    @rule(path=PATHS, max_age=AGES)
    def lookup(self, path, max_age):
        found, there = self.hand.lookup(path, max_age=max_age), self.kit.inner.lookup(path)
        assert found.is_prefix == there.is_prefix
        assert version(found.info) == version(there.info)
        assert found.marker is None or version(found.marker) == version(there.marker)

    @rule(prefix=PREFIXES)
    def scan(self, prefix):
        assert shape(self.hand.scan(prefix)) == shape(self.kit.inner.scan(prefix))

    @rule(prefix=PREFIXES)
    def known_keys(self, prefix):
        keys = self.hand.known_keys(prefix)
        if keys is not None:
            page = self.kit.inner.list(prefix)
            assert sorted(keys) == sorted([*page.prefixes, *(info.key for info in page.objects)])

    @rule(key=KEYS)
    def known(self, key):
        info = self.hand.known(key)
        if info is not None:
            head = self.kit.inner.head(key)
            assert version(info) == version(head)
            assert info.detail is None or info.detail.metadata == (
                head.detail and head.detail.metadata
            )


class Beside(Calls):
    """Another writer changes the bucket, and the cache too."""

    def __init__(self):
        super().__init__()
        self.past: dict[tuple[str, str], list[tuple[float, Hashable]]] = {}
        self.note()

    @rule()
    def change_hands(self):
        kit = self.kit
        self.hand = kit.inner if self.hand is kit.cache else kit.cache  # type: ignore[assignment]

    def wrote(self):
        self.note()

    def note(self):
        """Remember what is true from now on, as far as it differs."""
        inner = self.kit.inner
        listed = {info.key for info in inner.list("", delimiter="").objects}
        for key in ("a", "a-", "a/", "a/b", "a/b/", "a/b/c", "a/d/e", "b", "b/a", "ab/"):
            info = inner.head(key) if key in listed else None
            self.add(("version", key), version(info))
            self.add(("metadata", key), metadata(info))
            self.add(("tags", key), inner.get_tags(key) if info else None)
        for path in ("a", "a/b", "a/b/c", "a/d", "a/d/e", "b", "b/a", "ab", "x", "x/y"):
            self.add(("version", path), version(inner.head(path) if path in listed else None))
            self.add(("directory", path), any(key.startswith(f"{path}/") for key in listed))

    def add(self, what, value):
        history = self.past.setdefault(what, [(0.0, value)])
        if history[-1][1] != value:
            history.append((self.kit.clock.now, value))

    def was_true(self, what, value, ttl):
        """Say whether something held at some moment of the last `ttl` seconds."""
        history = self.past[what]
        ends = [began for began, _ in history[1:]] + [float("inf")]
        oldest = self.kit.clock.now - ttl
        return any(v == value and end >= oldest for (_, v), end in zip(history, ends, strict=True))

    @precondition(lambda self: self.hand is self.kit.cache)
    @rule(key=KEYS, max_age=AGES)
    def head(self, key, max_age):
        info = answer(lambda: self.kit.cache.head(key, max_age=max_age))
        ttl = TTL if max_age is None else max_age
        if info is NotFound:
            assert self.was_true(("version", key), None, ttl)
        else:
            assert self.was_true(("version", key), version(info), ttl)
            assert self.was_true(("metadata", key), metadata(info), ttl)

    @precondition(lambda self: self.hand is self.kit.cache)
    @rule(key=KEYS, max_age=AGES)
    def get_tags(self, key, max_age):
        tags = answer(lambda: self.kit.cache.get_tags(key, max_age=max_age))
        if tags is NotFound:
            ttl = TTL if max_age is None else max_age
            assert self.was_true(("version", key), None, ttl)
        else:
            assert self.was_true(("tags", key), tags, TAG_TTL if max_age is None else max_age)

    @precondition(lambda self: self.hand is self.kit.cache)
    @rule(keys=MANY)
    def head_many(self, keys):
        for key, info in self.kit.cache.head_many(keys).items():
            assert self.was_true(("version", key), version(info), 0)
            assert self.was_true(("metadata", key), metadata(info), 0)

    @precondition(lambda self: self.hand is self.kit.cache)
    @rule(keys=MANY)
    def get_many(self, keys):
        for key, content in self.kit.cache.get_many(dict.fromkeys(keys, 1)).items():
            assert self.was_true(("version", key), version(content.info), 0)

    @precondition(lambda self: self.hand is self.kit.cache)
    @rule(keys=MANY)
    def get_tags_many(self, keys):
        for key, tags in self.kit.cache.get_tags_many(keys).items():
            assert self.was_true(("tags", key), tags, 0)

    @precondition(lambda self: self.hand is self.kit.cache)
    @rule(path=PATHS, max_age=AGES)
    def lookup(self, path, max_age):
        found = self.kit.cache.lookup(path, max_age=max_age)
        ttl = TTL if max_age is None else max_age
        assert self.was_true(("directory", path), found.is_prefix, ttl)
        assert self.was_true(("version", path), version(found.info), ttl)

    @precondition(lambda self: self.hand is self.kit.cache)
    @rule(prefix=PREFIXES)
    def scan(self, prefix):
        objects, prefixes = shape(self.kit.cache.scan(prefix))
        there = dict(objects)
        for kind, name in self.past:
            below = name.removeprefix(prefix)
            if kind == "version" and name.startswith(prefix) and "/" not in below:
                assert self.was_true((kind, name), there.get(name), TTL)
            if kind == "directory" and name.startswith(prefix) and below and "/" not in below:
                assert self.was_true((kind, name), f"{name}/" in prefixes, TTL)


def answer(call):
    try:
        return call()
    except TagfsError as error:
        return type(error)


def version(info):
    return info and (info.key, info.size, info.etag, info.type, info.last_modified_ns // 10**9)


def metadata(info):
    return info and info.detail and frozenset(info.detail.metadata.items())


def shape(pages):
    pages = list(pages)
    objects = [(info.key, version(info)) for page in pages for info in page.objects]
    return objects, [prefix for page in pages for prefix in page.prefixes]


TestAlone = Alone.TestCase
TestAlone.settings = settings(max_examples=examples(120), stateful_step_count=40, deadline=None)
TestBeside = Beside.TestCase
TestBeside.settings = settings(max_examples=examples(120), stateful_step_count=40, deadline=None)
