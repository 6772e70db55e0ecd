"""What is known of one key: values, and how an entry and a listing go together. Pure."""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tagfs.store.cache.listings import Seen
from tagfs.store.cache.packed_rows import unpack
from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagSet
from tagfs.store.versions import same_version


class Unknown(enum.Enum):
    """The answer to a question that only the service can answer."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
NEVER: Final = -math.inf
_SETTLED_NS: Final = 2_000_000_000


@dataclass(slots=True)
class Entry:
    """What is known of one key.

    Attributes:
        info: the object, None when there is none.
        at: when its version was last asked for.
        detail_at: the same for its detail.
        counted_at: the same for the number of its tags.
        listing_is_proof: any later change of the object is sure to show in a listing, because
            Last-Modified was not in the last seconds when the detail was asked for.
        row: of a listing that showed this version; to compare two rows costs next to nothing.
    """

    info: ObjectInfo | None
    at: float
    detail_at: float = NEVER
    counted_at: float = NEVER
    listing_is_proof: bool = False
    row: bytes | None = None

    def is_proven(self, key: str, row: bytes) -> bool:
        """Say whether the row of a listing proves that this is what the object is now."""
        return self.listing_is_proof and self.is_version_of(key, row)

    def is_version_of(self, key: str, row: bytes) -> bool:
        """Say whether the row of a listing shows this version."""
        if row != self.row:
            if self.info is None or not same_version(self.info, unpack(key, row)):
                return False
            self.row = row
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEffect:
    """What is known of an object that was written, besides its description.

    Attributes:
        at: when the write began.
        tags: the tag set that it has got; None when nobody here knows.
        tags_at: how old that is, if the tags were not written but taken over.
        keeps_tags: whether the tags that it had before are still right.
        counted: whether the number of tags in its detail is that of now.
        detail_at: how old its detail is, if the detail was not written but taken over.
    """

    at: float
    tags: TagSet | None = None
    tags_at: float | None = None
    keeps_tags: bool = True
    counted: bool = False
    detail_at: float | None = None


def with_young_detail(
    key: str, entry: Entry, seen: Seen | None, oldest: float
) -> ObjectInfo | None:
    """Return what is known of a key; its detail only if that is young, or a listing proves it."""
    info = entry.info
    if info is None or info.metadata is None or entry.detail_at > oldest:
        return info
    row = seen[1] if seen else None
    return info if row is not None and entry.is_proven(key, row) else info.as_listed()


def with_known_detail(key: str, row: bytes, entry: Entry | None, oldest: float) -> ObjectInfo:
    """Return what a listing shows, with the detail of the same version if that is known."""
    known = None if entry is None else entry.info
    if entry is None or known is None or known.metadata is None:
        return unpack(key, row)
    if entry.is_proven(key, row):
        return known
    listed = unpack(key, row)
    is_same = entry.detail_at > oldest and same_version(known, listed, apart=1)
    return known if is_same else listed


def count_tags(entry: Entry, tags: Mapping[str, str], at: float) -> None:
    """Note the number of tags that an object has since `at`."""
    info = entry.info
    if info is not None and info.detail is not None:
        entry.info = info.with_detail(replace(info.detail, tag_count=len(tags) or None))
        entry.counted_at = at
