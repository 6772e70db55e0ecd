"""Reads and writes at the same time: answers are shared, and never older than a finished write."""

import contextlib
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagfs.errors import Interrupted, InvalidRequest, NotFound, ObjectChanged, Unreachable
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS
from tests.examples import rounds
from tests.unit.store.cachekit import OTHER, TAGS, TTL, Gate, Kit, Threads


@pytest.fixture(params=[TTL, 0])
def kit(request):
    return Kit(ttl=request.param, tag_ttl=request.param, page=10)


def reads(kit):
    return {
        "head": lambda: kit.cache.head("d/k").size,
        "lookup": lambda: kit.cache.lookup("d/k").info.size,
        "get_tags": lambda: dict(kit.cache.get_tags("d/k")),
        "list": lambda: [i.size for page in kit.cache.scan("d/") for i in page.objects],
        "get_bucket_tags": lambda: dict(kit.cache.get_bucket_tags()),
    }


KEYED = ("head", "lookup", "get_tags", "list")
OLD = {"head": 1, "lookup": 1, "get_tags": TAGS, "list": [1]}
NEW = {"head": 2, "lookup": 2, "get_tags": OTHER, "list": [2]}


# Sharing


@pytest.mark.parametrize("operation", [*KEYED, "get_bucket_tags"])
def test_readers_of_one_thing_share_one_request(kit, operation):
    kit.foreign("d/k", b"1", TAGS)
    read = reads(kit)[operation]
    gate = kit.inner.before = Gate(operation)
    with Threads(kit) as threads:
        first = threads.start(read)
        gate.wait()
        others = threads.join([read] * 7)
        gate.open()
        answers = [future.result(10) for future in (first, *others)]
    assert answers == [answers[0]] * 8
    assert kit.inner.count(operation) == 1
    assert kit.cache.stats.coalesced == 7


@pytest.mark.parametrize("operation", [*KEYED, "get_bucket_tags"])
def test_a_failure_is_everybodys(kit, operation):
    kit.foreign("d/k", b"1", TAGS)
    read = reads(kit)[operation]
    gate = kit.inner.before = Gate(operation)

    def fail(*_):
        raise Unreachable("no answer")

    kit.inner.after = fail
    with Threads(kit) as threads:
        first = threads.start(read)
        gate.wait()
        others = threads.join([read] * 3)
        gate.open()
        for future in (first, *others):
            with pytest.raises(Unreachable):
                future.result(10)
    assert kit.inner.count(operation) == 1
    kit.inner.after = None
    read()


def test_absence_is_reported_to_all(kit):
    gate = kit.inner.before = Gate("head")
    with Threads(kit) as threads:
        first = threads.start(lambda: kit.cache.head("no"))
        gate.wait()
        others = threads.join([lambda: kit.cache.head("no")] * 3)
        gate.open()
        for future in (first, *others):
            with pytest.raises(NotFound):
                future.result(10)
    assert kit.inner.count("head") == 1


def test_who_waits_for_an_interrupted_caller_asks_again(kit):
    kit.foreign("d/k", b"1")
    gate = Gate("head")
    interrupted: list[str] = []

    def once(operation, key):
        if operation == "head" and not interrupted:
            interrupted.append(key)
            gate(operation, key)
            raise Interrupted("the first caller")

    kit.inner.before = once
    with Threads(kit) as threads:
        first = threads.start(lambda: kit.cache.head("d/k"))
        gate.wait()
        others = threads.join([lambda: kit.cache.head("d/k").size] * 3)
        gate.open()
        with pytest.raises(Interrupted):
            first.result(10)
        assert [future.result(10) for future in others] == [1, 1, 1]


@pytest.mark.parametrize("operation", ["head", "lookup", "get_tags"])
def test_a_request_that_began_too_early_is_not_shared(kit, operation):
    kit.foreign("d/k", b"1", TAGS)
    gate = kit.inner.after = Gate(operation)
    call = getattr(kit.cache, operation)
    with Threads(kit) as threads:
        first = threads.start(lambda: call("d/k"))
        gate.wait()
        kit.pass_time(2)
        threads.join([lambda: call("d/k", max_age=5)])
        young = threads.start(lambda: call("d/k", max_age=1))
        gate.wait()
        now = threads.start(lambda: call("d/k", max_age=0))
        gate.wait()
        gate.open()
        for future in (first, young, now):
            future.result(10)
    assert kit.inner.count(operation) == 3


