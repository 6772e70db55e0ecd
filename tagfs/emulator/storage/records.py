"""The values that the storage engine takes and gives: frozen, and free of SQL and HTTP."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

NO_VERSION = "null"
"""The version of what was made while its bucket kept no versions."""


class Kind(StrEnum):
    """How an object came to be; OSS shows it as `x-oss-object-type`."""

    NORMAL = "Normal"
    MULTIPART = "Multipart"
    APPENDABLE = "Appendable"
    SYMLINK = "Symlink"


class Extent(NamedTuple):
    """A run of bytes inside one blob; an object's content is a list of them."""

    blob: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a request says about an object beside its bytes."""

    headers: dict[str, str] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    storage_class: str = "Standard"
    acl: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecord:
    """Everything kept about one object.

    `etag` is the service's own word, without quotes; `md5` is hex, or empty where the service would
    not know it; `crc64` is None where it would not tell.
    """

    key: str
    kind: Kind
    size: int
    etag: str
    md5: str = ""
    crc64: int | None = None
    mtime_ms: int
    attributes: Attributes
    target: str = ""
    extents: tuple[Extent, ...] = ()
    restored_from_ms: int = 0
    restored_until_ms: int = 0
    version: str = NO_VERSION


class Scan(NamedTuple):
    """What an index of a bucket (MetaQuery) has: when it was read, after how many changes."""

    at_ms: int
    changes: int
    objects: list[ObjectRecord]


class ListedObject(NamedTuple):
    """The part of an object that listings show."""

    key: str
    kind: str
    size: int
    etag: str
    mtime_ms: int
    storage_class: str
    restored_from_ms: int
    restored_until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRecord:
    """One bucket; `kind` is OBJECT, or POSIX for what OBS calls a parallel file system.

    `versioning` is "Enabled" or "Suspended", or "" where it was never switched on; `index` the mode
    of its index and when that was opened, or "" where there is none.
    """

    id: int
    name: str
    created_ms: int
    storage_class: str
    acl: str
    tags: dict[str, str]
    kind: str = "OBJECT"
    versioning: str = ""
    index: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRecord:
    """A multipart upload that is neither completed nor aborted."""

    id: str
    bucket: int
    key: str
    created_ms: int
    attributes: Attributes
    exclusive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """One part of an upload."""

    number: int
    size: int
    etag: str
    crc64: int
    mtime_ms: int
    extents: tuple[Extent, ...] = ()
    checksum: str = ""
