"""Fetching ahead over a bucket in memory, with no threads and a clock that a test moves on."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tagfs.errors import NoSuchTag, Unreachable
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.context import FRESH_WITHIN
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.prefetch import prefetcher
from tagfs.fs.prefetch.directory_walk import EAGER_WINDOW, FIRST_WINDOW, FRESH, SIBLINGS
from tagfs.fs.prefetch.small_contents import BATCH, BATCHED
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, Content, NewObject
from tagfs.store.tags import TagSet
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of, write

NUMBER = 60
FILES = [f"/d/{number:02}" for number in range(NUMBER)]


class Inline(Executor):
    """Does what is submitted at once."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **named))
        except Exception as error:  # noqa: BLE001 as executors do
            future.set_exception(error)
        return future


class Bench:
    """A file system, what it asks, and its clock."""

    def __init__(self, staging: Path, budget: int = 2**20, **choices: Any) -> None:
        self.clock = FakeClock()
        self.bucket = MemoryBucket()
        self.cache = CachedBucket(self.bucket, ttl=3600, tag_ttl=3600, clock=self.clock)
        for directory in ("d", "other"):
            for number in range(NUMBER):
                self.put(f"{directory}/{number:02}", b"x%d" % number)
        self.budget = MemoryBudget(budget)
        env = environment_of(self.cache, staging, Inline(), self.clock, **choices)
        env = replace(env, budget=self.budget)
        self.fs = FileSystem(env, dict)
        self.ahead = self.fs._prefetcher
        self.bucket.requests.clear()

    def put(self, key: str, data: bytes) -> None:
        self.bucket.put(key, BytesSource(data), NewObject(tags=TagSet({"k": key})))

    def read_directory(self, path: str = "/d") -> None:
        fh = self.fs.opendir(path)
        assert len(list(self.fs.readdir(fh))) == NUMBER + 2
        self.fs.releasedir(fh)

    def read(self, path: str) -> bytes:
        fh, _ = self.fs.open(path, os.O_RDONLY)
        try:
            return bytes(self.fs.read(fh, 0, 100))
        finally:
            self.fs.release(fh)

    def cost(self, operation: str, call: Callable[[], object]) -> int:
        """Return how many requests of one kind a call makes."""
        before = self.bucket.count(operation)
        call()
        return self.bucket.count(operation) - before


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    one = Bench(tmp_path)
    yield one
    one.fs.close()
    assert one.budget.used >= 0


# Attributes


def test_ls_l_asks_for_each_file_once_and_far_ahead(bench: Bench) -> None:
    bench.read_directory()
    assert bench.cost("head", lambda: bench.fs.getattr(FILES[0])) == 1 + EAGER_WINDOW
    assert bench.cost("head", lambda: bench.fs.getattr(FILES[1])) == 0
    for path in FILES:
        bench.fs.getattr(path)
    assert bench.bucket.count("head") == NUMBER
    assert bench.bucket.count("list") == 1


def test_here_and_there_nothing_else_is_asked(bench: Bench) -> None:
    bench.read_directory()
    for number in (40, 3, 20, 55, 10):
        assert bench.cost("head", partial(bench.fs.getattr, FILES[number])) == 1


def test_a_walk_may_begin_anywhere(bench: Bench) -> None:
    bench.read_directory()
    bench.fs.getattr(FILES[10])
    assert bench.cost("head", lambda: bench.fs.getattr(FILES[11])) == 1 + FIRST_WINDOW


def test_the_first_entry_long_after_the_listing_is_no_walk(bench: Bench) -> None:
    bench.read_directory()
    bench.clock.now += FRESH + 0.1
    assert bench.cost("head", lambda: bench.fs.getattr(FILES[0])) == 1


def test_who_takes_the_first_entry_over_and_over_pays_for_it_alone(bench: Bench) -> None:
    costs = []
    for _ in range(3):
        bench.cache.forget("")
        bench.read_directory()
        costs.append(bench.cost("head", lambda: bench.fs.getattr(FILES[0])))
    assert costs == [1 + EAGER_WINDOW, 1, 1]


