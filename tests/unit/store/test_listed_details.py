"""What listings show of objects, in the cache: never over what was written meanwhile."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tagfs.store.objects import BytesSource, NewObject, Page
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.unit.store.cachekit import OTHER, TAGS, Gate, Kit, Threads


class Showing(MemoryBucket):
    """A bucket whose scans show details and tags."""

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of one directory."""
        for page in super().scan(prefix):
            found = {info.key: self._shelf.get(info.key) for info in page.objects}
            objects = tuple(
                replace(self._shelf.describe(one).with_detail(detail), key=one.info.key)
                for one in found.values()
                if (detail := self._shelf.describe(one).detail)
            )
            yield replace(page, objects=objects, tags={k: one.tags for k, one in found.items()})


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> Kit:
    monkeypatch.setattr("tests.unit.store.cachekit.MemoryBucket", Showing)
    kit = Kit(counts_tags=False)
    for name in "abc":
        kit.foreign(f"d/{name}", tags=TAGS, metadata={"mode": "1"})
    kit.pass_time(10)
    return kit


def test_a_scan_is_all_that_is_asked(kit: Kit) -> None:
    assert kit.scan("d/") == ["d/a", "d/b", "d/c"]
    assert kit.cost(lambda: (kit.cache.head("d/a"), kit.cache.get_tags("d/a"))) == 0
    assert kit.cost(lambda: kit.cache.head_many(["d/a", "d/b"])) == 0
    detail = kit.cache.head("d/b").detail
    assert detail is not None
    assert (detail.metadata, kit.cache.get_tags("d/b")) == ({"mode": "1"}, TAGS)


def test_it_grows_old_as_any_answer(kit: Kit) -> None:
    kit.scan("d/")
    kit.pass_time(30)
    assert kit.cost(lambda: kit.cache.get_tags("d/a")) == 1
    kit.pass_time(30)
    assert kit.cost(lambda: kit.cache.head("d/a")) == 1


def test_a_fresh_answer_is_asked_for(kit: Kit) -> None:
    kit.scan("d/")
    assert kit.cost(lambda: kit.cache.head("d/a", max_age=1)) == 1
    assert kit.cost(lambda: kit.cache.get_tags("d/b", max_age=1)) == 1


@pytest.mark.parametrize("operation", ["put", "put_tags", "delete"])
def test_a_write_that_began_before_and_ends_meanwhile_counts(kit: Kit, operation: str) -> None:
    """The page was read before the write took effect."""
    calls = {
        "put": lambda: kit.put("d/a", b"new", tags=OTHER),
        "put_tags": lambda: kit.cache.put_tags("d/a", OTHER),
        "delete": lambda: kit.cache.delete("d/a"),
    }
    gate = Gate(operation, "d/a")
    with Threads(kit) as threads:
        kit.inner.before = gate
        write = threads.start(calls[operation])
        gate.wait()
        kit.inner.before = None
        kit.pass_time(5)
        pages = kit.inner.scan("d/")
        page = next(pages)

        def late(_prefix: str) -> Iterator[Page]:
            kit.pass_time(5)
            gate.open()
            write.result()
            yield page

        kit.inner.scan = late  # type: ignore[method-assign, assignment]
        kit.scan("d/")
    if operation == "delete":
        assert kit.cache.lookup("d/a").info is None
    else:
        assert kit.cache.get_tags("d/a") == OTHER
        assert kit.cache.head("d/a").etag == kit.inner.head("d/a").etag


def test_what_is_forgotten_meanwhile_is_asked_for(kit: Kit) -> None:
    pages = iter(kit.cache.scan("d/"))
    kit.inner.before = lambda *_: kit.cache.forget()
    next(pages)
    kit.inner.before = None
    assert kit.cost(lambda: kit.cache.get_tags("d/a")) == 1


def test_a_later_answer_stays(kit: Kit) -> None:
    pages = kit.inner.scan("d/")
    page = next(pages)
    kit.inner.scan = lambda _prefix: iter([page])  # type: ignore[method-assign, assignment]
    kit.inner.put("d/a", BytesSource(b"newer"), NewObject(tags=NO_TAGS))
    kit.cache.head("d/a")
    kit.cache.get_tags("d/a")
    kit.scan("d/")
    assert (kit.cache.head("d/a").size, kit.cache.get_tags("d/a")) == (5, TagSet())
