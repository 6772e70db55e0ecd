"""Extended attributes of versions: tags and metadata as the object had them."""

import threading
from typing import Final

from cachetools import LRUCache

from tagfs.errors import MalformedResponse, NoSuchTag
from tagfs.fs.clock import Clock
from tagfs.fs.mapping.xattr_metadata import parse_xattrs
from tagfs.fs.mapping.xattr_names import XattrKind, is_meta_name, parse_name, tag_name
from tagfs.fs.xattr.object_facts import fact
from tagfs.fs.xattr.other_names import is_listed
from tagfs.store.object_versions import ObjectVersion, VersionStore
from tagfs.store.objects import Detail, ObjectInfo
from tagfs.store.tags import TagSet, render_tagging

MANY: Final = 1000
"""Tag sets that are held."""


class VersionXattrs:
    """Reads what a version had.

    Args:
        held: seconds for which tags are remembered: who lists names asks for their values next.
    """

    def __init__(self, clock: Clock, versions: VersionStore, held: float) -> None:
        self._clock = clock
        self._versions = versions
        self._seconds = held
        self._lock = threading.Lock()
        self._tags: LRUCache[tuple[str, str], tuple[float, TagSet]] = LRUCache(MANY)

    def names(self, version: ObjectVersion, info: ObjectInfo, *, is_link: bool) -> list[str]:
        """Return the names that are listed, as of the object itself."""
        tags = (tag_name(key, on_link=is_link) for key in self._tags_of(version))
        found = [name for name in tags if name is not None]
        if is_link:
            return found
        metadata = info.detail.metadata if info.detail else {}
        found += [f"user.meta.{name}" for name in metadata if is_meta_name(name)]
        return found + [n for n in _others(info) if n not in found and is_listed(n)]

    def get(
        self, shown: str, version: ObjectVersion | None, info: ObjectInfo | None, name: str
    ) -> bytes:
        """Return the value of one; directories (None) have none.

        Raises:
            NoSuchTag
        """
        if version is None or info is None:
            raise NoSuchTag(f"{shown}: {name}")
        found = self._value(version, info, name)
        if found is None:
            raise NoSuchTag(f"{shown}: {name}")
        return found

    def _value(self, version: ObjectVersion, info: ObjectInfo, name: str) -> bytes | None:
        parsed = parse_name(name)
        metadata = (info.detail or Detail()).metadata
        text: str | None = None
        match parsed.kind:
            case XattrKind.TAG:
                text = self._tags_of(version).get(parsed.rest)
            case XattrKind.TAGGING:
                text = render_tagging(self._tags_of(version)) or None
            case XattrKind.META:
                text = metadata.get(parsed.rest)
            case XattrKind.OBJECT:
                text = fact(info, parsed.rest) or None
            case XattrKind.OTHER_USER | XattrKind.DESKTOP_TAGS:
                return _others(info).get(name)
            case _:
                pass
        return None if text is None else text.encode()

    def _tags_of(self, version: ObjectVersion) -> TagSet:
        place = version.info.key, version.version_id
        now = self._clock()
        with self._lock:
            held = self._tags.get(place)
        if held is not None and now - held[0] < self._seconds:
            return held[1]
        tags = self._versions.get_tags(version)
        with self._lock:
            self._tags[place] = now, tags
        return tags


def _others(info: ObjectInfo) -> dict[str, bytes]:
    """Return the other `user.*` attributes; none where they cannot be read."""
    try:
        return parse_xattrs((info.detail or Detail()).metadata)
    except MalformedResponse:
        return {}