def test_a_listing_is_remembered_for_a_while(bench: Bench) -> None:
    bench.read_directory()
    bench.clock.now += prefetcher.MEMORY + 1
    bench.fs.getattr(FILES[10])
    assert bench.cost("head", lambda: bench.fs.getattr(FILES[11])) == 1


def test_names_of_many_directories_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetcher, "MAX_NAMES", NUMBER + 10)
    bench = Bench(tmp_path)
    bench.read_directory()
    bench.read_directory("/other")
    assert bench.ahead._directories.currsize == NUMBER
    bench.fs.getattr(FILES[10])
    assert bench.cost("head", lambda: bench.fs.getattr(FILES[11])) == 1, "it is forgotten"
    bench.fs.getattr("/other/10")
    assert bench.cost("head", lambda: bench.fs.getattr("/other/11")) == 1 + FIRST_WINDOW


def test_attributes_of_the_listing_cost_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, stored=False)
    bench.read_directory()
    for path in FILES:
        bench.fs.getattr(path)
    assert bench.bucket.count("head") == 0
    bench.fs.close()


def test_what_fails_ahead_is_asked_again_by_who_wants_it(bench: Bench) -> None:
    def refuse(operation: str, key: str) -> None:
        if operation in ("head", "get", "get_tags", "lookup") and key != "d/00":
            raise Unreachable(key)

    bench.read_directory()
    bench.bucket.before = refuse
    assert bench.fs.getattr(FILES[0])["st_size"] == 2
    assert bench.fs.getxattr(FILES[0], "user.tag.k") == b"d/00"
    with pytest.raises(Unreachable):
        bench.fs.getattr(FILES[5])
    bench.bucket.before = None
    assert bench.fs.getattr(FILES[5])["st_size"] == 2


# A directory that was not read


def test_some_looks_into_it_read_its_names(bench: Bench) -> None:
    for path in FILES[: SIBLINGS - 1]:
        bench.fs.getattr(path)
    assert bench.bucket.count("list") == 0
    bench.fs.getattr(FILES[SIBLINGS - 1])
    assert bench.bucket.count("list") == 1
    for path in FILES[SIBLINGS : SIBLINGS + 2]:
        bench.fs.getattr(path)
    assert bench.cost("head", lambda: bench.fs.getattr(FILES[SIBLINGS + 2])) == 0


def test_a_small_directory_that_was_looked_at_is_walked_without_reading_its_names(
    bench: Bench,
) -> None:
    bench.fs.getattr("/d")
    for path in FILES[: SIBLINGS + 2]:
        bench.fs.getattr(path)
    assert bench.cost("head", lambda: bench.fs.getattr(FILES[SIBLINGS + 2])) == 0
    assert bench.bucket.count("list") == 0
    assert bench.bucket.count("lookup") == 1


def test_one_file_looked_at_again_and_again_reads_no_names(bench: Bench) -> None:
    for _ in range(3 * SIBLINGS):
        bench.cache.forget("")
        bench.fs.getattr(FILES[7])
    assert bench.bucket.count("list") == 0


# Tags


def test_a_walk_through_tags_asks_for_each_once(bench: Bench) -> None:
    bench.read_directory()
    first = bench.cost("get_tags", lambda: bench.fs.getxattr(FILES[0], "user.tag.k"))
    assert first == 1 + EAGER_WINDOW
    for path in FILES:
        assert bench.fs.getxattr(path, "user.tag.k") == path[1:].encode()
    assert bench.bucket.count("get_tags") == NUMBER


def test_names_of_others_are_no_walk(bench: Bench) -> None:
    bench.read_directory()
    bench.bucket.requests.clear()
    for path in FILES[:4]:
        with pytest.raises(NoSuchTag):
            bench.fs.getxattr(path, "security.capability")
    assert bench.bucket.requests == []


