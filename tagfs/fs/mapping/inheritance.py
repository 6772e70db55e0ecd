"""What a file takes over from the one whose name it gets: all that it does not bring itself.

Editors, `sed -i` and rsync write a new file and rename it over the old one; others rename the old
one away first. Neither means to change what kind of thing the name is: its tags, its type and other
headers, its user metadata, how it is encrypted. So these stay with the name (promise G5), unless
the new file has its own. `replace_tags=drop` is plain POSIX: the new file comes as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tagfs.fs.mapping.content_types import CONTENT_TYPE, UNCHOSEN, by_name, is_chosen
from tagfs.fs.mapping.posix_metadata import ATTRIBUTE_NAMES
from tagfs.fs.mapping.xattr_metadata import XATTR_METADATA
from tagfs.store.objects import NOTHING, Detail, ObjectInfo
from tagfs.store.tags import TagSet

_ENCRYPTION: Final = "server-side-encryption"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What a file brings or is left; `tags` and `acl` None if that says nothing of them.

    Attributes:
        annotations_of: the key of what has the annotations that are left.
    """

    tags: TagSet | None = None
    acl: Mapping[str, str] | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    annotations_of: tuple[str, ...] = ()


NO_HEIR: Final = Inherited()
"""A new file that takes no other's place."""


def inherited_from(
    info: ObjectInfo | None,
    tags: TagSet | None = None,
    acl: Mapping[str, str] | None = None,
) -> Inherited:
    """Return what an object leaves to the file that takes its place."""
    detail = (info.detail if info else None) or Detail()
    return Inherited(tags=tags, acl=acl, metadata=detail.metadata, headers=detail.headers)


def take_over(own: Inherited, left: Inherited, old: str, new: str, *, typed: bool) -> Inherited:
    """Return what a file, made for the path `old`, has at the path `new`.

    It brings `own`, and `left` is left to it there.
    """
    return Inherited(
        tags=left.tags if own.tags is None else own.tags,
        acl=left.acl if own.acl is None else own.acl,
        metadata=merged_metadata(own.metadata, left.metadata),
        headers=merged_headers(own.headers, left.headers, old, new, typed=typed),
        annotations_of=own.annotations_of or left.annotations_of,
    )


def new_headers(path: str, *, typed: bool) -> dict[str, str]:
    """Return the headers of a new file; `typed`: its type is that of its name."""
    kind = by_name(path) if typed else None
    return {CONTENT_TYPE: kind} if kind else {}


def merged_metadata(own: Mapping[str, str], left: Mapping[str, str]) -> dict[str, str]:
    """Return the user metadata of a file that takes another's place.

    Like tags, what is `user.meta.*` is one set, and so are the other extended attributes.
    """
    kept = left.keys() - ATTRIBUTE_NAMES
    if own.keys() - ATTRIBUTE_NAMES - {XATTR_METADATA}:
        kept &= {XATTR_METADATA}
    return {**{name: left[name] for name in kept}, **own}


def merged_headers(
    own: Mapping[str, str], left: Mapping[str, str], old: str, new: str, *, typed: bool
) -> dict[str, str]:
    """Return the headers of a file that comes from path `old` to path `new`.

    `left` are those of the file that it replaces there, if any.
    """
    merged = {**left, **own}
    if "kms" in left.get(_ENCRYPTION, "").lower():  # no program brings an encryption of its own
        mine = {name for name in merged if name.startswith(_ENCRYPTION)}
        merged = {name: text for name, text in merged.items() if name not in mine}
        merged |= {name: text for name, text in left.items() if name.startswith(_ENCRYPTION)}
    kind = _merged_type(own.get(CONTENT_TYPE, ""), left.get(CONTENT_TYPE, ""), old, new, typed)
    if kind:
        merged[CONTENT_TYPE] = kind
    return merged


def _merged_type(own: str, left: str, old: str, new: str, typed: bool) -> str:  # noqa: FBT001 local
    chosen = is_chosen(own, old) if typed else own not in UNCHOSEN
    if chosen:
        return own
    if left not in UNCHOSEN:
        return left
    return (by_name(new) if typed else None) or own or left
