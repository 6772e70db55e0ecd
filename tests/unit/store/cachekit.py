"""A cache over a bucket in memory, with a clock that only a test moves on."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.fakes.memory_bucket.bucket import MemoryBucket

TTL = 60.0
TAG_TTL = 30.0
TAGS = TagSet({"team": "blue"})
OTHER = TagSet({"team": "red"})


class Clock:
    """Seconds that stand still; `ns` for those who count from the epoch."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def ns(self) -> int:
        return int(self.now * 1e9)


class Kit:
    """A cache, what it wraps, and a hand in both."""

    def __init__(
        self, *, ttl: float = TTL, tag_ttl: float = TAG_TTL, page: int = 1000, **kwargs
    ) -> None:
        self.clock = Clock()
        self.inner = MemoryBucket(clock=self.clock.ns, page=page)
        self.cache = CachedBucket(
            self.inner, ttl=ttl, tag_ttl=tag_ttl, clock=self.clock, wall=self.clock.ns, **kwargs
        )

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    def foreign(self, key: str, data: bytes = b"x", tags: TagSet = NO_TAGS, **kwargs):
        """Put an object behind the cache's back."""
        return self.inner.put(key, BytesSource(data), NewObject(tags=tags, **kwargs))

    def put(self, key: str, data: bytes = b"x", tags: TagSet = NO_TAGS, **kwargs):
        """Put an object through the cache."""
        return self.cache.put(key, BytesSource(data), NewObject(tags=tags, **kwargs))

    def scan(self, prefix: str = "") -> list[str]:
        pages = list(self.cache.scan(prefix))
        names = [info.key for page in pages for info in page.objects]
        return names + [common for page in pages for common in page.prefixes]

    def cost(self, call: Callable[[], object]) -> int:
        """Return how many requests a call makes."""
        before = self.inner.count()
        call()
        return self.inner.count() - before


class Gate:
    """Holds requests of one operation until it is opened: a hook for `before` or `after`."""

    def __init__(self, operation: str, key: str | None = None) -> None:
        self.reached = threading.Semaphore(0)
        self._operation = operation
        self._key = key
        self._open = threading.Event()

    def __call__(self, operation: str, key: str) -> None:
        if operation == self._operation and self._key in (None, key):
            self.reached.release()
            assert self._open.wait(60), f"nobody opened the gate for {operation} of {key}"

    def wait(self) -> None:
        """Return when one more request stands at the gate."""
        assert self.reached.acquire(timeout=60)

    def open(self) -> None:
        self._open.set()


class Threads:
    """Runs calls at the same time and says when they have begun to wait for one another."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._pool = ThreadPoolExecutor(16)

    def __enter__(self) -> "Threads":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def start(self, call: Callable[[], object]) -> "Future[object]":
        return self._pool.submit(call)

    def join(self, calls: list[Callable[[], object]]) -> "list[Future[object]]":
        """Start calls and return when all of them wait for another request."""
        wanted = self._kit.cache.stats.coalesced + len(calls)
        futures = [self.start(call) for call in calls]
        for _ in range(2000):
            if self._kit.cache.stats.coalesced >= wanted:
                return futures
            threading.Event().wait(0.005)
        raise AssertionError("they do not wait")
