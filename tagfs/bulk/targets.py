"""Targets of a command line, and the items that each one means.

A target is a URL (`oss://bucket/key`, percent-encoded, perhaps a glob) or a path of a mount. A key
that ends in "/" is a directory's marker, the empty key the bucket. A link is itself, never what it
points to.
"""

import enum
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from tagfs.bulk.opened_buckets import OpenedBucket, OpenedBuckets
from tagfs.bulk.tag_access import Address, Entry, TagAccess
from tagfs.config.settings import parse_url
from tagfs.errors import SettingsError
from tagfs.globs import Filter, compile_glob, decode_pattern, has_magic, literal_head
from tagfs.host.mount_table import find_mount, present_mounts
from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagRules

_URL: Final = re.compile(r"(\w+://[^/]+)/*(.*)", re.DOTALL)
_IN_URL: Final = re.compile(r"[%*?\[\x00-\x1f\x7f]")


class Kind(enum.Enum):
    """What a target is."""

    OBJECT = "one key"
    NAME = "a key, or a directory: with -R the listing decides"
    DIRECTORY = "a marker, or all below it"
    BUCKET = "the bucket, or all in it"
    GLOB = "whatever matches"


@dataclass(frozen=True, slots=True)
class Target:
    """One target.

    Attributes:
        key: the key or the glob.
        base: the part of all its keys that `shown` stands for.
        shown: what the user wrote for `base`.
    """

    place: OpenedBucket
    kind: Kind
    key: str
    base: str
    shown: str

    def show(self, key: str) -> str:
        """Return how an item of this target is named to the user, who can name it so again."""
        if self.place.mount is None:
            return self.shown + _IN_URL.sub(lambda m: quote(m[0]), key)
        if key == self.base:
            return self.shown
        text = posixpath.join(self.shown, key[len(self.base) :])
        return text.rstrip("/") or "/"


@dataclass(frozen=True, slots=True)
class TagOwner:
    """One object, directory, link or bucket whose tags are meant.

    Attributes:
        shown: its name to the user.
        listed: a listing showed it, so that it may be gone by now.
        info: the object as it was listed, where the service did so.
    """

    place: OpenedBucket
    address: Address
    shown: str
    is_link: bool = False
    listed: bool = False
    info: ObjectInfo | None = None


def read_target(text: str, places: OpenedBuckets) -> Target:
    """Say what a word of the command line means.

    Raises:
        SettingsError: a path that is on no mount; a URL of no service.
        BadCredentials: there are none.
    """
    return _read_url(text, places) if "://" in text else _read_path(text, places)


def _read_url(text: str, places: OpenedBuckets) -> Target:
    found = _URL.fullmatch(text)
    if found is None:
        raise SettingsError(f"{text!r} is not a bucket: write oss://bucket/key")
    place = places.of_bucket(parse_url(found[1]))
    raw = found[2]
    shown = f"{found[1]}/"
    if has_magic(raw):
        return Target(place, Kind.GLOB, decode_pattern(raw), "", shown)
    key = unquote(raw)
    kind = Kind.NAME
    if not key:
        kind = Kind.BUCKET
    elif key.endswith("/"):
        kind = Kind.DIRECTORY
    return Target(place, kind, key, "", shown)


def absolute_path(text: str) -> str:
    """Return a path with the links on its way resolved, but not itself: it may be a link."""
    head, name = posixpath.split(text.rstrip("/") or "/")
    if name in ("", ".", ".."):
        return os.path.realpath(text)
    return posixpath.join(os.path.realpath(head or "."), name)


def _read_path(text: str, places: OpenedBuckets) -> Target:
    mounts = present_mounts()
    path = absolute_path(text)
    mount = find_mount(path, mounts)
    if mount is None and os.path.islink(path):  # noqa: PTH114
        path = os.path.realpath(path)
        mount = find_mount(path, mounts)
    if mount is None:
        raise SettingsError(f"{text!r} is on no tagfs mount: name such a path, or oss://bucket/key")
    place = places.of_mount(mount)
    root = place.root
    assert root is not None  # noqa: S101  (it is a mount's)
    if has_magic(text) and not os.path.lexists(path):
        return _read_path_glob(text, places)
    if _is_directory(path):
        prefix = root.to_prefix(mount.below(path))
        kind = Kind.DIRECTORY if prefix else Kind.BUCKET
        return Target(place, kind, prefix, prefix, text)
    key = root.to_key(mount.below(path))
    return Target(place, Kind.OBJECT, key, key, text)


