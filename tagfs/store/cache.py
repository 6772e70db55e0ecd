"""A bucket that remembers what another bucket told it: a `Bucket` around a `Bucket`.

It owns the ages, the lock and the calls under way; what answers mean is `cache_entries`, what
listings show `cache_listings`. It decides nothing about files: without it everything still works,
with more requests.

- An answer is as old as the request that brought it, counted from when that began.
- One lock guards everything and is never held over a call of the inner bucket.
- A write through this bucket is exact: it spoils the reads under way that may have missed it and
  puts its result into entries and listings. A write whose outcome nobody knows leaves nothing.
- Changing tags moves neither ETag nor Last-Modified, so remembered tags of other writers' objects
  can only grow old.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

from cachetools import LRUCache

from tagfs.errors import AccessDenied, NoSuchBucket, NotFound, ObjectChanged
from tagfs.store.bucket import (
    Bucket,
    Capabilities,
    Content,
    Keep,
    Limits,
    Lookup,
    NewObject,
    ObjectInfo,
    ObjectType,
    Page,
    Part,
    Source,
    Upload,
)
from tagfs.store.cache_entries import UNKNOWN, Knowledge, Unknown, Written
from tagfs.store.cache_listings import Listing, Listings
from tagfs.store.cache_scans import Alone, kept_pages
from tagfs.store.cache_state import RECENT, CacheState, Clocks
from tagfs.store.keylocks import KeyLocks
from tagfs.store.singleflight import Slot
from tagfs.store.tags import NO_TAGS, TagRules, TagSet

T = TypeVar("T")

_BUCKET_TAGS: Final[Slot] = ("bucket tags", "")


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


class CachedBucket:
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
        self._inner = inner
        self._counts_tags = counts_tags
        self._clocks = Clocks(ttl, tag_ttl, clock, wall)
        self._rows: LRUCache[str, Listing] = LRUCache(max_entries, getsizeof=Listing.weight)
        max_listing = min(max_listing, max_entries - 1)
        few = max(max_entries // 8, 1)
        self._known = Knowledge(
            LRUCache(few), LRUCache(few), LRUCache(few), Listings(self._rows, max_listing)
        )
        self._state = CacheState(self._clocks, self._known, max_listing)
        self._lock = self._state.lock
        self._rewrites = KeyLocks()
        self._bucket_tags: tuple[float, TagSet] | None = None
        self._may_read_tags: bool | None = None

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

    # Looking

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = 1000
    ) -> Page:
        """Return one page as the service lists it now."""
        return self._inner.list(prefix, delimiter=delimiter, token=token, limit=limit)

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of one directory; remember it unless it is too large."""
        with self._lock:
            listing = self._known.listings.get(prefix, self._clocks.oldest())
            if listing is not None and listing.unsure:
                listing = None
            self._state.hits += listing is not None
        if listing is not None:
            yield from kept_pages(prefix, listing.rows)
            return
        for page in self._state.follow(prefix, lambda: self._inner.scan(prefix)):
            if isinstance(page, Alone):
                yield from self._list_all(prefix, page.token)
            else:
                yield page

    def lookup(self, key: str, *, max_age: float | None = None) -> Lookup:
        """Say what is at `key`, from its own or its directory's listing where possible."""
        return self._state.answer(
            ("lookup", key),
            lambda: self._known.lookup(key, self._clocks.oldest(max_age)),
            lambda: self._inner.lookup(key, max_age=max_age),
            lambda found, at: self._state.saw_lookup(key, found, at),
            lambda: self._clocks.oldest_flight(max_age, self._clocks.ttl),
        )

    def head(
        self, key: str, *, expected: ObjectType | None = None, max_age: float | None = None
    ) -> ObjectInfo:
        """Describe one object with its detail."""

        def recall() -> ObjectInfo | Unknown | None:
            found = self._known.find(key, self._clocks.oldest(max_age))
            without_detail = found is not UNKNOWN and found is not None and found.detail is None
            return UNKNOWN if without_detail else found

        def ask() -> ObjectInfo | None:
            return _unless_missing(
                lambda: self._inner.head(
                    key, expected=expected or self._listed_type(key), max_age=max_age
                )
            )

        info = self._state.answer(
            ("head", key),
            recall,
            ask,
            lambda found, at: self._state.saw(key, found, at),
            lambda: self._clocks.oldest_flight(max_age, self._clocks.ttl),
        )
        if info is None:
            raise NotFound(f"{key}: no such key")
        return info

    def known(self, key: str, *, max_age: float | None = None) -> ObjectInfo | None:
        """Return what is remembered of an object, without a request."""
        with self._lock:
            found = self._known.find(key, self._clocks.oldest(max_age))
            return None if found is UNKNOWN else found

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return bytes of an object; what comes with them is remembered, they are not."""
        slot = ("head", key)
        with self._lock:
            flight = self._state.flights.begin(slot, self._clocks.monotonic(), shared=False)
        try:
            content = self._inner.get(key, start, length, if_match=if_match)
        except BaseException as error:
            with self._lock:
                self._state.flights.end(slot, flight)
                if isinstance(error, NotFound | ObjectChanged):
                    self._state.doubt(key)
            raise
        info = content.info
        with self._lock:
            self._state.flights.end(slot, flight)
            # Through a link comes a mixture of the link and its target.
            is_own = info.key == key and info.type is not ObjectType.SYMLINK
            if is_own and info.detail is not None and not flight.spoiled:
                self._state.saw(key, info, flight.began)
        return content

    # Writing

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object whole."""
        with self._rewrites.hold(key):
            new = self._with_recent_tags(key, new)
            return self._write_object(key, lambda: self._inner.put(key, source, new), _made(new))

    def append(self, info: ObjectInfo, source: Source) -> ObjectInfo:
        """Extend an appendable object at its end."""
        with self._rewrites.hold(info.key):
            written = Written(at=0, detail_at=self._detail_age(info))
            return self._write_object(info.key, lambda: self._inner.append(info, source), written)

    def start_append(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create an appendable object where no object is."""
        with self._rewrites.hold(key):
            return self._write_object(
                key, lambda: self._inner.start_append(key, source, new), _made(new)
            )

    def start_upload(self, key: str, new: NewObject) -> Upload:
        """Begin a multipart upload."""
        with self._rewrites.hold(key):
            upload = self._inner.start_upload(key, self._with_recent_tags(key, new))
        return replace(upload, new=new)

    def upload_part(self, upload: Upload, number: int, source: Source) -> Part:
        """Send one part."""
        return self._inner.upload_part(upload, number, source)

    def copy_part(
        self, upload: Upload, number: int, source: ObjectInfo, start: int, length: int
    ) -> Part:
        """Let the service take one part from a range of `source`."""
        with self._doubting(source.key):
            return self._inner.copy_part(upload, number, source, start, length)

    def list_parts(self, upload: Upload) -> Sequence[Part]:
        """Return the parts that the service has."""
        return self._inner.list_parts(upload)

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        """Make the parts the object's content."""
        with self._rewrites.hold(upload.key):
            # Which tags it has is up to edits since it began, too.
            written = Written(at=0, keeps_tags=False, counted=True)
            return self._write_object(
                upload.key, lambda: self._inner.complete_upload(upload, parts), written
            )

    def abort_upload(self, upload: Upload) -> None:
        """Throw a begun upload away."""
        self._inner.abort_upload(upload)

    def copy(
        self,
        source: ObjectInfo,
        key: str,
        *,
        tags: TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE,
        exclusive: bool = False,
    ) -> ObjectInfo:
        """Copy one object on the service."""
        with self._rewrites.hold(key), self._doubting(source.key):
            chosen = self._recent_tags_for_copy(source.key, key, tags)
            written = Written(
                at=0,
                tags=chosen if isinstance(chosen, TagSet) else None,
                keeps_tags=False,
                detail_at=self._detail_age(source),
            )
            return self._write_object(
                key,
                lambda: self._inner.copy(source, key, tags=chosen, exclusive=exclusive),
                written,
            )

    def set_metadata(
        self, info: ObjectInfo, metadata: Mapping[str, str], headers: Mapping[str, str]
    ) -> ObjectInfo:
        """Replace user metadata and standard headers of one object."""
        with self._rewrites.hold(info.key):
            return self._write_object(
                info.key,
                lambda: self._inner.set_metadata(info, metadata, headers),
                Written(at=0),
            )

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a symlink object."""
        with self._rewrites.hold(key):
            new = self._with_recent_tags(key, new)
            return self._write_object(
                key, lambda: self._inner.put_symlink(key, target, new), _made(new)
            )

    def delete(self, key: str) -> None:
        """Delete one object."""
        with self._rewrites.hold(key):
            self._state.write(
                (key,),
                lambda: self._inner.delete(key),
                lambda _, at: self._known.deleted(key, at, self._clocks.oldest()),
            )

    def delete_many(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Delete objects in batches."""

        def keep(failed: Mapping[str, str], at: float) -> None:
            for key in keys:
                if key in failed:
                    self._state.doubt(key)
                else:
                    self._known.deleted(key, at, self._clocks.oldest())

        distinct = tuple(dict.fromkeys(keys))
        return self._state.write(distinct, lambda: self._inner.delete_many(keys), keep)

    # Tags

    def get_tags(self, key: str, *, max_age: float | None = None) -> TagSet:
        """Return the tag set of one object."""
        tags = self._state.answer(
            ("tags", key),
            lambda: self._recall_tags(key, max_age),
            lambda: self._ask_tags(key, max_age),
            lambda found, at: self._saw_tags(key, found, at),
            lambda: self._clocks.oldest_flight(max_age, self._clocks.tag_ttl),
        )
        if tags is None:
            raise NotFound(f"{key}: no such key")
        return tags

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Change the tag set, read afresh by the inner bucket, and remember the result."""
        with self._rewrites.hold(key):
            tags = self._state.write(
                (key,),
                lambda: self._inner.update_tags(key, change),
                lambda tags, at: self._known.wrote_tags(key, tags, at),
                self._known.doubt_tags,
            )
        self._may_read_tags = self._may_read_tags is not False
        return tags

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tag set in one request."""
        with self._rewrites.hold(key):
            self._state.write(
                (key,),
                lambda: self._inner.put_tags(key, tags),
                lambda _, at: self._known.wrote_tags(key, tags, at),
                self._known.doubt_tags,
            )

    def get_bucket_tags(self, *, max_age: float | None = None) -> TagSet:
        """Return the tag set of the bucket."""

        def recall() -> TagSet | Unknown:
            kept = self._bucket_tags
            young = kept is not None and kept[0] > self._clocks.oldest_tags(max_age)
            return kept[1] if kept is not None and young else UNKNOWN

        return self._state.answer(
            _BUCKET_TAGS,
            recall,
            lambda: self._inner.get_bucket_tags(max_age=max_age),
            self._saw_bucket_tags,
            lambda: self._clocks.oldest_flight(max_age, self._clocks.tag_ttl),
        )

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Change the bucket's tag set, read afresh, and remember the result."""
        with self._lock:
            began = self._clocks.monotonic()
            self._state.flights.spoil(_BUCKET_TAGS)
        tags: TagSet | None = None
        try:
            tags = self._inner.update_bucket_tags(change)
        finally:
            with self._lock:
                self._state.flights.spoil(_BUCKET_TAGS)
                self._bucket_tags = None if tags is None else (began, tags)
        return tags

    # Housekeeping

    def forget(self, prefix: str = "") -> None:
        """Drop what is remembered of all keys that begin with `prefix`."""
        with self._lock:
            self._state.forget(prefix)
            if not prefix:
                self._bucket_tags = None

    def close(self) -> None:
        """Close the inner bucket."""
        self._inner.close()

    # How it is done

    def _list_all(self, prefix: str, token: str | None) -> Iterator[Page]:
        page = self._inner.list(prefix, token=token)
        yield page
        while page.token is not None:
            page = self._inner.list(prefix, token=page.token)
            yield page

    def _listed_type(self, key: str) -> ObjectType | None:
        listed = self.known(key)
        is_link = listed is not None and listed.type is ObjectType.SYMLINK
        return ObjectType.SYMLINK if is_link else None

    def _write_object(
        self, key: str, send: Callable[[], ObjectInfo], written: Written
    ) -> ObjectInfo:
        def keep(info: ObjectInfo, at: float) -> None:
            self._known.wrote(info, replace(written, at=at), self._clocks.oldest())

        return self._state.write((key,), send, keep)

    def _detail_age(self, info: ObjectInfo) -> float:
        with self._lock:
            return self._known.detail_age(info)

    @contextmanager
    def _doubting(self, key: str) -> Iterator[None]:
        # A source that is not what it was thought to be must be asked for again.
        try:
            yield
        except (NotFound, ObjectChanged):
            with self._lock:
                self._state.doubt(key)
            raise

    def _recall_tags(self, key: str, max_age: float | None) -> TagSet | Unknown | None:
        counted = self._counts_tags and bool(self._may_read_tags)
        tags = self._known.get_tags(key, self._clocks.oldest_tags(max_age), counted=counted)
        if tags is not None:
            return tags
        missing = self._known.find(key, self._clocks.oldest(max_age)) is None
        return None if missing else UNKNOWN

    def _ask_tags(self, key: str, max_age: float | None) -> TagSet | None:
        try:
            tags = _unless_missing(lambda: self._inner.get_tags(key, max_age=max_age))
        except AccessDenied:
            self._may_read_tags = False  # for good: from now on no count is believed
            raise
        self._may_read_tags = self._may_read_tags is not False
        return tags

    def _saw_tags(self, key: str, tags: TagSet | None, at: float) -> None:
        if tags is None:
            self._state.saw(key, None, at)
        else:
            self._known.saw_tags(key, tags, at)

    def _saw_bucket_tags(self, tags: TagSet, at: float) -> None:
        self._bucket_tags = (at, tags)

    def _recent_tags(self, key: str) -> TagSet | None:
        # What a rewrite must keep, if that was asked for so recently that it needs no request.
        with self._lock:
            tags = self._recall_tags(key, RECENT)
        if tags is UNKNOWN:
            return None
        return tags or NO_TAGS

    def _with_recent_tags(self, key: str, new: NewObject) -> NewObject:
        recent = self._recent_tags(key) if new.tags is Keep.REPLACED else None
        return new if recent is None else replace(new, tags=recent)

    def _recent_tags_for_copy(
        self, source: str, key: str, tags: TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED]
    ) -> TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED]:
        if tags is not Keep.SOURCE_OR_REPLACED:
            return tags
        own, replaced = self._recent_tags(source), self._recent_tags(key)
        if own or replaced == NO_TAGS:
            return Keep.SOURCE
        if own is None or replaced is None:
            return tags
        return replaced


def _made(new: NewObject) -> Written:
    return Written(at=0, tags=None if new.tags is Keep.REPLACED else new.tags, counted=True)


def _unless_missing(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except NoSuchBucket:
        raise
    except NotFound:
        return None
