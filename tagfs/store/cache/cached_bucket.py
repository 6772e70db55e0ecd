"""A bucket that remembers what another bucket reported: a `Bucket` around a `Bucket`.

It decides nothing about files: without it everything still works, with more requests. Its parts
are CachedReads, CachedTags and CachedWrites around one Coalescer, which has the lock, the ages and
the calls under way, and one EntryStore, which has what was reported.

- An answer is as old as the request that brought it, counted from when that began.
- One lock guards everything and is never held over a call of the inner bucket.
- A write through this bucket is exact: it invalidates the reads under way that may have missed
  it, and puts its result into entries and listings. A write whose outcome nobody knows leaves
  nothing.
- Changing tags moves neither ETag nor Last-Modified, so remembered tags of other writers' objects
  can only grow old.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from tagfs.store.bucket import Bucket, CachingBucket, Capabilities, Limits
from tagfs.store.cache.annotations import CachedAnnotations
from tagfs.store.cache.cache_clock import CacheClock
from tagfs.store.cache.coalescer import Coalescer
from tagfs.store.cache.entries import EntryStore
from tagfs.store.cache.listings import Listing
from tagfs.store.cache.long_term import LongTermMemory, NoMemory
from tagfs.store.cache.lookup_listings import LookupListings
from tagfs.store.cache.reads import CachedReads
from tagfs.store.cache.recollection import Recollection
from tagfs.store.cache.scans import Scans
from tagfs.store.cache.tags import CachedTags
from tagfs.store.cache.writes import CachedWrites
from tagfs.store.key_locks import KeyLocks
from tagfs.store.tags import TagRules


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """How a cache fares: answers from memory, from the service, from another call's request."""

    hits: int
    misses: int
    coalesced: int
    entries: int
    tag_sets: int
    listings: int
    rows: int


