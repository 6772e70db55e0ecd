"""The tagging part of `CachedBucket`, and what a rewrite may know of the tags that it must keep."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from tagfs.errors import AccessDenied, NotFound
from tagfs.store.bucket import FRESH_WITHIN, Bucket
from tagfs.store.cache.coalescer import Coalescer
from tagfs.store.cache.entry import UNKNOWN, Unknown
from tagfs.store.cache.read_rights import ReadRights
from tagfs.store.cache.reads import unless_missing
from tagfs.store.cache.recollection import Recollection
from tagfs.store.key_locks import KeyLocks
from tagfs.store.objects import Keep, NewObject
from tagfs.store.single_flight import Slot
from tagfs.store.tags import NO_TAGS, TagSet

CopyTags = TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED, Keep.REPLACED_OR_SOURCE]

_BUCKET_TAGS: Final[Slot] = ("bucket tags", "")


class CachedTags:
    """Tags of objects and of the bucket.

    Args:
        rewrites: one lock of each key, held over a rewrite of it.
        counts_tags: see `CachedBucket`.
    """

    def __init__(
        self,
        inner: Bucket,
        state: Coalescer,
        rewrites: KeyLocks,
        recollection: Recollection,
        *,
        counts_tags: bool,
    ) -> None:
        self._recollection = recollection
        self._inner = inner
        self._state = state
        self._clocks = state.clocks
        self._known = state.known
        self._lock = state.lock
        self._rewrites = rewrites
        self._counts_tags = counts_tags
        self._bucket_tags: tuple[float, TagSet] | None = None
        self._may_read = ReadRights()

    def get_tags(self, key: str, *, max_age: float | None = None) -> TagSet:
        """Return the tag set of one object."""
        if max_age is None:
            self._recollection.recall_tags((key,), self._recall_tags)
        tags = self._state.get_or_fetch(
            ("tags", key),
            lambda: self._recall_tags(key, max_age),
            lambda: self._ask_tags(key),
            lambda found, at: self._saw_tags(key, found, at),
            lambda: self._clocks.oldest_flight(max_age, self._clocks.tag_ttl),
        )
        if tags is None:
            raise NotFound(f"{key}: no such key")
        return tags

    def get_tags_many(self, keys: Sequence[str]) -> Mapping[str, TagSet]:
        """Return tag sets of several objects, and remember what comes; the known are left out."""
        self._recollection.recall_tags(keys, self._recall_tags)
        found = self._state.fetch_many(
            "tags", keys, self._recall_tags, self._inner.get_tags_many, self._saw_tags
        )
        for key in found:
            self._may_read.note_read(key)
        return found

    def known_tags(self, key: str) -> TagSet | None:
        """Return what is remembered of an object's tags, without a request."""
        with self._lock:
            tags = self._recall_tags(key)
        return None if tags is UNKNOWN else tags

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Change the tag set, read afresh by the inner bucket, and remember the result."""
        with self._rewrites.hold(key):
            tags = self._state.write(
                (key,),
                lambda: self._inner.update_tags(key, change),
                lambda tags, at: self._known.record_tag_write(key, tags, at),
                self._state.invalidate_tags,
            )
        self._may_read.note_read(key)
        return tags

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tag set in one request."""
        with self._rewrites.hold(key):
            self._state.write(
                (key,),
                lambda: self._inner.put_tags(key, tags),
                lambda _, at: self._known.record_tag_write(key, tags, at),
                self._state.invalidate_tags,
            )

    def get_bucket_tags(self, *, max_age: float | None = None) -> TagSet:
        """Return the tag set of the bucket."""

        def recall() -> TagSet | Unknown:
            kept = self._bucket_tags
            young = kept is not None and kept[0] > self._clocks.oldest_tags(max_age)
            return kept[1] if kept is not None and young else UNKNOWN

        return self._state.get_or_fetch(
            _BUCKET_TAGS,
            recall,
            self._inner.get_bucket_tags,
            self._saw_bucket_tags,
            lambda: self._clocks.oldest_flight(max_age, self._clocks.tag_ttl),
        )

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Change the bucket's tag set, read afresh, and remember the result."""
        with self._rewrites.hold(""):  # no object has this key
            with self._lock:
                began = self._clocks.monotonic()
                self._state.flights.invalidate(_BUCKET_TAGS)
            tags: TagSet | None = None
            try:
                tags = self._inner.update_bucket_tags(change)
            finally:
                with self._lock:
                    self._state.flights.invalidate(_BUCKET_TAGS)
                    self._bucket_tags = None if tags is None else (began, tags)
            return tags

    def invalidate_bucket_tags(self) -> None:
        """Know nothing of the tags of the bucket any more (under the lock)."""
        self._bucket_tags = None

    # What a rewrite is to keep

    def recent_tags(self, key: str) -> TagSet | None:
        """Return tags that were asked for so recently that a rewrite needs no request."""
        with self._lock:
            tags = self._recall_tags(key, FRESH_WITHIN)
        if tags is UNKNOWN:
            return None
        return tags or NO_TAGS

    def with_recent_tags(self, key: str, new: NewObject) -> NewObject:
        """Return what is to be written with the tags that it shall keep, if they are known."""
        recent = self.recent_tags(key) if new.tags is Keep.REPLACED else None
        return new if recent is None else replace(new, tags=recent)

    def with_counted_tags(self, key: str, new: NewObject) -> NewObject:
        """Do the same for an upload, and read tags that are known to be there.

        Where there seem to be none, the inner bucket looks while it begins the upload.
        """
        with self._lock:
            known = self._known.find(key, self._clocks.oldest())
        found = None if known is UNKNOWN else known
        if new.tags is Keep.REPLACED and found and found.detail and found.detail.tag_count:
            with contextlib.suppress(AccessDenied, NotFound):  # which the inner bucket judges
                return replace(new, tags=self.get_tags(key, max_age=FRESH_WITHIN))
        return self.with_recent_tags(key, new)

    def recent_tags_for_copy(self, source: str, key: str, tags: CopyTags) -> CopyTags:
        """Return the tags of a copy, chosen by what was asked for recently."""
        if isinstance(tags, TagSet) or tags is Keep.SOURCE:
            return tags
        own, replaced = self.recent_tags(source), self.recent_tags(key)
        if tags is Keep.REPLACED_OR_SOURCE:
            return tags if replaced is None else replaced or Keep.SOURCE
        own = None if own is None else own.beyond(self._inner.default_tags)
        if own or replaced == NO_TAGS:
            return Keep.SOURCE
        if own is None or replaced is None:
            return tags
        return replaced

    # What is remembered

    def _recall_tags(self, key: str, max_age: float | None = None) -> TagSet | Unknown | None:
        # What must not be lost, or must be fresh, needs to be known surely.
        surely = max_age is not None
        counted = self._counts_tags and self._may_read.is_known(key, surely=surely)
        tags = self._known.get_tags(key, self._clocks.oldest_tags(max_age), counted=counted)
        if tags is not None:
            return tags
        missing = self._known.find(key, self._clocks.oldest(max_age)) is None
        return None if missing else UNKNOWN

    def _ask_tags(self, key: str) -> TagSet | None:
        try:
            tags = unless_missing(lambda: self._inner.get_tags(key))
        except AccessDenied:
            self._may_read.note_refused()
            raise
        self._may_read.note_read(key)
        return tags

    def _saw_tags(self, key: str, tags: TagSet | None, at: float) -> None:
        if tags is None:
            self._state.record(key, None, at)
        else:
            self._known.record_tags(key, tags, at)

    def _saw_bucket_tags(self, tags: TagSet, at: float) -> None:
        self._bucket_tags = (at, tags)
