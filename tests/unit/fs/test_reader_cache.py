"""Reading through a cache on disk: the bytes of the version that is there, for who may read it."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tagfs.blockcache.block_cache import BlockCache
from tagfs.errors import AccessDenied
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.content.reader import Reader
from tagfs.store.objects import BytesSource, NewObject
from tests.unit.fs.test_reader import DATA, KERNEL, Counting

MIB = 1024**2


class Refusing(Counting):
    """A bucket of which nothing may be read."""

    def get(self, key: str, *_: object, **__: object):
        raise AccessDenied(key)


@pytest.fixture
def bucket() -> Counting:
    bucket = Counting()
    bucket.put("f", BytesSource(DATA), NewObject())
    return bucket


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def cache(tmp_path: Path) -> BlockCache:
    return BlockCache(tmp_path / "c", "p", 2**30)


class Bench:
    """One mount after the other, over a bucket and a cache."""

    def __init__(self, bucket: Counting, cache: BlockCache, executor: ThreadPoolExecutor) -> None:
        self.bucket = bucket
        self.cache = cache
        self.executor = executor

    def reader(
        self, bucket: Counting | None = None, executor: ThreadPoolExecutor | None = None
    ) -> Reader:
        return Reader(
            bucket or self.bucket,
            "f",
            executor or self.executor,
            MemoryBudget(64 * MIB),
            expected=self.bucket.head("f"),
            cache=self.cache,
        )

    def read_all(self) -> tuple[bytes, int]:
        """Return all content, and how many bytes of it came from the service."""
        before = self.bucket.fetched
        with ThreadPoolExecutor(4) as executor:  # what is read ahead is kept when it ends
            reader = self.reader(executor=executor)
            reader.open()
            size = self.bucket.head("f").size
            read = b"".join(reader.read(at, KERNEL) for at in range(0, size, KERNEL))
        reader.close()
        return read, self.bucket.fetched - before


@pytest.fixture
def bench(bucket: Counting, cache: BlockCache, executor: ThreadPoolExecutor) -> Bench:
    return Bench(bucket, cache, executor)


def test_the_second_time_one_byte_is_asked_for(bench: Bench) -> None:
    assert bench.read_all() == (DATA, len(DATA))
    assert bench.read_all() == (DATA, 1)


@pytest.mark.parametrize("size", [64 * 1024 + 1, MIB, MIB + 1, 5 * MIB])
def test_small_files_as_well(bench: Bench, size: int) -> None:
    bench.bucket.put("f", BytesSource(DATA[:size]), NewObject())
    assert bench.read_all() == (DATA[:size], size)
    assert bench.read_all() == (DATA[:size], 1)


@pytest.mark.slow
def test_a_version_that_took_its_place_is_read(bench: Bench) -> None:
    bench.read_all()
    expected = bench.bucket.head("f")
    bench.bucket.put("f", BytesSource(DATA[::-1]), NewObject())
    reader = Reader(
        bench.bucket, "f", bench.executor, MemoryBudget(0), expected=expected, cache=bench.cache
    )
    reader.open()
    assert bytes(reader.read(0, MIB)) == DATA[::-1][:MIB]
    assert bench.read_all()[0] == DATA[::-1]


def test_who_may_not_read_gets_nothing_of_it(bench: Bench) -> None:
    bench.read_all()
    refusing = Refusing()
    for attempt in (Reader.open, lambda reader: reader.read(0, 10)):
        with pytest.raises(AccessDenied):
            attempt(bench.reader(refusing))
    written = bench.reader(refusing)
    written.info = bench.bucket.head("f")  # as of a handle that writes: it was only looked at
    with pytest.raises(AccessDenied):
        written.read(0, 10)


@pytest.mark.slow
def test_blocks_that_are_damaged_are_read_from_the_service(bench: Bench, tmp_path: Path) -> None:
    bench.read_all()
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file())[::7]:
        path.write_bytes(b"x" * 1000)
    read, fetched = bench.read_all()
    assert read == DATA
    assert 1 < fetched <= len(DATA) + 1
    assert bench.read_all() == (DATA, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(DATA) + 10), st.integers(0, 3_000_000)), max_size=12),
    st.sampled_from([0, 2**30]),
)
def test_any_reads(bench: Bench, reads: list[tuple[int, int]], memory: int) -> None:
    reader = bench.reader()
    reader._budget.limit = memory
    for offset, length in reads:
        assert reader.read(offset, length) == DATA[offset : offset + length]
    reader.close()


@pytest.mark.slow
def test_here_and_there_a_block_is_fetched(bench: Bench) -> None:
    places = random.Random(2).sample(range(len(DATA) // 4096), 40)
    with ThreadPoolExecutor(4) as executor:
        reader = bench.reader(executor=executor)
        for place in places:
            assert reader.read(place * 4096, 4096) == DATA[place * 4096 :][:4096]
    assert bench.bucket.fetched <= 50 * 256 * 1024
    fetched = bench.bucket.fetched
    again = bench.reader()
    for place in places:
        assert again.read(place * 4096, 4096) == DATA[place * 4096 :][:4096]
    assert bench.bucket.fetched - fetched <= 256 * 1024