def test_a_late_old_answer_does_not_replace_a_young_one(kit):
    kit.foreign("d/k", b"1")
    gate = kit.inner.after = Gate("head")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.cache.head("d/k").size)
        gate.wait()
        kit.inner.after = None
        kit.foreign("d/k", b"22")
        kit.pass_time(1)
        assert kit.cache.head("d/k", max_age=0).size == 2
        gate.open()
        assert slow.result(10) == 1
    assert kit.cache.head("d/k").size == 2


def test_a_cache_is_not_locked_while_it_asks(kit):
    kit.foreign("d/k", b"1")
    kit.foreign("other", b"22")
    gate = kit.inner.before = Gate("head", "d/k")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.cache.head("d/k"))
        gate.wait()
        assert kit.cache.head("other").size == 2
        kit.put("other", b"333")
        assert kit.cache.head("other").size == 3
        gate.open()
        slow.result(10)


# Writes against reads under way


@pytest.mark.parametrize("operation", KEYED)
def test_a_slow_read_does_not_bring_the_old_answer_back(kit, operation):
    kit.foreign("d/k", b"1", TAGS)
    read = reads(kit)[operation]
    gate = kit.inner.after = Gate(operation)
    with Threads(kit) as threads:
        slow = threads.start(read)
        gate.wait()  # the old answer is on its way
        kit.inner.after = None
        kit.put("d/k", b"22", OTHER)
        # Who asks after the write has returned does not wait for the old answer, either.
        assert read() == NEW[operation]
        gate.open()
        assert slow.result(10) == OLD[operation]
    assert read() == NEW[operation]


@pytest.mark.parametrize("operation", ["head", "lookup", "list"])
def test_a_slow_read_does_not_bring_a_deleted_object_back(kit, operation):
    kit.foreign("d/k", b"1")
    gate = kit.inner.after = Gate(operation)
    with Threads(kit) as threads:
        slow = threads.start(reads(kit)[operation])
        gate.wait()
        kit.inner.after = None
        kit.cache.delete("d/k")
        gate.open()
        slow.result(10)
    assert kit.cache.lookup("d/k").info is None
    assert kit.scan("d/") == []
    with pytest.raises(NotFound):
        kit.cache.head("d/k")


@pytest.mark.parametrize("key", ["d/k", "d/k/below", "d/k/", "d"])
def test_a_slow_lookup_does_not_hide_what_was_made(kit, key):
    path = "d/k" if key != "d" else "d"
    gate = kit.inner.after = Gate("lookup")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.cache.lookup(path))
        gate.wait()
        kit.inner.after = None
        kit.put(key)
        gate.open()
        slow.result(10)
    found = kit.cache.lookup(path)
    assert found.is_prefix == (key != path)
    assert (found.info is not None) == (key == path)


def test_a_slow_scan_shows_what_was_written_meanwhile(kit):
    for key in ("d/changed", "d/deleted", "d/sub/only"):
        kit.foreign(key, b"1")
    kit.scan("d/sub/")
    gate = kit.inner.after = Gate("list", "d/")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.scan("d/"))
        gate.wait()
        kit.inner.after = None
        kit.put("d/changed", b"22")
        kit.cache.delete("d/deleted")
        kit.put("d/new/x")
        kit.cache.delete("d/sub/only")
        gate.open()
        slow.result(10)
    assert kit.scan("d/") == ["d/changed", "d/new/"]
    assert not kit.cache.lookup("d/sub").is_prefix
    info = kit.cache.lookup("d/changed").info
    assert info is not None
    assert info.size == 2


def test_a_slow_scan_is_kept_with_what_was_written_meanwhile():
    kit = Kit()
    kit.foreign("d/a")
    gate = kit.inner.after = Gate("list", "d/")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.scan("d/"))
        gate.wait()
        kit.inner.after = None
        kit.put("d/b")
        gate.open()
        slow.result(10)
    assert kit.cost(lambda: kit.scan("d/")) == 0
    assert kit.scan("d/") == ["d/a", "d/b"]


def test_a_slow_scan_does_not_trust_a_write_without_an_answer(kit):
    kit.foreign("d/a")
    gate = kit.inner.after = Gate("list", "d/")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.scan("d/"))
        gate.wait()

        def lose(operation, _key):
            if operation == "put":
                raise Unreachable("no answer")

        kit.inner.after = lose
        with pytest.raises(Unreachable):
            kit.put("d/b")
        kit.inner.after = None
        gate.open()
        slow.result(10)
    assert kit.cache.lookup("d/b").info is not None
    assert kit.scan("d/") == ["d/a", "d/b"]


def test_a_slow_scan_is_not_kept_when_it_was_forgotten(kit):
    gate = kit.inner.after = Gate("list", "d/")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.scan("d/"))
        gate.wait()
        kit.inner.after = None
        kit.foreign("d/a")
        kit.cache.forget("d/a")
        gate.open()
        slow.result(10)
    assert kit.scan("d/") == ["d/a"]


