"""Who follows the links of a view one after the other does not wait for each."""

import os
import posixpath
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagfs.catalogue.catalogue import Catalogue
from tagfs.fs.prefetch.directory_walk import EAGER_WINDOW
from tagfs.fs.view_filesystem import ViewFileSystem
from tagfs.fs.views.view_directory import ViewDirectory
from tagfs.fs.views.views import TagLook, Views
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.clock import FakeClock
from tests.fakes.memory_bucket.bucket import MemoryBucket
from tests.fakes.trees import environment_of
from tests.filesystem.test_prefetch import Inline
from tests.unit.catalogue.cataloguekit import opened

VIEW = "/.tagfs/query/team=blue"


class Bench:
    """A file system with a view of some of its files, as an index has them."""

    def __init__(self, catalogue: Catalogue, bucket: MemoryBucket, staging: Path) -> None:
        self.bucket = bucket
        self.catalogue = catalogue
        cache = CachedBucket(bucket, ttl=3600, tag_ttl=3600)
        env = environment_of(cache, staging, Inline(), FakeClock(), stored=False)
        views = Views(
            catalogue,
            env.root,
            TagLook(name=".tagfs", directory=env.default_directory()),
            env.clock,
        )
        shown = ViewDirectory(".tagfs", env.default_directory(), views)
        self.fs = ViewFileSystem(env, dict, shown, listed=False)

    def fill(self, directories: int, each: int, blue: int, *, known: bool = True) -> None:
        for number in range(directories * each):
            place, file = divmod(number, each)
            key = f"d/{place:03}/{file:03}"
            self.bucket.put(key, BytesSource(b"%d" % number), NewObject(tags=NO_TAGS))
            if file < blue or known:
                team = "blue" if file < blue else "red"
                self.catalogue.saw_tags(key, TagSet({"team": team}))
        self.fs.getattr("/.tagfs")
        self.bucket.requests.clear()

    def names(self) -> list[str]:
        fh = self.fs.opendir(VIEW)
        try:
            return [name for name, *_ in self.fs.readdir(fh)][2:]
        finally:
            self.fs.releasedir(fh)

    def follow(self, name: str) -> str:
        """Look where a link leads to, as the kernel does."""
        self.fs.getattr(f"{VIEW}/{name}")
        text = self.fs.readlink(f"{VIEW}/{name}")
        path = posixpath.normpath(posixpath.join(VIEW, text))
        parts = path.split("/")
        for depth in range(2, len(parts) + 1):
            self.fs.getattr("/".join(parts[:depth]))
        return path

    def read(self, path: str) -> bytes:
        fh, _ = self.fs.open(path, os.O_RDONLY)
        try:
            return bytes(self.fs.read(fh, 0, 100))
        finally:
            self.fs.release(fh)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    catalogue = opened(tmp_path / "cache")
    one = Bench(catalogue, MemoryBucket(), tmp_path)
    yield one
    one.fs.close()
    catalogue.close()


@pytest.mark.parametrize(
    ("shape", "lists", "lookups"),
    [
        ((10, 40, 10), 10, 1 + 10),  # /d, the directories, and one listing of each
        ((40, 5, 1), 0, 1 + 40 + 40),  # not worth a listing: each file by itself
        ((1, 1001, 8), 0, 1 + 1 + 8),  # neither is this
    ],
)
def test_a_listing_confirms_what_it_can(
    bench: Bench, shape: tuple[int, int, int], lists: int, lookups: int
) -> None:
    bench.fill(*shape)
    names = bench.names()
    assert len(names) == shape[0] * shape[2]
    assert bench.bucket.count() == 0
    bench.follow(names[0])
    ahead = bench.bucket.count()
    assert ahead > min(len(names), EAGER_WINDOW) // shape[2]
    bench.follow(names[1])
    assert bench.bucket.count() == ahead, "it was asked for ahead"
    for name in names[2:]:
        bench.follow(name)
    assert bench.bucket.count("lookup") <= lookups
    assert bench.bucket.count("list") <= lists + 1, "and the names of a page, once"
    assert bench.bucket.count() == bench.bucket.count("lookup") + bench.bucket.count("list")


def test_links_that_are_only_read_cost_nothing(bench: Bench) -> None:
    bench.fill(4, 10, 5)
    for name in bench.names():
        bench.fs.readlink(f"{VIEW}/{name}")
    assert bench.bucket.count() == 0


def test_links_that_are_followed_here_and_there_cost_what_they_are(bench: Bench) -> None:
    bench.fill(20, 10, 2)
    names = bench.names()
    for at in (30, 7, 20, 1):
        before = bench.bucket.count()
        bench.follow(names[at])
        assert bench.bucket.count() <= before + 3


def test_files_are_read_ahead_as_they_are_followed(bench: Bench) -> None:
    bench.fill(10, 10, 3)
    names = bench.names()
    paths = [bench.follow(name) for name in names]
    bench.bucket.requests.clear()
    assert bench.read(paths[0]) == bench.bucket.get(paths[0][1:]).data
    assert bench.read(paths[1]) == bench.bucket.get(paths[1][1:]).data
    before = bench.bucket.count("get")
    assert before > 4 + 8, "more are under way"
    for path in paths[2:]:
        assert bench.read(path)
    assert bench.bucket.count("get") == len(paths) + 2


def test_a_directory_that_has_become_large_is_not_listed_whole(tmp_path: Path) -> None:
    catalogue = opened(tmp_path / "cache")
    bench = Bench(catalogue, MemoryBucket(page=4), tmp_path)
    bench.fill(1, 100, 5, known=False)
    for name in bench.names():
        bench.follow(name)
    assert bench.bucket.count("list") <= 3, "two pages, and the names of one"
    bench.fs.close()
    catalogue.close()


def test_several_threads_follow_links(tmp_path: Path) -> None:
    catalogue = opened(tmp_path / "cache")
    bench = Bench(catalogue, MemoryBucket(), tmp_path)
    bench.fill(10, 20, 10)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(bench.follow, bench.names()))
    assert len(set(found)) == 100
    bench.fs.close()
    catalogue.close()
