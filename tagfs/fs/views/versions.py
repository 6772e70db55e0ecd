"""The view of what objects were: `versions/PATH/` is a directory of the versions of PATH.

    versions/report.pdf/2026-11-28T09:12:00Z~ID    one version, with its tags
    versions/dir/report.pdf/                       as below a directory

What is deleted has a name here as well. Nobody who does not look here pays for it.
"""

import stat
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from cachetools import LRUCache

from tagfs.errors import IsADirectory, NotADirectory, NotALink, NotFound
from tagfs.fs.content.reader import Reader
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.paths import is_visible
from tagfs.fs.mapping.posix_metadata import Attributes, parse_attributes
from tagfs.fs.tree.symlinks import read_link
from tagfs.fs.views.shown import Shown
from tagfs.fs.views.version_names import by_name, may_be_version
from tagfs.fs.views.version_xattrs import VersionXattrs
from tagfs.store.object_versions import ObjectVersion, VersionStore, is_of_trial
from tagfs.store.objects import Content, ObjectInfo, ObjectType

T = TypeVar("T")
Parts = tuple[str, ...]

NAME: Final = "versions"

HELD: Final = 5.0
"""Seconds for which a listing is remembered, while what it showed is looked at."""

MANY: Final = 1000
"""Listings that are held, and versions that were described."""

MANY_NAMES: Final = 10_000
"""Names of a directory up to which its listing is held."""


class VersionReads:
    """One version as what readers read."""

    def __init__(self, versions: VersionStore, version: ObjectVersion) -> None:
        self._versions, self._version = versions, version

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return bytes; see `ObjectReads.get`."""
        assert key == self._version.info.key  # noqa: S101  (readers read one key)
        return self._versions.get(self._version, start, length, if_match=if_match)

    def head(
        self,
        key: str,
        *,
        expected: ObjectType | None = None,  # noqa: ARG002  (the version's)
        max_age: float | None = None,  # noqa: ARG002  (a version never changes)
    ) -> ObjectInfo:
        """Return the version's description; see `ObjectReads.head`."""
        assert key == self._version.info.key  # noqa: S101
        return self._versions.head(self._version)