def test_a_slow_head_is_not_kept_when_it_was_forgotten(kit):
    kit.foreign("d/k", b"1")
    gate = kit.inner.after = Gate("head")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.cache.head("d/k"))
        gate.wait()
        kit.inner.after = None
        kit.foreign("d/k", b"22")
        kit.cache.forget("d/")
        gate.open()
        slow.result(10)
    assert kit.cache.head("d/k").size == 2


def test_a_slow_content_does_not_bring_the_old_description_back(kit):
    kit.foreign("d/k", b"1")
    gate = kit.inner.after = Gate("get")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.cache.get("d/k"))
        gate.wait()
        kit.inner.after = None
        kit.put("d/k", b"22")
        gate.open()
        slow.result(10)
    assert kit.cache.head("d/k").size == 2


def test_a_read_during_a_write_is_not_kept_beyond_it(kit):
    kit.foreign("d/k", b"1", TAGS)
    gate = kit.inner.before = Gate("put")
    with Threads(kit) as threads:
        write = threads.start(lambda: kit.put("d/k", b"22", OTHER))
        gate.wait()
        assert kit.cache.head("d/k").size == 1
        assert kit.cache.get_tags("d/k") == TAGS
        kit.scan("d/")
        gate.open()
        write.result(10)
    assert kit.cache.head("d/k").size == 2
    assert kit.cache.get_tags("d/k") == OTHER
    info = kit.cache.lookup("d/k").info
    assert info is not None
    assert info.size == 2


@pytest.mark.parametrize("operation", KEYED)
def test_a_read_that_began_during_a_write_is_not_kept_after_it(kit, operation):
    kit.foreign("d/k", b"1", TAGS)
    read = reads(kit)[operation]
    writing = kit.inner.before = Gate("put")
    reading = kit.inner.after = Gate(operation)
    with Threads(kit) as threads:
        write = threads.start(lambda: kit.put("d/k", b"22", OTHER))
        writing.wait()
        slow = threads.start(read)
        reading.wait()
        kit.inner.after = None
        writing.open()
        write.result(10)
        assert read() == NEW[operation]
        reading.open()
        slow.result(10)
    assert read() == NEW[operation]


def test_a_slow_tag_read_does_not_bring_old_tags_back(kit):
    kit.foreign("d/k", b"1", TAGS)
    gate = kit.inner.after = Gate("get_tags")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.cache.get_tags("d/k"))
        gate.wait()
        kit.inner.after = None
        kit.cache.put_tags("d/k", OTHER)
        gate.open()
        assert slow.result(10) == TAGS
    assert kit.cache.get_tags("d/k") == OTHER


def test_a_slow_head_does_not_bring_an_old_number_of_tags_back(kit):
    kit.foreign("d/k", b"1")
    kit.cache.get_tags("d/k")
    kit.cache.forget()
    gate = kit.inner.after = Gate("head")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.cache.head("d/k"))
        gate.wait()
        kit.inner.after = None
        kit.cache.put_tags("d/k", OTHER)
        gate.open()
        slow.result(10)
    kit.pass_time(1)
    assert kit.cache.get_tags("d/k") == OTHER


# Writes against writes


def test_deletions_and_writes_at_the_same_time_leave_the_truth(kit):
    kit.foreign("d/k", b"1")
    kit.scan("d/")
    gate = kit.inner.after = Gate("delete_many")
    with Threads(kit) as threads:
        slow = threads.start(lambda: kit.cache.delete_many(["d/k"]))
        gate.wait()
        kit.inner.after = None
        kit.put("d/k", b"22")
        gate.open()
        slow.result(10)
    assert kit.cache.head("d/k").size == 2
    assert kit.scan("d/") == ["d/k"]


def test_an_edit_of_tags_waits_for_a_rewrite_that_keeps_them(kit):
    kit.foreign("d/k", b"1", TAGS)
    gate = kit.inner.before = Gate("put")
    with Threads(kit) as threads:
        write = threads.start(lambda: kit.cache.put("d/k", BytesSource(b"2"), NewObject()))
        gate.wait()
        edit = threads.start(
            lambda: kit.cache.update_tags("d/k", lambda tags: tags.with_tag("n", "1"))
        )
        gate.open()
        write.result(10)
        edit.result(10)
    assert kit.inner.get_tags("d/k") == TAGS.with_tag("n", "1")
    assert kit.cache.get_tags("d/k") == TAGS.with_tag("n", "1")


