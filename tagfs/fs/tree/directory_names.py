"""The names in a directory: those of the listing, and of files that are here alone."""

import stat
from collections.abc import Callable, Iterator, Mapping

from tagfs.fs.context import FsContext
from tagfs.fs.mapping.paths import is_visible, join
from tagfs.fs.mapping.posix_metadata import is_described, is_old_directory, parse_attributes
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.tree.odd_keys import OddKeys
from tagfs.fs.tree.page_order import in_order
from tagfs.store.objects import ObjectInfo, ObjectType, Page

MAX_LINK = 4096
"""Bytes of the longest text that a symlink can have."""


class DirectoryNames:
    """Reads directories, each name with its type."""

    def __init__(
        self,
        env: FsContext,
        files: HandleTable,
        odd_keys: OddKeys,
        is_leaving: Callable[[str], bool],
    ) -> None:
        """`is_leaving`: whether the object at a path is about to be deleted, and looks deleted."""
        self._env = env
        self._files = files
        self._odd_keys = odd_keys
        self._is_leaving = is_leaving
        self._plain_links = False  # a link was seen here that is no symlink object

    def on_link(self, info: ObjectInfo) -> None:
        """Note how a link is kept."""
        self._plain_links = self._plain_links or info.type is not ObjectType.SYMLINK

    def all(self, path: str) -> Iterator[tuple[str, int]]:
        """Yield name and type bits of all entries of a directory; 0 where the type is not known.

        Pages are passed on as they come, so memory stays bounded.
        """
        prefix = self._env.root.to_prefix(path)
        unsaved = self._files.unsaved_names(path)
        shadows: list[str] = []  # objects passed on whose directory may still follow
        for page in self._env.bucket.scan(prefix):
            described, prefixes = self._described(page), set(page.prefixes)
            for key, info in in_order(page):
                name = key[len(prefix) :].removesuffix("/") if info is None else key[len(prefix) :]
                if not name and info is not None:
                    continue  # the directory's own marker
                if not is_visible(name):
                    self._odd_keys.hide(key)
                    continue
                shadows = [s for s in shadows if s + "/" >= key]
                if info is None and key[:-1] in shadows:
                    self._odd_keys.shadow(key[:-1])
                    continue
                unsaved.pop(name, None)
                if info is None:
                    yield name, stat.S_IFDIR
                elif key + "/" not in prefixes:
                    shadows.append(key)
                    if not self._is_leaving(join(path, name)):
                        yield name, self._type(info, described.get(key))
                else:
                    self._odd_keys.shadow(key)
        yield from sorted(unsaved.items())

    def first(self, path: str) -> Iterator[tuple[str, int]]:
        """Yield the first names of a directory: those that are known, else those of one page."""
        prefix = self._env.root.to_prefix(path)
        known = self._env.bucket.known_keys(prefix)
        if known is None:
            page = self._env.bucket.list(prefix)
            described = self._described(page)
            shown = [
                (key, 0 if info is None else self._type(info, described.get(key)))
                for key, info in in_order(page)
            ]
        else:
            shown = [(key, 0) for key in sorted(known)]
        for key, kind in shown:
            name = key[len(prefix) :].removesuffix("/")
            if name and is_visible(name):
                yield name, stat.S_IFDIR if key.endswith("/") else kind

    def _described(self, page: Page) -> Mapping[str, ObjectInfo]:
        """Return what is known of those objects of a page that may be no plain files."""
        if not self._env.choices.stored:
            return {}
        return self._env.bucket.described([i.key for i in page.objects if i.size <= MAX_LINK])

    def _type(self, info: ObjectInfo, known: ObjectInfo | None) -> int:
        if info.type is ObjectType.SYMLINK:
            return stat.S_IFLNK
        if not self._env.choices.stored or info.size > MAX_LINK:
            return stat.S_IFREG
        # An empty object may be a fifo, a socket, a device or a link, and where a bucket has no
        # symlink objects, or others as well (of ossfs 1), a short one may be a link: only its
        # metadata tells.
        if known is None or not is_described(known):
            may_be_link = self._plain_links or not self._env.bucket.capabilities.symlinks
            return 0 if may_be_link or not info.size else stat.S_IFREG
        if is_old_directory(known):
            return stat.S_IFDIR
        return parse_attributes(known, self._env.default_file()).type