class VersionView:
    """Answers for all paths below `versions`. Thread-safe.

    Paths are the components below the directory.

    Args:
        directory: the attributes of a directory here.
    """

    def __init__(self, env: FsContext, versions: VersionStore, directory: Attributes) -> None:
        self._env = env
        self._versions = versions
        self._directory = replace(directory, mode=stat.S_IFDIR | 0o555)
        self._lock = threading.Lock()
        self._of_key: LRUCache[str, tuple[float, Mapping[str, ObjectVersion]]] = LRUCache(MANY)
        self._listed: LRUCache[str, tuple[float, frozenset[str]]] = LRUCache(MANY)
        self._described: LRUCache[tuple[str, str], ObjectInfo] = LRUCache(MANY)
        self._xattrs = VersionXattrs(env.clock, versions, HELD)

    def describe(self, parts: Parts) -> Shown:
        """Return the attributes of something here.

        Raises:
            NotFound
        """
        version = self._find(parts)
        if version is None:
            return Shown(self._directory, 0)
        attributes = self._attributes(version)
        size = version.info.size
        if attributes.type == stat.S_IFLNK and self._env.choices.stored:
            size = len(self._text(version).encode("utf-8", "surrogateescape"))
        return Shown(attributes, size)

    def names(self, parts: Parts) -> Iterator[tuple[str, int]]:
        """Yield name and type of all that is in a directory here, asked anew.

        Raises:
            NotFound, NotADirectory
        """
        if self._version_at(parts) is not None:
            raise NotADirectory("/".join(parts))
        versions = self._of(self._key(parts), fresh=True) if parts else {}
        yield from ((name, self._kind(version)) for name, version in versions.items())
        empty = bool(parts) and not versions
        for name in self._children(parts):
            empty = False
            if name not in versions:
                yield name, stat.S_IFDIR
        if empty:
            raise NotFound("/".join(parts))

    def read_link(self, parts: Parts) -> str:
        """Return the text of a link, as it was.

        Raises:
            NotFound, NotALink
        """
        version = self._find(parts)
        if version is None or self._attributes(version).type != stat.S_IFLNK:
            raise NotALink("/".join(parts))
        return self._text(version)

    def open(self, parts: Parts) -> Reader:
        """Return what reads a version.

        Raises:
            NotFound, IsADirectory
        """
        version = self._find(parts)
        if version is None:
            raise IsADirectory("/".join(parts))
        return Reader(
            VersionReads(self._versions, version),
            version.info.key,
            self._env.executor,
            self._env.budget,
            expected=version.info,
        )

    def getxattr(self, parts: Parts, name: str) -> bytes:
        """Return the value of an extended attribute of a version.

        Raises:
            NotFound, NoSuchTag
        """
        version = self._find(parts)
        info = None if version is None else self._detailed(version)
        return self._xattrs.get("/".join(parts), version, info, name)

    def listxattr(self, parts: Parts) -> list[str]:
        """Return the names of a version's extended attributes: its tags and metadata."""
        version = self._find(parts)
        if version is None:
            return []
        is_link = self._attributes(version).type == stat.S_IFLNK
        return self._xattrs.names(version, self._detailed(version), is_link=is_link)

    def undelete(self, parts: Parts) -> str:
        """Let the object of a directory be there again; return its key.

        Raises:
            NotFound, AlreadyExists
        """
        key = self._key(parts)
        self._versions.undelete(self._versions.of_key(key))
        return key

    # Inside

    def _find(self, parts: Parts) -> ObjectVersion | None:
        """Return the version at a place; None for a directory.

        Raises:
            NotFound
        """
        version = self._version_at(parts)
        if version is None and parts and not self._is_directory(parts):
            raise NotFound("/".join(parts))
        return version

    def _version_at(self, parts: Parts) -> ObjectVersion | None:
        if len(parts) > 1 and may_be_version(parts[-1]):
            return self._of(self._key(parts[:-1])).get(parts[-1])
        return None

    def _is_directory(self, parts: Parts) -> bool:
        listed = self._held(self._listed, self._prefix(parts[:-1]))
        if listed is not None and parts[-1] in listed:
            return True
        if self._of(self._key(parts)):
            return True
        page = self._versions.list(self._prefix(parts), delimiter="", limit=1)
        return bool(page.versions or page.prefixes)

    def _of(self, key: str, *, fresh: bool = False) -> Mapping[str, ObjectVersion]:
        """Return what can be read of an object, by name."""
        held = None if fresh else self._held(self._of_key, key)
        if held is not None:
            return held
        began = self._env.clock()
        found = by_name(reversed(self._versions.of_key(key)))
        with self._lock:
            self._of_key[key] = began, found
        return found

    def _children(self, parts: Parts) -> Iterator[str]:
        """Yield the names below a directory that anything was at, and remember them."""
        prefix, began = self._prefix(parts), self._env.clock()
        names: set[str] = set()
        token = None
        while True:
            page = self._versions.list(prefix, token=token)
            keys = [v.info.key for v in page.versions if not v.is_marker]
            for key in (*keys, *page.prefixes):
                name = key[len(prefix) :].removesuffix("/")
                if is_visible(name) and name not in names and not is_of_trial(name):
                    names.add(name)
                    yield name
            token = page.token
            if token is None:
                break
        if len(names) <= MANY_NAMES:
            with self._lock:
                self._listed[prefix] = began, frozenset(names)

    def _held(self, held: LRUCache[str, tuple[float, T]], key: str) -> T | None:
        with self._lock:
            found = held.get(key)
        return found[1] if found is not None and self._env.clock() - found[0] < HELD else None

    def _key(self, parts: Parts) -> str:
        return self._env.root.to_key("/" + "/".join(parts))

    def _prefix(self, parts: Parts) -> str:
        return self._env.root.to_prefix("/" + "/".join(parts))

    def _detailed(self, version: ObjectVersion) -> ObjectInfo:
        """Return a version with its detail, which is asked for once: it never changes."""
        place = version.info.key, version.version_id
        with self._lock:
            info = self._described.get(place)
        if info is None:
            info = self._versions.head(version)
            with self._lock:
                self._described[place] = info
        return info

    def _attributes(self, version: ObjectVersion) -> Attributes:
        stored = self._env.choices.stored
        info = self._detailed(version) if stored else version.info
        found = parse_attributes(info, self._env.default_file())
        if found.type in (stat.S_IFREG, stat.S_IFLNK):
            return replace(found, mode=found.mode & ~0o222)
        return replace(found, mode=stat.S_IFREG | stat.S_IMODE(found.mode) & ~0o222)

    def _kind(self, version: ObjectVersion) -> int:
        """Return the type of a version as far as a listing tells; 0 if it does not."""
        if version.info.type is ObjectType.SYMLINK:
            return stat.S_IFLNK
        return 0 if self._env.choices.stored else stat.S_IFREG

    def _text(self, version: ObjectVersion) -> str:
        reads = VersionReads(self._versions, version)
        return read_link(reads, self._detailed(version))