# Content


def test_cat_asks_for_each_file_once_and_ahead(bench: Bench) -> None:
    bench.read_directory()
    assert bench.cost("get", lambda: bench.read(FILES[0])) == 1
    assert bench.cost("get", lambda: bench.read(FILES[1])) == 1 + FIRST_WINDOW
    assert bench.cost("get", lambda: bench.read(FILES[2])) == 0
    for number, path in enumerate(FILES[3:], 3):
        assert bench.read(path) == b"x%d" % number
    assert bench.bucket.count("get") == NUMBER
    assert bench.budget.used == 0


def test_the_smallest_are_asked_for_together_and_larger_ones_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, budget=2**30)
    larger = {"d/05": BATCHED + 1, "d/07": BATCHED}
    for key, size in larger.items():
        bench.put(key, bytes(size))
    together: list[str] = []
    real = bench.bucket.get_many

    def get_many(sizes: Mapping[str, int]) -> Mapping[str, Content]:
        assert 1 < len(sizes) <= BATCH
        together.extend(sizes)
        return real(sizes)

    monkeypatch.setattr(bench.bucket, "get_many", get_many)
    bench.read_directory()
    for path in FILES[:12]:
        bench.read(path)
    assert {"d/04", "d/06", "d/07"} <= set(together)
    assert "d/05" not in together
    bench.fs.close()


def test_content_that_is_not_recent_is_asked_for_again(bench: Bench) -> None:
    bench.read_directory()
    bench.read(FILES[0])
    bench.read(FILES[1])
    bench.put("d/05", b"theirs")
    bench.clock.now += FRESH_WITHIN + 0.1
    assert bench.read(FILES[5]) == b"theirs"


def test_content_replaced_here_is_never_the_old_one(bench: Bench) -> None:
    bench.read_directory()
    bench.read(FILES[0])
    bench.read(FILES[1])
    write(bench.fs, FILES[5], b"ours", os.O_TRUNC)
    assert bench.read(FILES[5]) == b"ours"


def test_content_that_failed_ahead_is_read_by_who_wants_it(bench: Bench) -> None:
    bench.read_directory()
    bench.read(FILES[0])

    def refuse(operation: str, key: str) -> None:
        if operation == "get" and key != "d/01":
            raise Unreachable(key)

    bench.bucket.before = refuse
    assert bench.read(FILES[1]) == b"x1"
    bench.bucket.before = None
    assert bench.cost("get", lambda: bench.read(FILES[2])) >= 1
    assert bench.read(FILES[3]) == b"x3"


def test_without_room_nothing_is_read_ahead(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget=1)
    bench.read_directory()
    for path in FILES[:10]:
        assert bench.cost("get", partial(bench.read, path)) == 1
    bench.fs.close()


def test_what_nobody_comes_for_is_dropped(bench: Bench) -> None:
    bench.read_directory()
    bench.read(FILES[0])
    bench.read(FILES[1])
    held = bench.budget.used
    assert held > 0
    bench.ahead._contents._buffer.sweep()
    assert bench.budget.used == held, "it is recent"
    bench.clock.now += FRESH_WITHIN + 0.1
    bench.ahead._contents._buffer.sweep()
    assert bench.budget.used == 0


# Before a rename


def test_what_a_temporary_file_will_replace_is_looked_at_ahead(bench: Bench) -> None:
    fh = bench.fs.create("/d/.05.Ab12xY", 0o600, os.O_WRONLY | os.O_EXCL)
    bench.fs.write(fh, 0, b"new")
    assert bench.cost("get_tags", lambda: bench.fs.flush(fh)) == 1
    bench.fs.release(fh)
    assert bench.cost("get_tags", lambda: bench.fs.rename("/d/.05.Ab12xY", FILES[5])) == 0
    assert bench.read(FILES[5]) == b"new"
    assert bench.bucket.get_tags("d/05") == {"k": "d/05"}
