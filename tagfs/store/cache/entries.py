"""What is known of single keys, joined with what listings show; and what writes make of it.

Knows no request, clock or lock: the cache calls it under its own. Every answer has an age, counted
from when its request began; `oldest` is always the moment before which an answer is too old.
"""

from collections.abc import MutableMapping
from dataclasses import replace

from tagfs.store.cache.entry import (
    NEVER,
    UNKNOWN,
    Entry,
    Unknown,
    WriteEffect,
    count_tags,
    with_known_detail,
    with_young_detail,
)
from tagfs.store.cache.listings import above
from tagfs.store.cache.long_term import LongTermMemory, Recalled
from tagfs.store.cache.lookup_listings import LookupListings
from tagfs.store.cache.packed_rows import pack
from tagfs.store.objects import Detail, Lookup, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.versions import same_version


class EntryStore:
    """All that is remembered of a bucket, but the tags of the bucket itself."""

    def __init__(
        self,
        entries: MutableMapping[str, Entry],
        directories: MutableMapping[str, tuple[float, bool]],
        tags: MutableMapping[str, tuple[float, TagSet]],
        listings: LookupListings,
        memory: LongTermMemory,
        *,
        edits_show: bool,
    ) -> None:
        self._memory = memory
        self._edits_show = edits_show
        self.entries = entries
        self.tags = tags
        self.listings = listings
        self._directories = directories

    # Reading

    def find(self, key: str, oldest: float) -> ObjectInfo | Unknown | None:
        """Return the object with this key, None if there is none; a detail given is young enough.

        Of an entry and a listing the younger answer counts.
        """
        entry = self.entries.get(key)
        seen = self.listings.row(key, oldest)
        if entry is not None and entry.at > oldest and (seen is None or entry.at >= seen[0]):
            return with_young_detail(key, entry, seen, oldest)
        if seen is None:
            return UNKNOWN
        if seen[1] is None:
            return None
        return with_known_detail(key, seen[1], entry, oldest)

    def is_directory(self, key: str, oldest: float) -> bool | Unknown:
        """Say whether any key begins with `key + "/"`."""
        seen = self._directory(key, oldest)
        if seen is not None:
            return seen[1]
        return True if self._has_marker(f"{key}/", oldest) else UNKNOWN

    def lookup(self, key: str, oldest: float) -> Lookup | Unknown:
        """Say what is at a key."""
        info = self.find(key, oldest)
        info = self.listings.looked_up(key, oldest) if info is UNKNOWN else info
        is_directory = self.is_directory(key, oldest)
        if info is UNKNOWN or is_directory is UNKNOWN:
            return UNKNOWN
        if not is_directory:
            return Lookup(info, is_prefix=False)
        marker = self.find(f"{key}/", oldest)
        return Lookup(info, is_prefix=True, marker=None if marker is UNKNOWN else marker)

    def has_no_tags(self, key: str, oldest: float) -> bool:
        """Say whether HEAD or GET reported, since `oldest`, that an object has no tags."""
        entry = self.entries.get(key)
        return (
            entry is not None
            and entry.counted_at > oldest
            and entry.info is not None
            and entry.info.detail is not None
            and not entry.info.detail.tag_count
        )

    def get_tags(self, key: str, oldest: float, *, counted: bool) -> TagSet | None:
        """Return the tag set of one object; `counted` says whether numbers of tags are trusted."""
        kept = self.tags.get(key)
        if kept is not None and kept[0] > oldest:
            return kept[1]
        return NO_TAGS if counted and self.has_no_tags(key, oldest) else None

    def detail_age(self, info: ObjectInfo) -> float:
        """Return when the detail of `info` was asked for, as far as that is remembered."""
        entry = self.entries.get(info.key)
        known = entry.info if entry else None
        same = known is not None and (known.etag, known.detail) == (info.etag, info.detail)
        return entry.detail_at if entry is not None and same else NEVER

    # What requests reported

    def record_read(
        self, key: str, info: ObjectInfo | None, at: float, *, settled: bool = False
    ) -> None:
        """Remember what the service reported of one key, unless a later answer is there."""
        old = self.entries.get(key)
        if old is not None and old.at > at:
            return
        if info is None:
            self.entries[key] = Entry(None, at)
            self._memory.learn_gone(key)
        elif info.detail is not None:
            self.entries[key] = Entry(info, at, at, at, settled and self._edits_show)
            self._memory.learn(info, at, settled=settled)
            self._compare_count(key, info.detail, at)
        elif old is not None and old.info is not None and same_version(old.info, info, apart=1):
            exact = old.listing_is_proof and same_version(old.info, info)
            detail_at = at if exact else old.detail_at
            self.entries[key] = Entry(old.info, at, detail_at, old.counted_at, exact)
        else:
            self.entries[key] = Entry(info, at)

    def record_listed(self, info: ObjectInfo, at: float) -> None:
        """Remember an object with the detail that a listing showed, unless a better one is there.

        That says nothing of the number of its tags; and who needs all that a HEAD tells is to ask:
        no later listing proves it.
        """
        old = self.entries.get(info.key)
        if old is not None:
            proven = old.listing_is_proof and old.info is not None
            if old.at > at or (proven and same_version(old.info or info, info)):
                return
        self.entries[info.key] = Entry(info, at, at)

    def record_directory(self, key: str, at: float, *, exists: bool) -> None:
        """Remember whether any key begins with `key + "/"`, unless a later answer is there."""
        kept = self._directories.get(key)
        if kept is None or kept[0] <= at:
            self._directories[key] = (at, exists)

    def record_tags(self, key: str, tags: TagSet, at: float) -> None:
        """Remember the tag set of an object, unless a later answer is there."""
        kept = self.tags.get(key)
        if kept is None or kept[0] <= at:
            self.tags[key] = (at, tags)
            self._memory.learn_tags(key, tags, at)

    # What was known before

    def recall_detail(self, recalled: Recalled, oldest: float, proof: bytes | None) -> bool:
        """Remember a detail that a listing proves; the object itself is as old as its listing.

        Return whether it counts: not where a later answer tells of another version, or of none.
        `proof` is the row that it was compared with.
        """
        info, key = recalled.info, recalled.info.key
        entry, seen = self.entries.get(key), self.listings.row(key, oldest)
        at, row = (NEVER, None) if seen is None or seen[1] is None else seen
        if entry is not None and entry.at > at:
            if entry.info is None or not same_version(entry.info, info):
                return False
            at = entry.at
        entry = Entry(info, at, recalled.detail_at, NEVER, self._edits_show, proof)
        if row is not None and not entry.is_version_of(key, row):
            return False
        self.entries[key] = entry
        return at > oldest

    def recall_tags(self, key: str, tags: TagSet, at: float) -> None:
        """Remember a tag set as it was read then, unless a later one is known."""
        kept = self.tags.get(key)
        if kept is None or kept[0] <= at:
            self.tags[key] = (at, tags)

    def _compare_count(self, key: str, detail: Detail, at: float) -> None:
        # Another client changed the tags; without a count that does not show.
        kept = self.tags.get(key)
        if kept and kept[0] < at and detail.tag_count not in (None, len(kept[1])):
            del self.tags[key]
            self._memory.learn_tags(key, None, at)

    # What was written

    def record_write(self, info: ObjectInfo, written: WriteEffect, oldest: float) -> None:
        """Remember a new version of an object."""
        key, at = info.key, written.at
        entry = Entry(info, at)
        self._memory.learn(replace(info, detail=None), at, settled=False)
        if info.detail is not None:
            entry.detail_at = at if written.detail_at is None else written.detail_at
            if written.counted and info.detail.tag_count is not None:
                entry.counted_at = at
        self._record_written_tags(entry, info, written)
        self.entries[key] = entry
        paths = [(prefix + name)[:-1] for prefix, name in above(key)]
        for path in paths:
            # A directory that comes into being with this object has nothing else in it.
            seen = self._directory(path, oldest)
            if seen is not None and not seen[1]:
                self.listings.begin(f"{path}/", seen[0], oldest)
        self.listings.put(key, pack(info), oldest)
        for path in paths:
            if path in self._directories:
                self._directories[path] = (at, True)

    def _record_written_tags(self, entry: Entry, info: ObjectInfo, written: WriteEffect) -> None:
        key, at = info.key, written.at
        count = None if info.detail is None else info.detail.tag_count
        if written.tags is not None and count in (None, len(written.tags)):
            tags_at = at if written.tags_at is None else written.tags_at
            self.tags[key] = (tags_at, written.tags)
            if written.tags_at is None:
                count_tags(entry, written.tags, at)
            self._memory.learn_tags(key, written.tags, tags_at)
        elif written.tags is not None or not written.keeps_tags:
            self.tags.pop(key, None)
            self._memory.learn_tags(key, None, at)
        elif written.counted and info.detail is not None:
            self._compare_count(key, info.detail, at)

    def expects_empty(self, prefix: str, oldest: float) -> None:
        """Remember that a directory which is not there is about to be, and empty."""
        seen = self._directory(prefix[:-1], oldest)
        if seen is not None and not seen[1]:
            self.listings.begin(prefix, seen[0], oldest)

    def record_tag_write(self, key: str, tags: TagSet, at: float) -> None:
        """Remember the tag set that an object has got."""
        self.tags[key] = (at, tags)
        self._memory.learn_tags(key, tags, at)
        entry = self.entries.get(key)
        if entry is not None:
            count_tags(entry, tags, at)

    def record_delete(self, key: str, at: float, oldest: float) -> None:
        """Remember that there is no object any more, nor perhaps its directories."""
        self._memory.learn_gone(key)
        self.tags.pop(key, None)
        self.entries[key] = Entry(None, at)
        changed = self.listings.delete(key, oldest, lambda marker: self._has_marker(marker, oldest))
        for directory, gone_at in changed:
            if gone_at is None:
                self._directories.pop(directory[:-1], None)
            else:
                self._directories[directory[:-1]] = (gone_at, False)

    def invalidate(self, key: str, oldest: float, now: float) -> None:
        """Know nothing of a key any more; `now` is when."""
        self._memory.learn_tags(key, None, now)
        self._memory.distrust(key)
        self.tags.pop(key, None)
        self.entries.pop(key, None)
        invalidated = self.listings.invalidate(
            key, oldest, lambda marker: self._has_marker(marker, oldest)
        )
        for directory in invalidated:
            self._directories.pop(directory[:-1], None)

    def invalidate_tags(self, key: str, now: float) -> None:
        """Know nothing of the tags of a key any more; `now` is when."""
        self._memory.learn_tags(key, None, now)
        self._memory.distrust(key)
        self.tags.pop(key, None)
        entry = self.entries.get(key)
        if entry is not None:
            entry.counted_at = NEVER

    def invalidate_prefix(self, prefix: str) -> None:
        """Know nothing any more of all keys that begin with `prefix`."""
        kept: tuple[MutableMapping[str, object], ...]
        kept = (self.entries, self.tags, self._directories)  # type: ignore[assignment]
        for mapping in kept:
            for key in [key for key in mapping if key.startswith(prefix)]:
                del mapping[key]
        for directory in [d for d in self._directories if prefix.startswith(f"{d}/")]:
            del self._directories[directory]
        self.listings.invalidate_prefix(prefix)

    def _directory(self, key: str, oldest: float) -> tuple[float, bool] | None:
        kept = self._directories.get(key)
        seen = self.listings.directory(key, oldest)
        if kept is not None and kept[0] > oldest and (seen is None or kept[0] >= seen[0]):
            return kept
        return seen

    def _has_marker(self, key: str, oldest: float) -> bool:
        entry = self.entries.get(key)
        return entry is not None and entry.info is not None and entry.at > oldest