def any_call(kit, chance, key, keys):
    return chance.choice(
        [
            lambda: kit.put(key, chance.randbytes(2), chance.choice([TAGS, OTHER])),
            lambda: kit.cache.put(key, BytesSource(chance.randbytes(3)), NewObject()),
            lambda: kit.cache.delete(key),
            lambda: kit.cache.delete_many(chance.sample(keys, 3)),
            lambda: kit.cache.put_tags(key, chance.choice([TAGS, OTHER, NO_TAGS])),
            lambda: kit.cache.copy(kit.cache.head(chance.choice(keys)), key),
            lambda: kit.cache.head(key, max_age=chance.choice([None, 0])),
            lambda: kit.cache.get(key),
            lambda: kit.cache.lookup(key.rstrip("/")),
            lambda: kit.cache.get_tags(key),
            lambda: kit.scan(chance.choice(["", "a/", "a/c/", "b/", "b/x/"])),
            lambda: kit.cache.forget(key),
        ]
    )


@pytest.mark.parametrize("seed", range(6))
def test_when_many_threads_are_done_the_cache_has_the_truth(seed):
    kit = Kit()
    keys = ["a", "a/", "a/b", "a/c/d", "a/c/e", "b/x/y"]

    def work(number):
        chance = random.Random(f"{seed} {number}")
        for _ in range(rounds(150)):
            key = chance.choice(keys)
            with contextlib.suppress(NotFound, ObjectChanged, InvalidRequest):
                any_call(kit, chance, key, keys)()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(work, range(6)))
    finally:
        sys.setswitchinterval(interval)
    for prefix in ("", "a/", "a/c/", "b/", "b/x/"):
        pages = list(kit.inner.scan(prefix))
        listed = [info.key for page in pages for info in page.objects]
        assert kit.scan(prefix) == listed + [p for page in pages for p in page.prefixes]
    for key in keys:
        try:
            there = kit.inner.head(key)
        except NotFound:
            with pytest.raises(NotFound):
                kit.cache.head(key)
            continue
        assert kit.cache.head(key) == there
        assert kit.cache.get_tags(key) == kit.inner.get_tags(key)
        path = key.rstrip("/")
        assert kit.cache.lookup(path).is_prefix == kit.inner.lookup(path).is_prefix


# Scans


def test_readers_of_a_large_directory_share_what_is_held_and_go_on_alone():
    kit = Kit(max_listing=15, page=10)
    for n in range(30):
        kit.foreign(f"d/{n:04}", b"")
    expected = [f"d/{n:04}" for n in range(30)]
    one, two = kit.cache.scan("d/"), kit.cache.scan("d/")
    first = [next(one), next(two)]
    assert kit.inner.count("list") == 1
    assert kit.cache.stats.coalesced == 1
    rest_of_one = list(one)
    rest_of_two = list(two)
    for head, rest in ((first[0], rest_of_one), (first[1], rest_of_two)):
        assert [info.key for page in (head, *rest) for info in page.objects] == expected
    assert kit.cache.stats.listings == 0


def test_a_scan_that_nobody_follows_to_the_end_is_no_listing(kit):
    for n in range(15):
        kit.foreign(f"d/{n:04}", b"")
    scan = kit.cache.scan("d/")
    next(scan)
    scan.close()
    assert len(kit.scan("d/")) == 15
    assert kit.inner.count("list") == 3


def test_a_scan_that_fails_midway_is_no_listing(kit):
    for n in range(15):
        kit.foreign(f"d/{n:04}", b"")
    scan = kit.cache.scan("d/")
    next(scan)

    def fail(*_):
        raise Unreachable("no answer")

    kit.inner.before = fail
    with pytest.raises(Unreachable):
        next(scan)
    kit.inner.before = None
    assert len(kit.scan("d/")) == 15


def test_a_follower_may_go_on_when_the_first_reader_stops(kit):
    for n in range(25):
        kit.foreign(f"d/{n:04}", b"")
    one, two = kit.cache.scan("d/"), kit.cache.scan("d/")
    next(one)
    head = next(two)
    one.close()
    assert sum(len(page.objects) for page in (head, *two)) == 25
    assert kit.inner.count("list") == 3


def test_nobody_joins_a_scan_after_a_write_below_it(kit):
    for n in range(15):
        kit.foreign(f"d/{n:04}", b"")
    one = kit.cache.scan("d/")
    next(one)
    kit.put("d/0000x", tags=NO_TAGS)
    assert "d/0000x" in kit.scan("d/")
    assert sum(len(page.objects) for page in one) == 5
    assert "d/0000x" in kit.scan("d/")
