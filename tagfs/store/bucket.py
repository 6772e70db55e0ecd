"""The contract: what a bucket can do, whoever serves it.

`fs` is written against `Bucket` alone. Three implementations exist: `MemoryBucket` (a fake that
works), `Client` (HTTP) and `CachedBucket` (a Bucket around a Bucket). One contract suite,
`tests/contract/test_bucket_contract.py`, holds for all of them.

Keys are `str`, never begin with "/", and an object whose key ends in "/" is a directory marker.
Sizes, offsets and lengths are bytes. Times are nanoseconds since the epoch. Every method may
raise the classes of `tagfs.errors`; those worth naming are named at the method.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from tagfs.store import limits
from tagfs.store.objects import (
    NONE_MEANT,
    Content,
    Keep,
    Lookup,
    NewObject,
    ObjectInfo,
    ObjectType,
    Page,
    Part,
    Source,
    Upload,
)
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
        part_copies: parts of an upload can be copied from another object.
        rename: one request renames a file, or a directory with all that is in it. Directories
            are real there: they are not gone with the last of their entries.
    """

    object_tags: bool = True
    bucket_tags: bool = True
    symlinks: bool = True
    append: bool = True
    exclusive: bool = True
    exclusive_copies: bool = True
    part_copies: bool = True
    rename: bool = False


class Bucket(Protocol):
    """A bucket. All methods are thread-safe and may block for one or more round trips.

    `max_age` (seconds) says how old a remembered answer may be; None leaves that to the
    implementation's own limit, and implementations that remember nothing ignore it.
    """

    name: str
    limits: Limits
    object_tag_rules: TagRules
    bucket_tag_rules: TagRules

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        ...

    # Looking

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = 1000
    ) -> Page:
        """Return one page of the keys that begin with `prefix`; one request.

        Raises:
            NoSuchBucket, AccessDenied
        """
        ...

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of the directory `prefix` ("" or ending in "/") as they arrive."""
        ...

    def lookup(self, key: str, *, max_age: float | None = None) -> Lookup:
        """Say what is at `key` (no trailing "/"): at most 2 requests, in one round trip."""
        ...

    def head(
        self, key: str, *, expected: ObjectType | None = None, max_age: float | None = None
    ) -> ObjectInfo:
        """Describe one object with its detail; a link is described itself.

        `expected` is a hint from a listing that saves a request for links.

        Raises:
            NotFound
        """
        ...

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects at the same time, as `head` does each.

        What does not take one plain request, or is missing, is left out: ask for it singly.
        """
        ...

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return up to `length` bytes from `start` on (fewer only at the end); all if None.

        A read of a whole object is verified against its checksum.

        Raises:
            NotFound, ObjectChanged (the ETag is not `if_match`), Archived, IntegrityError
        """
        ...

    # Writing

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object whole, in one request, tags included; verified.

        Raises:
            AlreadyExists (`new.exclusive`), AccessDenied (also when the tags to keep may not be
            read), IntegrityError
        """
        ...

    def append(self, info: ObjectInfo, source: Source) -> ObjectInfo:
        """Extend the appendable object `info` at its end; tells a lost reply from a foreign append.

        Raises:
            PositionMismatch: its length is no longer `info.size`; nothing was appended.
        """
        ...

    def start_append(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create an appendable object where no object is.

        Raises:
            AlreadyExists, Unsupported
        """
        ...

    def start_upload(self, key: str, new: NewObject) -> Upload:
        """Begin a multipart upload; nothing is visible before `complete_upload`."""
        ...

    def upload_part(self, upload: Upload, number: int, source: Source) -> Part:
        """Send one part (number from 1), verified; a number sent again replaces the part."""
        ...

    def copy_part(
        self, upload: Upload, number: int, source: ObjectInfo, start: int, length: int
    ) -> Part:
        """Let the service take one part from a range of `source`, if it is still that version.

        Raises:
            ObjectChanged
            Unsupported: it copies no parts, and `capabilities` says so from now on.
        """
        ...

    def list_parts(self, upload: Upload) -> Sequence[Part]:
        """Return the parts that the service has, by number.

        Raises:
            NoSuchUpload
        """
        ...

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        """Make the parts, in order of number, the object's content; verified where possible."""
        ...

    def abort_upload(self, upload: Upload) -> None:
        """Throw a begun upload away; one that is gone already is no error."""
        ...

    def copy(  # noqa: PLR0913  all that a copy may have otherwise
        self,
        source: ObjectInfo,
        key: str,
        *,
        tags: TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE,
        exclusive: bool = False,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        acl: Mapping[str, str] | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE,
        known_tags: TagSet | None = None,
    ) -> ObjectInfo:
        """Copy one object of any size and type on the service, metadata and tags included.

        `metadata`, `headers`: user metadata and standard headers that the copy gets instead of
        the source's (of no link).
        `acl`: the source's; if that has none, one that is given, or that of what is replaced.
        `known_tags`: those of the source, where they are known: some services drop them.

        Raises:
            NotFound, ObjectChanged (`source` is no longer that version), AlreadyExists
        """
        ...

    def rename(self, key: str, new: str, *, source: ObjectInfo | None = None) -> None:
        """Rename an object, or (both keys end in "/") a directory with all that is below it.

        A file replaces a file, and a directory an empty one, as far as the service allows. All at
        once: nobody sees both, neither or a half. `source` is what is known of the object.

        Raises:
            Unsupported: the bucket is none of those that rename (`Capabilities.rename`).
            NotFound
            AlreadyExists: a file is where a directory is to be, or the other way round; or the
                service replaces nothing.
            NotEmpty: there is something in the directory that would be replaced.
        """
        ...

    def set_metadata(
        self,
        info: ObjectInfo,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        known_tags: TagSet | None = None,
    ) -> ObjectInfo:
        """Replace user metadata and standard headers of one object; content and tags stay.

        `known_tags`: the object's, where they are known: some services drop them.

        Raises:
            NotFound, ObjectChanged
        """
        ...

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a symlink object; `target` is a key and need not exist.

        Raises:
            Unsupported, AlreadyExists
        """
        ...

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        """Delete one object; a missing one is no error.

        `meant` is the version that is to go. After an attempt without an answer, no further one is
        made if another version is there: somebody has made that since.
        """
        ...

    def may_delete(self, key: str, *, surely: bool = False) -> bool:
        """Say whether objects beside `key` may be deleted; `surely`: by what is known of these."""
        ...

    def delete_many(
        self, keys: Sequence[str], *, meant: Mapping[str, ObjectInfo] = NONE_MEANT
    ) -> Mapping[str, str]:
        """Delete objects in batches; return, for each key that failed, the reason.

        What surely stays because it may not be deleted has `Denied` for a reason.
        `meant` holds the versions that are to go, by key; see `delete`.
        """
        ...

    # Tags

    def get_tags(self, key: str, *, max_age: float | None = None) -> TagSet:
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

    def get_bucket_tags(self, *, max_age: float | None = None) -> TagSet:
        """Return the tag set of the bucket."""
        ...

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """`update_tags` for the bucket; a set that only loses tags loses exactly those."""
        ...

    def get_acl(self, key: str) -> Mapping[str, str]:
        """Return what gives a rewritten object its ACL again; empty if that takes nothing.

        Raises:
            NotFound
        """
        ...

    # Housekeeping

    def close(self) -> None:
        """Give back connections and threads."""
        ...


class RemoteCache(Protocol):
    """What a bucket that remembers has besides. `fs` alone needs it."""

    def known(self, key: str, *, max_age: float | None = None) -> ObjectInfo | None:
        """Return what is remembered of an object, without a request; None if nothing is."""
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
