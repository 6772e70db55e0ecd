"""A bucket around a bucket: markers of directories that the service does not keep stay in memory.

Where it keeps them, nothing here does anything. Where it does not, a directory that was made lives
as long as the mount, with its mode and times, and whoever looks through this one sees it; to others
it is there as soon as a key below it is. Those of Hadoop are shown as what they mean.
"""

import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cachetools import LRUCache

from tagfs.errors import AlreadyExists, Unsupported
from tagfs.store.bucket import Bucket, Capabilities
from tagfs.store.folder_markers import FOLDER, FolderMarkers
from tagfs.store.objects import (
    NONE_MEANT,
    BytesSource,
    Detail,
    Lookup,
    NewObject,
    ObjectInfo,
    ObjectType,
    Page,
    Source,
)
from tagfs.store.tags import NO_TAGS, TagRules, TagSet

_ETAG: Final = "in-memory"
_TOKENS: Final = 1000  # of listings that go on


class LocalMarkers:
    """A `Bucket` around a `Bucket`. Thread-safe."""

    def __init__(self, inner: Bucket) -> None:
        self._inner = inner
        self.name, self.limits = inner.name, inner.limits
        self.default_tags = inner.default_tags
        self.bucket_tag_rules = inner.bucket_tag_rules
        self._lock = threading.Lock()
        self._made: dict[str, ObjectInfo] = {}
        self._keys: list[str] = []  # of them, in order
        self._folders = FolderMarkers(inner)
        self._ends: LRUCache[str, str] = LRUCache(_TOKENS)  # token -> last key of the page before
        self._bind(inner)

    def _bind(self, inner: Bucket) -> None:
        self.get, self.get_many = inner.get, inner.get_many
        self.may_delete, self.restore = inner.may_delete, inner.restore
        self.put_symlink, self.rename = inner.put_symlink, inner.rename
        self.append, self.start_append = inner.append, inner.start_append
        self.start_upload, self.upload_part = inner.start_upload, inner.upload_part
        self.copy_part, self.list_parts = inner.copy_part, inner.list_parts
        self.complete_upload, self.abort_upload = inner.complete_upload, inner.abort_upload
        self.get_bucket_tags = inner.get_bucket_tags
        self.update_bucket_tags = inner.update_bucket_tags
        self.get_annotation, self.put_annotation = inner.get_annotation, inner.put_annotation
        self.delete_annotation = inner.delete_annotation
        self.distrust, self.close = inner.distrust, inner.close

    @property
    def object_tag_rules(self) -> TagRules:
        """What the bucket takes as tags of an object, as far as it is known."""
        return self._inner.object_tag_rules

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        return self._inner.capabilities

    # What is there

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = 1000
    ) -> Page:
        """Return one page of the keys that begin with `prefix`."""
        page = self._inner.list(prefix, delimiter=delimiter, token=token, limit=limit)
        if delimiter:
            page = self._folders.shown(page, is_first=token is None)
        elif token is None:
            page = self._folders.with_own(prefix, page)
        return self._with_made(page, prefix, delimiter, token) if self._made else page

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of one directory."""
        token = None
        for each in self._inner.scan(prefix):
            page = self._folders.shown(each, is_first=token is None)
            yield self._with_made(page, prefix, "/", token) if self._made else page
            token = page.token

    def lookup(self, key: str) -> Lookup:
        """Say what is at `key`."""
        prefix = f"{key}/"
        found = self._folders.found(key, self._inner.lookup(key))
        listing = found.listing and self._folders.shown(found.listing, is_first=True)
        with self._lock:
            if not self._below(prefix, limit=1):
                return replace(found, listing=listing)
            marker = self._made.get(prefix) or found.marker
        listing = listing and self._with_made(listing, prefix, "/", None)
        return Lookup(found.info, is_prefix=True, marker=marker, listing=listing)

    def head(self, key: str, *, expected: ObjectType | None = None) -> ObjectInfo:
        """Describe one object."""
        return self._made.get(key) or self._inner.head(key, expected=expected)

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects."""
        made = {key: self._made[key] for key in keys if key in self._made}
        rest = [key for key in keys if key not in made]
        return {**made, **(self._inner.head_many(rest) if rest else {})}

    def get_acl(self, key: str) -> Mapping[str, str]:
        """Return the ACL of one object."""
        return {} if key in self._made else self._inner.get_acl(key)

    def list_annotations(self, key: str) -> Mapping[str, int]:
        """Return the size of each annotation of an object by its name."""
        return {} if key in self._made else self._inner.list_annotations(key)

    def _with_made(self, page: Page, prefix: str, delimiter: str, token: str | None) -> Page:
        """Return a page with those markers that belong between it and the one before."""
        with self._lock:
            start = self._ends.get(token, "") if token is not None else ""
            ends = [*(info.key for info in page.objects[-1:]), *page.prefixes[-1:]]
            end = max([start, *ends])
            if page.token is not None:
                self._ends[page.token] = end
            objects = {info.key: info for info in page.objects}
            prefixes = set(page.prefixes)
            for key in self._below(prefix):
                name, cut, _ = key[len(prefix) :].partition(delimiter or "\0")
                shown = prefix + name + cut
                if not start < shown or (page.token is not None and shown > end):
                    continue
                if cut:
                    prefixes.add(shown)
                else:
                    objects.setdefault(key, self._made[key])
        ordered = tuple(objects[key] for key in sorted(objects))
        return Page(ordered, tuple(sorted(prefixes)), page.token)

    def _below(self, prefix: str, limit: int | None = None) -> Sequence[str]:
        first = bisect_left(self._keys, prefix)
        last = bisect_left(self._keys, prefix + "\U0010ffff")
        return self._keys[first : last if limit is None else min(last, first + limit)]

    # What is made and taken away

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object in one request."""
        if not key.endswith("/") or source.size:
            return self._inner.put(key, source, new)
        if self._inner.capabilities.markers:
            try:
                return self._inner.put(key, source, new)
            except Unsupported:
                if self._inner.capabilities.markers:
                    raise
        return self._remember(key, new)

    def copy(self, source: ObjectInfo, key: str, **chosen: Any) -> ObjectInfo:
        """Copy an object."""
        made = self._made.get(source.key)
        if made is None and source.etag != FOLDER:
            return self._inner.copy(source, key, **chosen)
        detail = (made or source).detail or Detail()
        metadata, headers = chosen.get("metadata"), chosen.get("headers")
        new = NewObject(
            metadata=detail.metadata if metadata is None else metadata,
            headers=detail.headers if headers is None else headers,
            tags=NO_TAGS,
            exclusive=bool(chosen.get("exclusive")),
        )
        return self.put(key, BytesSource(b""), new)

    def set_metadata(
        self,
        info: ObjectInfo,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        known_tags: TagSet | None = None,
    ) -> ObjectInfo:
        """Replace user metadata and standard headers of one object."""
        if info.key not in self._made:
            return self._inner.set_metadata(info, metadata, headers, known_tags=known_tags)
        return self._remember(info.key, NewObject(metadata=metadata, headers=headers))

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        """Delete one object; a missing one is no error."""
        if not self._forget(key):
            self._inner.delete(key, meant=meant)
        for beside in self._folders.beside((key,)):
            self._inner.delete(beside)

    def delete_many(
        self, keys: Sequence[str], *, meant: Mapping[str, ObjectInfo] = NONE_MEANT
    ) -> Mapping[str, str]:
        """Delete objects in batches."""
        real = [key for key in keys if key not in meant or meant[key].etag != FOLDER]
        rest = [key for key in real if key not in self._made] + self._folders.beside(keys)
        failed = self._inner.delete_many(rest, meant=meant) if rest else {}
        for key in set(keys).difference(rest):
            self._forget(key)
        return failed

    def _remember(self, key: str, new: NewObject) -> ObjectInfo:
        if isinstance(new.tags, TagSet) and new.tags:
            raise Unsupported(
                f"{key!r} is in the memory of this mount alone, and has neither tags nor ACL"
            )
        detail = Detail(metadata=new.metadata, headers=new.headers, tag_count=0)
        now = time.time_ns()
        made = ObjectInfo(key=key, size=0, etag=_ETAG, last_modified_ns=now, detail=detail)
        with self._lock:
            if key not in self._made:
                insort(self._keys, key)
            elif new.exclusive:
                raise AlreadyExists(f"{key!r} is there")
            self._made[key] = made
        return made

    def _forget(self, key: str) -> bool:
        """Take a marker out of the memory; tell whether it was there."""
        with self._lock:
            if self._made.pop(key, None) is None:
                return False
            del self._keys[bisect_left(self._keys, key)]
            return True

    # Tags and ACLs, which there are none of

    def put_acl(self, key: str, word: str) -> None:
        """Give an object the ACL that the service calls so."""
        self._demand_kept(key)
        self._inner.put_acl(key, word)

    def get_tags(self, key: str) -> TagSet:
        """Return the tag set of one object."""
        return NO_TAGS if key in self._made else self._inner.get_tags(key)

    def get_tags_many(self, keys: Sequence[str]) -> Mapping[str, TagSet]:
        """Return the tag sets of several objects."""
        return self._inner.get_tags_many([key for key in keys if key not in self._made])

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tag set of one object."""
        self._demand_kept(key)
        self._inner.put_tags(key, tags)

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read, change and write the tag set of one object as one step."""
        self._demand_kept(key)
        return self._inner.update_tags(key, change)

    def _demand_kept(self, key: str) -> None:
        if key in self._made:
            raise Unsupported(
                f"{key!r} is in the memory of this mount alone, and has neither tags nor ACL"
            )
