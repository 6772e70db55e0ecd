"""Objects as they pass between a bucket and its users: values, without any service."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal, Protocol

from tagfs.store.tags import NO_TAGS, TagSet

MARKER_TYPE: Final = "application/x-directory"
"""Content-Type of directory markers, as ossfs 1 and s3fs write it."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
"""No metadata, no headers."""


class ObjectType(enum.StrEnum):
    """How an object came to be; the service's words."""

    NORMAL = "Normal"
    MULTIPART = "Multipart"
    APPENDABLE = "Appendable"
    SYMLINK = "Symlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What a listing does not tell about an object.

    Attributes:
        metadata: user metadata, names in lower case and without the service's prefix.
        headers: standard headers kept with the object (content-type, cache-control,
            content-disposition, content-encoding, content-language, expires), lower case; and
            under names without the service's prefix what else a rewrite must send again: its
            storage-class if that was chosen, server-side-encryption and what belongs to it,
            website-redirect-location.
        tag_count: number of tags; None when the service did not say (which is what it does
            both for "none" and for "you may not know": only `get_tags` decides).
        crc64: CRC-64/XZ of the content, where the service keeps one.
        version_id: on versioned buckets.
        target: of a symlink: the key it points to, as stored.
        readable: False while an archived object is not restored.
        restore: of an archived one that is being or was restored, what the service says
            of that: whether it goes on, and until when it lasts.
        tags: the tag set, where the answer itself had it; of the moment of that answer alone.
    """

    metadata: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tag_count: int | None = None
    crc64: int | None = None
    version_id: str | None = None
    target: str | None = None
    readable: bool = True
    restore: str = ""
    tags: TagSet | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object as a listing or a HEAD describes it. A link is described itself, never its target.

    Attributes:
        size: bytes; of a symlink the length of its stored target.
        etag: opaque version of the content, without quotes.
        last_modified_ns: of the object on the service (listings tell ms, headers seconds).
        detail: what only HEAD and GET tell; None when this came from a listing.
        listed_metadata: user metadata, where a listing told that and nothing else of the detail.
    """

    key: str
    size: int
    etag: str
    last_modified_ns: int
    type: ObjectType = ObjectType.NORMAL
    storage_class: str = "Standard"
    detail: Detail | None = None
    listed_metadata: Mapping[str, str] | None = None

    @property
    def metadata(self) -> Mapping[str, str] | None:
        """User metadata for who only looks; None where nobody told it."""
        return self.listed_metadata if self.detail is None else self.detail.metadata

    def as_listed(self) -> "ObjectInfo":
        """Return the same object with what every listing tells of it, and no more."""
        return replace(self, detail=None, listed_metadata=None)

    def with_detail(self, detail: Detail) -> "ObjectInfo":
        """Return the same object with another detail."""
        return replace(self, detail=detail)


class Denied(str):
    """Why one of many keys was not deleted, where that is certain: it may not be, and stays."""

    __slots__ = ()


class Spared(str):
    """Why one of many keys was not deleted: it holds another version than was meant."""

    __slots__ = ()


NONE_MEANT: Final[Mapping[str, ObjectInfo]] = MappingProxyType({})
"""Whatever is at the keys is meant."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a listing: objects and common prefixes, each in UTF-8 byte order.

    `token` is where the next page begins, None after the last. `tags` are those of objects of which
    the service tells them here; of these it may tell the detail as well.
    """

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...] = ()
    token: str | None = None
    tags: Mapping[str, TagSet] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is at a key: an object, keys below it, both or nothing.

    Attributes:
        info: the object with exactly this key (from a listing, so perhaps without detail).
        is_prefix: whether any key begins with `key + "/"`, its directory marker included.
        marker: the directory marker `key + "/"`, which sorts before all that is below it; None when
            there is none (or, from memory, when nobody looked).
        listing: all that is in this directory, if it came along; None where nobody knows.
    """

    info: ObjectInfo | None
    is_prefix: bool
    marker: ObjectInfo | None = None
    listing: Page | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes of an object from `start` on, and the version that they are of."""

    info: ObjectInfo
    start: int
    data: bytes


class Keep(enum.Enum):
    """Where a rewritten object's tags come from, if not from an explicit set."""

    REPLACED = "the tags of the object that is replaced, none if there is none"
    SOURCE = "the tags of the copy's source"
    SOURCE_OR_REPLACED = "the source's tags; if it has none, those of the object that is replaced"
    REPLACED_OR_SOURCE = "those of the object that is replaced; if it has none, the source's"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObject:
    """All that travels with content in the request which creates or replaces an object.

    Attributes:
        metadata: user metadata, complete.
        headers: standard headers, complete (see `Detail.headers`).
        tags: the tag set, or `Keep.REPLACED`.
        defaults: tags that it gets besides, but where it has the key, as far as there is room.
        acl: the ACL (see `tagfs.store.acl`), or `Keep.REPLACED`.
        exclusive: fail with `AlreadyExists` when the key is taken, where the service has a
            header for it (`Capabilities.exclusive`).
        annotations_of: the key whose annotations the object gets, or (it has none) a further one's;
            () for those of the object that is replaced.
    """

    metadata: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tags: TagSet | Literal[Keep.REPLACED] = Keep.REPLACED
    defaults: TagSet = NO_TAGS
    acl: Mapping[str, str] | Literal[Keep.REPLACED] = Keep.REPLACED
    exclusive: bool = False
    annotations_of: tuple[str, ...] = ()

    @property
    def keeps_replaced(self) -> bool:
        """Whether there may be an object at the key which leaves this one what is its own."""
        return self.acl is Keep.REPLACED and not self.exclusive

    def all_tags(self, most: int) -> TagSet | None:
        """Return its tags with the defaults, so many at most; None if some are to be kept."""
        return (
            self.tags.with_defaults(self.defaults, most) if isinstance(self.tags, TagSet) else None
        )


class Source(Protocol):
    """Bytes to upload that can be read again for another attempt. Thread-safe."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` on (both within `size`)."""
        ...


@dataclass(frozen=True, slots=True)
class BytesSource:
    """A `Source` in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on."""
        return self.data[offset : offset + length]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A multipart upload that was begun.

    With `checksums` each part goes with one, which the service compares.

    `tags` and `acl` are those sent when it began; `complete_upload` sends tags again if an edit
    through this process changed the replaced object's in between.
    """

    key: str
    upload_id: str
    new: NewObject = field(default_factory=NewObject)
    tags: TagSet | None = None
    acl: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    checksums: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a multipart upload. `crc64` is None for a part that the service copied.

    `checksum` is what the service reported of it, in base64; "" if nothing.
    """

    number: int
    etag: str
    size: int
    crc64: int | None = None
    checksum: str = ""
