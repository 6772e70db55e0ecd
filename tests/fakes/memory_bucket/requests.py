"""The base of `MemoryBucket`: requests that are noted and checked; tags and annotations.

Every request that a client would send passes the hooks `before` and `after`, which may raise or
block: what `before` raises never happened, what `after` raises did happen and the answer was lost.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple, TypeVar

from tagfs.errors import (
    FileTooLarge,
    NameTooLong,
    NoSuchTag,
    NotFound,
    Unsupported,
    ValueTooLarge,
)
from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.dialects.oss import OSS
from tagfs.store.key_locks import KeyLocks
from tagfs.store.objects import Keep, NewObject
from tagfs.store.tags import NO_TAGS, TagRules, TagSet
from tests.fakes.memory_bucket.objects import Shelf

T = TypeVar("T")

Hook = Callable[[str, str], None]
"""Called with the operation and its key (of a listing: its prefix; of the bucket: "")."""


class Request(NamedTuple):
    """One request that a client of a real service would have sent."""

    operation: str
    key: str


class MemoryRequests:
    """What every operation of `MemoryBucket` rests on; see there."""

    def __init__(
        self,
        name: str = "memory",
        *,
        limits: Limits | None = None,
        capabilities: Capabilities | None = None,
        clock: Callable[[], int] = time.time_ns,
        counts_tags: bool = True,
        page: int = 1000,
    ) -> None:
        """`page`: entries of a listing's page, at most."""
        self.name = name
        self._page = page
        self.limits: Limits = limits or Limits()
        self.object_tag_rules: TagRules = OSS.object_tag_rules
        self.default_tags = NO_TAGS
        self.bucket_tag_rules: TagRules = OSS.bucket_tag_rules
        self.requests: Final[list[Request]] = []
        self.before: Hook | None = None
        self.after: Hook | None = None
        self.closed = False
        self._capabilities = capabilities or Capabilities()
        self._lock = threading.RLock()
        self._edits = KeyLocks()
        self._shelf = Shelf(clock, counts_tags=counts_tags)
        self._bucket_tags = NO_TAGS

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        return self._capabilities

    def count(self, operation: str | None = None) -> int:
        """Return how many requests there were, of one operation or in all."""
        return sum(operation in (None, request.operation) for request in list(self.requests))

    # Tags

    def get_tags(self, key: str, *, max_age: float | None = None) -> TagSet:  # noqa: ARG002
        """Return the tag set of one object."""
        self._check_tags_supported()
        with self._request("get_tags", key), self._lock:
            return self._shelf.get(key).tags

    def get_tags_many(self, keys: Sequence[str]) -> Mapping[str, TagSet]:
        """Return the tag sets of several objects; what is missing is left out."""
        return each_there(keys, self.get_tags)

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read the tag set, change it, write it if it differs, and return it."""
        with self._edits.hold(key):
            before = self.get_tags(key)
            after = change(before)
            if after != before:
                self.put_tags(key, after)
            return after

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tag set; neither content nor Last-Modified changes."""
        self._check_tags_supported()
        self.object_tag_rules.check(tags)
        with self._edits.hold(key), self._request("put_tags", key), self._lock:
            self._shelf.retag(key, tags)

    def get_bucket_tags(self, *, max_age: float | None = None) -> TagSet:  # noqa: ARG002
        """Return the tag set of the bucket."""
        if not self._capabilities.bucket_tags:
            raise Unsupported("this bucket has no bucket tags")
        with self._request("get_bucket_tags", ""), self._lock:
            return self._bucket_tags

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read the bucket's tag set, change it, write it if it differs, and return it."""
        with self._edits.hold(""):
            before = self.get_bucket_tags()
            after = change(before)
            if after != before:
                self.bucket_tag_rules.check(after)
                with self._request("put_bucket_tags", ""), self._lock:
                    self._bucket_tags = after
            return after

    # Annotations

    def list_annotations(self, key: str, *, max_age: float | None = None) -> Mapping[str, int]:  # noqa: ARG002
        """Return the sizes of an object's annotations by name."""
        with self._annotating("list_annotations", key) as found:
            return {name: len(data) for name, data in found.items()}

    def known_annotations(self, key: str) -> Mapping[str, int]:  # noqa: ARG002
        """Return nothing: nothing is remembered."""
        return {}

    def get_annotation(self, key: str, name: str) -> bytes:
        """Return one annotation."""
        with self._annotating("get_annotation", key) as found:
            if name not in found:
                raise NoSuchTag(f"{key}: no annotation {name}")
            return found[name]

    def put_annotation(self, key: str, name: str, data: bytes) -> None:
        """Set one annotation."""
        with self._annotating("put_annotation", key) as found:
            found[name] = data

    def delete_annotation(self, key: str, name: str) -> None:
        """Remove one annotation, if it is there."""
        with self._annotating("delete_annotation", key) as found:
            found.pop(name, None)

    @contextmanager
    def _annotating(self, operation: str, key: str) -> Iterator[dict[str, bytes]]:
        if not self._capabilities.annotations:
            raise Unsupported("this bucket has no annotations")
        with self._request(operation, key), self._lock:
            self._shelf.get(key)
            yield self._shelf.annotations.setdefault(key, {})

    # What a request may be, and what it is answered

    def _check(self, key: str, new: NewObject, *, size: int = 0, limit: int = 0) -> None:
        if not key or key.startswith("/") or len(key.encode()) > self.limits.max_key:
            raise NameTooLong(f"{key!r}: a key has 1 to {self.limits.max_key} bytes, no leading /")
        if sum(len(f"{k}{v}".encode()) for k, v in new.metadata.items()) > self.limits.max_metadata:
            raise ValueTooLarge(f"{key}: more than {self.limits.max_metadata} bytes of metadata")
        if size > limit:
            raise FileTooLarge(f"{key}: {size} bytes, at most {limit} fit in one request")
        if new.tags is not Keep.REPLACED:
            self.object_tag_rules.check(new.tags)

    def _check_tags_supported(self) -> None:
        if not self._capabilities.object_tags:
            raise Unsupported("this bucket has no object tags")

    def _check_free(self, key: str, *, exclusive: bool) -> None:
        if exclusive and self._capabilities.exclusive:
            self._shelf.check_free(key)

    def _tags_for(self, key: str, new: NewObject) -> TagSet:
        kept = self._tags_of(key) if new.tags is Keep.REPLACED else new.tags
        return self._with_defaults(kept, new)

    def _with_defaults(self, tags: TagSet, new: NewObject) -> TagSet:
        if not self._capabilities.object_tags:
            return tags
        return tags.with_defaults(new.defaults, self.object_tag_rules.max_tags)

    def _tags_for_copy(self, source: str, key: str, tags: TagSet | Keep) -> TagSet | None:
        # None means those of the source, which the service copies itself.
        if isinstance(tags, TagSet):
            return tags
        if tags is Keep.REPLACED_OR_SOURCE:
            return self._tags_of(key) or None
        if tags is Keep.SOURCE or self._tags_of(source):
            return None
        return self._tags_of(key)

    def _tags_of(self, key: str) -> TagSet:
        if not self._capabilities.object_tags:
            return NO_TAGS
        try:
            return self.get_tags(key)
        except NotFound:
            return NO_TAGS

    @contextmanager
    def _request(self, operation: str, key: str) -> Iterator[None]:
        self.requests.append(Request(operation, key))
        self._call(self.before, operation, key)
        yield
        self._call(self.after, operation, key)

    def _call(self, hook: Hook | None, operation: str, key: str) -> None:
        if hook is not None:
            hook(operation, key)


def each_there(keys: Sequence[str], ask: Callable[[str], T]) -> Mapping[str, T]:
    """Return what each key is, without those that are missing."""
    found: dict[str, T] = {}
    for key in keys:
        with suppress(NotFound):
            found[key] = ask(key)
    return found