class CachedBucket:
    """A `Bucket` around a `Bucket`.

    Args:
        inner: whom to ask.
        ttl: seconds for which objects, absences and listings are fresh; 0: never.
        tag_ttl: the same for tags.
        negative_ttl: the same for absences, where that is shorter than `ttl`; None: as `ttl`.
        max_entries: bound of listed entries; an eighth of it of objects with detail and of tags.
        max_listing: entries of a directory that is still remembered as a whole.
        counts_tags: whether HEAD and GET of `inner` tell the number of tags, when there are any
            and the caller may know.
        edits_show: whether every change of metadata moves Last-Modified, as a listing shows it.
        clock: monotonic seconds.
        wall: nanoseconds since the epoch, to be compared with Last-Modified.
        memory: what is kept longer than this lives.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of who mounts
        self,
        inner: Bucket,
        *,
        ttl: float,
        tag_ttl: float,
        negative_ttl: float | None = None,
        max_entries: int = 1_000_000,
        max_listing: int = 200_000,
        counts_tags: bool = True,
        edits_show: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
        memory: LongTermMemory | None = None,
    ) -> None:
        self.name = inner.name
        self.limits: Limits = inner.limits
        self.default_tags = inner.default_tags
        self.bucket_tag_rules: TagRules = inner.bucket_tag_rules
        self._inner = inner
        self._rows: LRUCache[str, Listing] = LRUCache(max_entries, getsizeof=Listing.weight)
        max_listing = min(max_listing, max_entries - 1)
        self._memory = memory = memory or NoMemory()
        few = max(max_entries // 8, 1)
        clocks = CacheClock(ttl, tag_ttl, ttl, clock, wall)
        listings = LookupListings(self._rows, max_listing, clocks)
        self._known = EntryStore(
            LRUCache(few), LRUCache(few), LRUCache(few), listings, memory, edits_show=edits_show
        )
        self._state = state = Coalescer(clocks, self._known)
        self.set_ages(ttl=ttl, tag_ttl=tag_ttl, negative_ttl=negative_ttl)
        scans = Scans(state.lock, clocks, state.counts, listings, max_listing)
        rewrites, recollection = KeyLocks(), Recollection(state, memory)
        self._tags = CachedTags(inner, state, rewrites, recollection, counts_tags=counts_tags)
        self._bind_annotations(CachedAnnotations(inner, state))
        self._bind(
            CachedReads(inner, state, scans, recollection),
            CachedWrites(inner, state, self._tags, rewrites, memory),
        )

    def _bind(self, reads: CachedReads, writes: CachedWrites) -> None:
        tags = self._tags
        self.list, self.scan = reads.list, reads.scan
        self.get, self.get_many = reads.get, reads.get_many
        self.lookup, self.head, self.head_many = reads.lookup, reads.head, reads.head_many
        self.known, self.known_keys, self.recall = reads.known, reads.known_keys, reads.recall
        self.expect_empty, self.described = reads.expect_empty, reads.described
        self.put, self.put_symlink = writes.put, writes.put_symlink
        self.append, self.start_append = writes.append, writes.start_append
        self.start_upload, self.complete_upload = writes.start_upload, writes.complete_upload
        self.copy, self.copy_part, self.rename = writes.copy, writes.copy_part, writes.rename
        self.set_metadata, self.restore = writes.set_metadata, writes.restore
        self.delete, self.delete_many = writes.delete, writes.delete_many
        self.get_tags, self.get_tags_many = tags.get_tags, tags.get_tags_many
        self.put_tags, self.update_tags = tags.put_tags, tags.update_tags
        self.known_tags = tags.known_tags
        self.get_bucket_tags = tags.get_bucket_tags
        self.update_bucket_tags = tags.update_bucket_tags
        # Nothing of these is remembered.
        self.upload_part, self.list_parts = self._inner.upload_part, self._inner.list_parts
        self.abort_upload, self.may_delete = self._inner.abort_upload, self._inner.may_delete
        self.get_acl, self.put_acl = self._inner.get_acl, self._inner.put_acl
        self.distrust = self._inner.distrust

    def _bind_annotations(self, annotations: CachedAnnotations) -> None:
        self.list_annotations = annotations.list_annotations
        self.known_annotations = annotations.known_annotations
        self.get_annotation = annotations.get_annotation
        self.put_annotation = annotations.put_annotation
        self.delete_annotation = annotations.delete_annotation

    @property
    def object_tag_rules(self) -> TagRules:
        """What the bucket takes as tags of an object, as far as it is known."""
        return self._inner.object_tag_rules

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        return self._inner.capabilities

    @property
    def stats(self) -> CacheStats:
        """Counts since the beginning, and what is remembered now."""
        with self._state.lock:
            listings = len(self._known.listings)
            return CacheStats(
                hits=self._state.counts.hits,
                misses=self._state.counts.misses,
                coalesced=self._state.counts.coalesced,
                entries=len(self._known.entries),
                tag_sets=len(self._known.tags),
                listings=listings,
                rows=int(self._rows.currsize) - listings,
            )

    # Housekeeping

    def set_ages(self, *, ttl: float, tag_ttl: float, negative_ttl: float | None) -> None:
        """Remember for other times from now on, what is remembered already included."""
        clocks = self._state.clocks
        clocks.ttl, clocks.tag_ttl = ttl, tag_ttl
        clocks.negative_ttl = ttl if negative_ttl is None else negative_ttl

    def forget(self, prefix: str = "") -> None:
        """Drop what is remembered of all keys that begin with `prefix`."""
        with self._state.lock:
            self._state.invalidate_prefix(prefix)
            self._memory.distrust(prefix)
            if not prefix:
                self._tags.invalidate_bucket_tags()
        self._inner.distrust(prefix)

    def close(self) -> None:
        """Close the inner bucket."""
        self._inner.close()


def _keeps_the_contract(cache: CachedBucket) -> CachingBucket:
    return cache
