"""A bucket that remembers what another bucket reported: a `Bucket` around a `Bucket`.

It owns the ages, the lock and the calls under way; what answers mean is `entries`, what
listings show `listings`. It decides nothing about files: without it everything still works,
with more requests. The class is put together from modules by what they do: looking <- tagging <-
writing.

- An answer is as old as the request that brought it, counted from when that began.
- One lock guards everything and is never held over a call of the inner bucket.
- A write through this bucket is exact: it invalidates the reads under way that may have missed it
and
  puts its result into entries and listings. A write whose outcome nobody knows leaves nothing.
- Changing tags moves neither ETag nor Last-Modified, so remembered tags of other writers' objects
  can only grow old.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from tagfs.store.bucket import Bucket, CachingBucket, Capabilities, Limits
from tagfs.store.cache.coalescer import CacheClock, Coalescer
from tagfs.store.cache.entries import EntryStore
from tagfs.store.cache.listings import Listing, Listings
from tagfs.store.cache.writes import CachedWrites
from tagfs.store.tags import TagRules


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """How a cache fares: answers from memory, from the service, from somebody else's request."""

    hits: int
    misses: int
    coalesced: int
    entries: int
    tag_sets: int
    listings: int
    rows: int


class CachedBucket(CachedWrites):
    """A `Bucket` around a `Bucket`.

    Args:
        inner: whom to ask.
        ttl: seconds for which objects, absences and listings are believed; 0: not at all.
        tag_ttl: the same for tags.
        max_entries: bound of listed entries; an eighth of it of objects with detail and of tags.
        max_listing: entries of a directory that is still remembered as a whole.
        counts_tags: whether HEAD and GET of `inner` tell the number of tags, when there are any
            and the caller may know.
        clock: monotonic seconds.
        wall: nanoseconds since the epoch, to be compared with Last-Modified.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of who mounts
        self,
        inner: Bucket,
        *,
        ttl: float,
        tag_ttl: float,
        max_entries: int = 1_000_000,
        max_listing: int = 200_000,
        counts_tags: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = inner.name
        self.limits: Limits = inner.limits
        self.object_tag_rules: TagRules = inner.object_tag_rules
        self.bucket_tag_rules: TagRules = inner.bucket_tag_rules
        self._rows: LRUCache[str, Listing] = LRUCache(max_entries, getsizeof=Listing.weight)
        max_listing = min(max_listing, max_entries - 1)
        few = max(max_entries // 8, 1)
        known = EntryStore(
            LRUCache(few), LRUCache(few), LRUCache(few), Listings(self._rows, max_listing)
        )
        state = Coalescer(CacheClock(ttl, tag_ttl, clock, wall), known, max_listing)
        super().__init__(inner, state, counts_tags=counts_tags)

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        return self._inner.capabilities

    @property
    def stats(self) -> CacheStats:
        """Counts since the beginning, and what is remembered now."""
        with self._lock:
            listings = len(self._known.listings)
            return CacheStats(
                hits=self._state.hits,
                misses=self._state.misses,
                coalesced=self._state.coalesced,
                entries=len(self._known.entries),
                tag_sets=len(self._known.tags),
                listings=listings,
                rows=int(self._rows.currsize) - listings,
            )

    # Housekeeping

    def forget(self, prefix: str = "") -> None:
        """Drop what is remembered of all keys that begin with `prefix`."""
        with self._lock:
            self._state.invalidate_prefix(prefix)
            if not prefix:
                self._bucket_tags = None

    def close(self) -> None:
        """Close the inner bucket."""
        self._inner.close()


def _keeps_the_contract(cache: CachedBucket) -> CachingBucket:
    return cache