def _read_path_glob(text: str, places: OpenedBuckets) -> Target:
    head = literal_head(text).rpartition("/")[0]
    slash = "/" if text.startswith("/") and not head else ""
    base = _read_path(head or slash or ".", places)
    pattern = text[len(head) + 1 :] if head or slash else text
    literal = "".join(f"[{c}]" if c in "*?[" else c for c in base.key)
    return Target(base.place, Kind.GLOB, literal + pattern, base.key, head or slash)


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None


def find_items(
    target: Target, wanted: Filter, *, recursive: bool, with_bucket: bool
) -> Iterator[TagOwner]:
    """Yield what a target means, in the order of keys.

    `with_bucket` says whether a bucket, walked recursively, is itself one of the items.
    """
    match target.kind:
        case Kind.GLOB:
            yield from _matches(target, wanted, recursive=recursive)
        case Kind.OBJECT:
            yield from _single(target, target.key, wanted)
        case Kind.NAME if not recursive:
            yield from _single(target, target.key, wanted)
        case Kind.NAME:
            empty = True
            for item in _below(target, target.key + "/", wanted):
                empty = False
                yield item
            if empty:
                yield from _single(target, target.key, wanted)
        case Kind.DIRECTORY | Kind.BUCKET:
            if not recursive or (with_bucket and not target.key):
                yield _item(target, Entry(target.key))
            if recursive:
                yield from _below(target, target.key, wanted)


def below(target: Target) -> str | None:
    """Return with what the keys of all below a target begin; None if that is not one prefix."""
    match target.kind:
        case Kind.DIRECTORY | Kind.BUCKET:
            return target.key
        case Kind.NAME:
            return target.key + "/"
        case _:
            return None


def rules_for(target: Target, *, recursive: bool) -> TagRules:
    """Return the rules for what a target's items are given: a bucket walked is not given any."""
    access = target.place.access
    itself = target.kind is Kind.BUCKET and not recursive
    return access.bucket_tag_rules if itself else access.object_tag_rules


def _matches(target: Target, wanted: Filter, *, recursive: bool) -> Iterator[TagOwner]:
    access = target.place.access
    for entry in expand(access, target.key):
        if not entry.is_prefix:
            if wanted.wants(entry.key):
                yield _item(target, entry, listed=True)
        elif recursive:
            yield from _below(target, entry.key, wanted)
        elif target.key.endswith("/"):
            yield _item(target, Entry(entry.key))


def _single(target: Target, key: str, wanted: Filter) -> Iterator[TagOwner]:
    if wanted.wants(key.rpartition("/")[2]):
        yield _item(target, Entry(key))


def _below(target: Target, prefix: str, wanted: Filter) -> Iterator[TagOwner]:
    for entry in target.place.access.entries(prefix, deep=True):
        below = entry.key[len(prefix) :] or prefix.rstrip("/").rpartition("/")[2]
        if wanted.wants(below) and is_shown(target.place, entry.key):
            yield _item(target, entry, listed=True)


def is_shown(place: OpenedBucket, key: str) -> bool:
    """Say whether the mount by which a bucket was named shows a key."""
    return place.root is None or place.root.to_path(key) is not None


def item_at(target: Target, key: str) -> TagOwner:
    """Return the item of one key, whether anything is there or not."""
    return _item(target, Entry(key))


def _item(target: Target, entry: Entry, *, listed: bool = False) -> TagOwner:
    shown = target.show(entry.key)
    return TagOwner(
        target.place,
        Address(entry.key),
        shown,
        is_link=entry.is_link,
        listed=listed,
        info=entry.info,
    )


def expand(access: TagAccess, pattern: str) -> Iterator[Entry]:
    """Yield what a glob over keys matches: level by level, or `**` by listing all below."""
    if "**" not in pattern:
        yield from _expand(access, "", pattern.split("/"))
        return
    regex = compile_glob(pattern)
    for entry in access.entries(literal_head(pattern), deep=True):
        if regex.fullmatch(entry.key):
            yield entry


def _expand(access: TagAccess, base: str, parts: list[str]) -> Iterator[Entry]:
    while len(parts) > 1 and not has_magic(parts[0]):
        base += parts[0] + "/"
        parts = parts[1:]
    head, *rest = parts
    if not has_magic(head):
        yield Entry(base + head)
        return
    regex = compile_glob(head)
    for entry in access.entries(base + literal_head(head), deep=False):
        name = entry.key[len(base) :].rstrip("/")
        if not name or not regex.fullmatch(name):
            continue
        if not rest or (entry.is_prefix and rest == [""]):
            yield entry
        elif entry.is_prefix:
            yield from _expand(access, entry.key, rest)
