"""Reading through ranges: the bytes of one version, none of them fetched in vain."""

import random
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tagfs.errors import ObjectChanged
from tagfs.fs.content.access_pattern import FARTHEST, LARGEST, WIDEST
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.content.reader import Reader
from tagfs.store.objects import BytesSource, Content, NewObject, ObjectInfo
from tests.fakes.memory_bucket.bucket import MemoryBucket

DATA = random.Random(1).randbytes(20 * 1024**2 + 7)
KERNEL = 128 * 1024
"""Bytes that the kernel reads at once."""


class Counting(MemoryBucket):
    """Counts the bytes that are fetched, and notes where and how many."""

    fetched = 0

    def __init__(self) -> None:
        super().__init__()
        self.ranges: list[tuple[int, int]] = []

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        content = super().get(key, start, length, if_match=if_match)
        self.fetched += len(content.data)
        self.ranges.append((start, len(content.data)))
        return content


@pytest.fixture
def bucket() -> Counting:
    bucket = Counting()
    bucket.put("f", BytesSource(DATA), NewObject())
    return bucket


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_forward_each_byte_is_fetched_once(bucket: Counting, executor: ThreadPoolExecutor) -> None:
    budget = MemoryBudget(64 * 1024**2)
    reader = Reader(bucket, "f", executor, budget)
    read = b"".join(reader.read(at, KERNEL) for at in range(0, len(DATA) + KERNEL, KERNEL))
    assert read == DATA
    assert bucket.fetched == len(DATA)
    reader.close()
    executor.shutdown()
    assert budget.used == 0


def test_out_of_order_as_the_kernel_reads_ahead(
    bucket: Counting, executor: ThreadPoolExecutor
) -> None:
    reader = Reader(bucket, "f", executor, MemoryBudget(64 * 1024**2))
    order = list(range(0, len(DATA), KERNEL))
    for at in range(0, len(order) - 3, 4):
        order[at : at + 4] = [order[at + k] for k in (0, 2, 1, 3)]
    read = {at: reader.read(at, KERNEL) for at in order}
    assert b"".join(read[at] for at in sorted(read)) == DATA
    assert bucket.fetched == len(DATA)
    reader.close()


def test_here_and_there_little_is_fetched(bucket: Counting, executor: ThreadPoolExecutor) -> None:
    reader = Reader(bucket, "f", executor, MemoryBudget(64 * 1024**2))
    places = random.Random(2).sample(range(len(DATA) // 4096), 100)
    for place in places:
        assert reader.read(place * 4096, 4096) == DATA[place * 4096 :][:4096]
    reader.close()
    executor.shutdown()
    assert bucket.fetched <= 50 * 4096 * len(places)


def test_what_is_read_after_every_jump_is_fetched_at_once(
    bucket: Counting, executor: ThreadPoolExecutor
) -> None:
    """A database's blocks, a video's frames: two jumps show it, then each is one range."""
    reader = Reader(bucket, "f", executor, MemoryBudget(64 * 1024**2))
    block = 1024**2
    for place in (17, 3, 12, 7, 1, 9, 14):
        for at in range(place * block, (place + 1) * block, KERNEL):
            assert reader.read(at, KERNEL) == DATA[at : at + KERNEL]
    assert len([start for start, _ in bucket.ranges if start // block in (17, 3)]) > 4
    later = [(start // block, length) for start, length in bucket.ranges]
    assert [one for one in later if one[0] in (12, 7, 1, 9, 14)] == [
        (place, block) for place in (12, 7, 1, 9, 14)
    ]
    for at in range(0, 4 * block, KERNEL):  # it goes further than it used to
        assert reader.read(at, KERNEL) == DATA[at : at + KERNEL]
    reader.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(DATA) + 10), st.integers(0, 3_000_000)), max_size=12),
    st.sampled_from([0, 2**30]),
)
def test_any_reads(
    bucket: Counting,
    executor: ThreadPoolExecutor,
    reads: list[tuple[int, int]],
    memory: int,
) -> None:
    reader = Reader(bucket, "f", executor, MemoryBudget(memory))
    for offset, length in reads:
        assert reader.read(offset, length) == DATA[offset : offset + length]
    reader.close()


class Vast(MemoryBucket):
    """A bucket of one object of zeros, which take no memory."""

    info = ObjectInfo(key="f", size=2**40, etag="1", last_modified_ns=0)

    def get(
        self, _key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        assert if_match in {None, self.info.etag}
        return Content(self.info, start, bytes(length or 0))


class OnDemand(Future[Content]):
    """A range that is fetched when it is waited for."""

    fetch: Any = None

    def result(self, timeout: float | None = None) -> Content:
        if not self.done():
            self.fetch()
        return super().result(timeout)


class Ahead(Executor):
    """Asks for ranges at once, or (`is_late`) when they are waited for; knows how far."""

    def __init__(self, *, is_late: bool) -> None:
        self.is_late = is_late
        self.end = 0

    def submit(self, fetch: Any, piece: Any, *args: Any) -> Any:  # type: ignore[override]
        self.end = max(self.end, piece.end)
        if not self.is_late:
            return fetch(piece, *args)
        piece.future = OnDemand()
        piece.future.fetch = lambda: fetch(piece, *args)
        return None


@pytest.mark.parametrize(
    ("is_late", "taken", "most"),
    [(False, 0, WIDEST), (True, 0, FARTHEST), (True, 2**29, WIDEST)],
    ids=["it is there", "it is not", "it is not, but others have as much"],
)
def test_more_is_asked_for_ahead_of_who_has_to_wait(
    *, is_late: bool, taken: int, most: int
) -> None:
    ahead = Ahead(is_late=is_late)
    budget = MemoryBudget(2**30)
    budget.take(taken)
    reader = Reader(Vast(), "f", ahead, budget)
    step = 1024**2
    for at in range(0, 4 * FARTHEST, step):
        reader.read(at, step)
        assert ahead.end - (at + step) <= most
    assert ahead.end - (at + step) > most - LARGEST
    reader.close()


def test_another_version_is_reported(bucket: Counting, executor: ThreadPoolExecutor) -> None:
    reader = Reader(bucket, "f", executor, MemoryBudget(0))
    assert reader.read(0, 10) == DATA[:10]
    bucket.put("f", BytesSource(DATA[::-1]), NewObject())
    with pytest.raises(ObjectChanged):
        reader.read(15_000_000, 10)
    reader.close()
