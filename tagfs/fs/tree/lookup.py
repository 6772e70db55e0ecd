"""The tree: what a path is. Reads only; `directory_names` says what a directory holds.

An object `a` is the file /a. A directory exists while its marker (`a/`) or any key below it does.
Where both exist the directory wins and the object is shadowed. Keys that can be no file are
hidden. Files that are open and changed here are shown as they are here.
"""

import logging
import stat
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from tagfs.errors import AccessDenied, Answer, NotADirectory, NotALink, NotFound
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.posix_metadata import (
    Attributes,
    as_directory,
    is_described,
    is_old_directory,
    parse_attributes,
)
from tagfs.fs.openfiles.deferred_attributes import DeferredAttributes
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.tree.denials import Denials
from tagfs.fs.tree.directory_names import DirectoryNames
from tagfs.fs.tree.directory_times import DirectoryTimes
from tagfs.fs.tree.odd_keys import OddKeys
from tagfs.fs.tree.symlinks import LinkTexts, text_from_metadata
from tagfs.store.objects import Lookup, ObjectInfo

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a path is.

    Attributes:
        key: the object's key; of a directory its marker's.
        size: bytes, as st_size shows them.
        info: the object, the marker of a directory; None if there is none on the service.
        node: the open file, if its truth is here.
    """

    path: str
    key: str
    attributes: Attributes
    size: int
    info: ObjectInfo | None = None
    node: OpenFile | None = None

    @property
    def is_dir(self) -> bool:
        """Whether this is a directory."""
        return stat.S_ISDIR(self.attributes.mode)

    @property
    def is_link(self) -> bool:
        """Whether this is a symlink."""
        return stat.S_ISLNK(self.attributes.mode)


class TreeLookup:
    """Looks paths up."""

    def __init__(self, env: FsContext, files: HandleTable, temporaries: DeferredAttributes) -> None:
        self._env = env
        self._files = files
        self._deferred_attributes = temporaries
        self.odd_keys = OddKeys()
        self._denials = Denials()
        self._texts = LinkTexts(env.bucket)
        self._last: Entry | None = None  # the file that was described last
        # A bucket keeps no mode, owner or time of its own: what tools set lasts while it is
        # mounted, so that `rsync -a` and `tar x` into the root do not fail.
        self.bucket_attributes = env.default_directory()
        self.times = DirectoryTimes(env.clock_ns)
        self.pending_deletes: Container[str] = ()  # paths whose objects are about to be deleted
        self.names = DirectoryNames(env, files, self.odd_keys, lambda p: p in self.pending_deletes)

    def lookup(self, path: str, *, max_age: float | None = None) -> Entry:
        """Say what is at a path.

        Raises:
            NotFound, InvalidName, NameTooLong, AccessDenied
        """
        entry = self._look_up(path, max_age)
        shown = self.times.shown(path, entry.attributes) if entry.is_dir else entry.attributes
        return entry if shown is entry.attributes else replace(entry, attributes=shown)

    def _look_up(self, path: str, max_age: float | None) -> Entry:
        node = self._files.dirty(path)
        if node is not None:
            return self._open_file(node)
        if path == "/":
            return self._root()
        if path in self.pending_deletes:
            raise NotFound(path)
        key = self._env.root.to_key(path)
        found = self._env.bucket.lookup(key, max_age=max_age)
        if found.is_prefix:
            return self._directory(path, key + "/", found)
        if found.info is None:
            raise NotFound(path)
        return self._file(path, found.info)

    def known(self, paths: Sequence[str], *, recalls: bool = False) -> list[Entry | None]:
        """Say what is at the paths of files, as far as that needs no request; None otherwise.

        `recalls`: with what was learnt of them before this mount.
        """
        keys = [self._known_key(path) for path in paths]
        asked = [key for key in keys if key]
        if not self._env.choices.stored:
            found = {key: self._env.bucket.known(key) for key in asked}
        elif recalls:
            found = {**self._env.bucket.recall(asked)}
        else:
            found = {**self._env.bucket.described(asked)}
        return [self._known(path, found.get(key)) for path, key in zip(paths, keys, strict=True)]

    def _known_key(self, path: str) -> str:
        """Return the key of a file whose truth is on the service; "" where there is none."""
        if self._files.dirty(path) is not None or path in self.pending_deletes or path == "/":
            return ""
        try:
            return self._env.root.to_key(path)
        except Answer:  # what is listed, and can be no path: an error when it is asked for
            return ""

    def _known(self, path: str, info: ObjectInfo | None) -> Entry | None:
        node = self._files.dirty(path)
        if node is not None:
            return self._open_file(node)
        if info is None or (self._env.choices.stored and not is_described(info)):
            return None
        return self._file(path, info)

    def _file(self, path: str, info: ObjectInfo) -> Entry:
        entry = self.describe(path, info)
        waiting = self._deferred_attributes.attributes(path)
        return entry if waiting is None else replace(entry, attributes=waiting)

    def is_listed(self, path: str) -> bool:
        """Say, without a request, whether a file of this path was seen on the service."""
        return self._env.bucket.known(self._env.root.to_key(path)) is not None

    def directory(self, path: str) -> Entry:
        """Say what is at a path that must be a directory.

        Raises:
            NotFound, NotADirectory
        """
        entry = self.lookup(path)
        if not entry.is_dir:
            raise NotADirectory(path)
        return entry

    def find(self, path: str, *, max_age: float | None = None) -> Entry | None:
        """Say what is at a path, None if nothing is."""
        try:
            return self.lookup(path, max_age=max_age)
        except NotFound:
            return None

    def describe(self, path: str, info: ObjectInfo) -> Entry:
        """Say what a file is whose object is known."""
        last = self._last
        if last is not None and last.info is info and last.path == path:
            return last  # tools ask for one file several times: attributes, names, each value
        if self._env.choices.stored and not is_described(info):
            info = self._described(info)
        attributes = parse_attributes(info, self._env.default_file())
        size = info.size
        if stat.S_ISLNK(attributes.mode) and info.detail is not None:
            self.names.on_link(info)
            text = text_from_metadata(info)
            size = info.size if text is None else len(text.encode("utf-8", "surrogateescape"))
        if self._env.choices.stored and is_old_directory(info):
            attributes = as_directory(attributes)
        entry = Entry(path=path, key=info.key, attributes=attributes, size=size, info=info)
        self._last = entry
        return entry

    def _described(self, info: ObjectInfo) -> ObjectInfo:
        """Return a listed object with its detail, or as the listing has it if that is all."""
        try:
            return self._env.bucket.head(info.key, expected=info.type)
        except AccessDenied as error:
            self._denials.pass_over(UNDESCRIBED, error)
            return info

    def old_directory(self, path: str) -> ObjectInfo | None:
        """Return the object without a slash that stands for a directory, if there is one.

        What may be one is looked at; where nothing is known of an object no request is made.
        """
        known = self._env.bucket.known(self._env.root.to_key(path))
        if known is None or known.size or not self._env.choices.stored:
            return None
        try:
            info = self._described(known)
        except NotFound:
            return None
        return info if is_old_directory(info) else None

    def read_link(self, path: str) -> str:
        """Return the text of the symlink at a path.

        Raises:
            NotFound, NotALink
        """
        entry = self.lookup(path)
        if entry.info is None or not entry.is_link:
            raise NotALink(path)
        return self._texts.read(entry.info)

    def _root(self) -> Entry:
        prefix = self._env.root.prefix
        if not prefix:
            return Entry(path="/", key="", attributes=self.bucket_attributes, size=0)
        return self._directory_entry("/", prefix, self._marker(prefix))

    def _directory(self, path: str, marker: str, found: Lookup) -> Entry:
        if found.info is not None:
            self.odd_keys.shadow(found.info.key)
        info = found.marker
        if info is None or info.detail is None:
            info = self._marker(marker, info)
        return self._directory_entry(path, marker, info)

    def _marker(self, key: str, listed: ObjectInfo | None = None) -> ObjectInfo | None:
        """Return a directory's marker, None if there is none; `listed`: as a listing has it."""
        if not self._env.choices.stored:
            return None
        try:
            return self._env.bucket.head(key)
        except NotFound:
            return None
        except AccessDenied as error:
            self._denials.pass_over(UNDESCRIBED, error)
            return listed

    def _directory_entry(self, path: str, key: str, info: ObjectInfo | None) -> Entry:
        attributes = self._env.default_directory()
        if info is not None and self._env.choices.stored:
            attributes = parse_attributes(info, attributes)
        return Entry(path=path, key=key, attributes=attributes, size=0, info=info)

    def _open_file(self, node: OpenFile) -> Entry:
        return Entry(
            path=node.path,
            key=node.key,
            attributes=node.attributes,
            size=node.size,
            info=node.info,
            node=node,
        )


UNDESCRIBED = "some objects may not be looked at: shown with default owner and mode"
