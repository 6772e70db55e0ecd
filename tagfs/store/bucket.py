"""The contract: what a bucket can do, of any service.

`fs` is written against `Bucket` alone. Three implementations exist: `MemoryBucket` (a fake that
works), `Client` (HTTP) and `CachedBucket` (a Bucket around a Bucket). One contract suite,
`tests/contract/test_bucket_contract.py`, holds for all of them.

Keys are `str`, never begin with "/", and an object whose key ends in "/" is a directory marker.
Sizes, offsets and lengths are bytes. Times are nanoseconds since the epoch. Every method may
raise the classes of `tagfs.errors`; those worth naming are named at the method.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tagfs.store import limits
from tagfs.store.object_reads import ObjectReads
from tagfs.store.object_writes import MultipartUploads, ObjectWrites
from tagfs.store.objects import Lookup, ObjectInfo, ObjectType
from tagfs.store.tags import TagRules, TagSet

Limits = limits.Limits

FRESH_WITHIN: Final = 1.0
"""Seconds: an answer of the service that is at most this old counts as having asked."""

KNOWN_KEYS: Final = 1000
"""Keys of a remembered listing that `RemoteCache.known_keys` returns at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a bucket can do, as far as is known now.

    Attributes:
        exclusive: a write can be made to fail where the key is taken.
        exclusive_copies: a copy as well.
        metadata: objects keep metadata of the user's.
        part_copies: parts of an upload can be copied from another object.
        annotations: objects have named texts beside them (S3).
        markers: an empty object whose key ends in "/" is kept as such.
        rename: one request renames a file, or a directory with all that is in it. Directories
            are real there: they are not gone with the last of their entries.
    """

    object_tags: bool = True
    bucket_tags: bool = True
    symlinks: bool = True
    append: bool = True
    exclusive: bool = True
    exclusive_copies: bool = True
    metadata: bool = True
    part_copies: bool = True
    annotations: bool = False
    markers: bool = True
    rename: bool = False


class TagStore(Protocol):
    """Reading and changing tag sets, of objects and of the bucket."""

    def get_tags(self, key: str) -> TagSet:
        """Return the tag set of one object (of the link itself, if it is one).

        Raises:
            NotFound, AccessDenied, Unsupported
        """
        ...

    def get_tags_many(self, keys: Sequence[str]) -> Mapping[str, TagSet]:
        """Return the tag sets of several objects, as `get_tags` does each; some may be left out."""
        ...

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read the tag set afresh, change it, write it if it differs, and return it.

        Whole towards all other updates and rewrites of this object in this process. What
        `change` raises is raised, and nothing is written.

        Raises:
            NotFound, AccessDenied, Unsupported, InvalidTag and what is below it
        """
        ...

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tag set in one request; an empty one deletes it.

        Raises:
            NotFound, AccessDenied, Unsupported, InvalidTag and what is below it
        """
        ...

    def get_bucket_tags(self) -> TagSet:
        """Return the tag set of the bucket."""
        ...

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """`update_tags` for the bucket; a set that only loses tags loses exactly those."""
        ...


class AnnotationStore(Protocol):
    """Named texts beside an object, changed without it; every rewrite here keeps them.

    The methods may raise NotFound, AccessDenied and (what has none) Unsupported.
    """

    def list_annotations(self, key: str) -> Mapping[str, int]:
        """Return the size of each annotation of an object by its name."""
        ...

    def get_annotation(self, key: str, name: str) -> bytes:
        """Return one annotation.

        Raises:
            NoSuchTag: there is none of this name.
        """
        ...

    def put_annotation(self, key: str, name: str, data: bytes) -> None:
        """Set one annotation, of 1 byte to 1 MiB of UTF-8.

        Raises:
            InvalidTag and what is below it
        """
        ...

    def delete_annotation(self, key: str, name: str) -> None:
        """Remove one annotation; a missing one need be no error."""
        ...


class Bucket(ObjectReads, ObjectWrites, MultipartUploads, TagStore, AnnotationStore, Protocol):
    """A bucket. All methods are thread-safe and may block for one or more round trips."""

    name: str
    limits: Limits
    default_tags: TagSet
    bucket_tag_rules: TagRules

    @property
    def object_tag_rules(self) -> TagRules:
        """What the bucket takes as tags of an object, as far as it is known."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        ...

    def distrust(self, prefix: str = "") -> None:
        """Let what was answered a moment ago of keys that begin with `prefix` serve no more."""
        ...

    def close(self) -> None:
        """Give back connections and threads."""
        ...


class RemoteCache(Protocol):
    """What a bucket that remembers has besides. `fs` alone needs it.

    `max_age` (seconds) says how old a remembered answer may be, at most as old as the cache's own
    limit allows, which also holds where it is None; 0 asks the service.
    """

    def lookup(self, key: str, *, max_age: float | None = None) -> Lookup:
        """See `ObjectReads.lookup`."""
        ...

    def head(
        self, key: str, *, expected: ObjectType | None = None, max_age: float | None = None
    ) -> ObjectInfo:
        """See `ObjectReads.head`."""
        ...

    def get_tags(self, key: str, *, max_age: float | None = None) -> TagSet:
        """See `TagStore.get_tags`."""
        ...

    def get_bucket_tags(self, *, max_age: float | None = None) -> TagSet:
        """See `TagStore.get_bucket_tags`."""
        ...

    def list_annotations(self, key: str, *, max_age: float | None = None) -> Mapping[str, int]:
        """See `AnnotationStore.list_annotations`."""
        ...

    def known_annotations(self, key: str) -> Mapping[str, int]:
        """Return what is remembered of an object's, without a request; empty if nothing is."""
        ...

    def known(self, key: str, *, max_age: float | None = None) -> ObjectInfo | None:
        """Return what is remembered of an object, without a request; None if nothing is."""
        ...

    def known_tags(self, key: str) -> TagSet | None:
        """Return the tags of an object, without a request; None if they are not remembered."""
        ...

    def described(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Return objects of which more is remembered than a listing tells, without a request."""
        ...

    def recall(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Do the same, with what this host learnt before of objects that a listing shows."""
        ...

    def known_keys(self, prefix: str, *, max_age: float | None = None) -> Sequence[str] | None:
        """Return what a remembered listing of one directory shows, without a request.

        These are keys and common prefixes, not sorted, KNOWN_KEYS at most, and none only if the
        directory had neither entry nor marker; None if no whole listing is remembered.
        """
        ...

    def expect_empty(self, prefix: str) -> None:
        """Take note that a directory is being made: if there was none, nothing is in it."""
        ...

    def forget(self, prefix: str = "") -> None:
        """Drop what is remembered of all keys that begin with `prefix`."""
        ...


class CachingBucket(RemoteCache, Bucket, Protocol):
    """A bucket that remembers what it reported."""
