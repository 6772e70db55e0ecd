"""Mode, owner and times set by path: one metadata edit each, or part of an upload that is due."""

import logging
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from tagfs.errors import AlreadyExists, ObjectChanged
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.posix_metadata import Attributes, parse_attributes, with_attributes
from tagfs.fs.openfiles.deferred_work import DeferredWork
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.tree.lookup import Entry, TreeLookup
from tagfs.fs.tree.markers import MarkerWriter
from tagfs.fs.tree.sticky import StickyBits
from tagfs.store.objects import Detail, ObjectInfo

log = logging.getLogger(__name__)


Change = Callable[[Attributes], Attributes]

STRIPES = 64
"""Locks that all keys share: edits of two objects seldom meet, those of one always do."""


class MetadataWriter:
    """Replaces the metadata of objects that are not changed here: one edit of one at a time.

    A service takes metadata whole, so two tools that set a mode and a time at once would undo one
    another.
    """

    def __init__(self, env: FsContext, files: HandleTable) -> None:
        self._env = env
        self._files = files
        self._locks = tuple(threading.Lock() for _ in range(STRIPES))

    def edit(self, entry: Entry, change: Callable[[ObjectInfo], Mapping[str, str]]) -> None:
        """Read what the object carries, change its metadata, and write it; tags stay."""
        self._edit(entry, lambda info: (change(info), info.detail.headers if info.detail else {}))

    def edit_headers(
        self, entry: Entry, change: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> None:
        """The same for its headers, such as Content-Type."""

        def changed(info: ObjectInfo) -> tuple[Mapping[str, str], Mapping[str, str]]:
            detail = info.detail or Detail()
            return detail.metadata, change(detail.headers)

        self._edit(entry, changed)

    def _edit(
        self,
        entry: Entry,
        change: Callable[[ObjectInfo], tuple[Mapping[str, str], Mapping[str, str]]],
    ) -> None:
        with self._locks[hash(entry.key) % STRIPES]:
            info = self._env.bucket.head(
                entry.key, expected=entry.info.type if entry.info else None, max_age=FRESH_WITHIN
            )
            moved = self._env.bucket.set_metadata(info, *change(info))
        node = self._files.node(entry.path)
        if node is not None:
            node.on_metadata_written(info, moved)


class AttributeSetter:
    """Changes what stat(2) shows of a path besides its size."""

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        files: HandleTable,
        markers: MarkerWriter,
        edits: MetadataWriter,
        due: DeferredWork,
    ) -> None:
        self._env = env
        self._tree = tree
        self._files = files
        self._markers = markers
        self._edits = edits
        self._due = due
        self._deferred_attributes = due.attributes
        due.attributes.send = self._send
        self._logged_listing = False
        self._sticky = StickyBits()

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits."""

        def changed(a: Attributes) -> Attributes:
            self._sticky.mode_set(path, a.mode, mode)
            return replace(a, mode=stat.S_IFMT(a.mode) | stat.S_IMODE(mode))

        self._change(path, changed)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group; -1 leaves one as it is."""
        sticky = self._sticky.lost(path)

        def changed(a: Attributes) -> Attributes:
            owner = a.uid if uid == -1 else uid
            group = a.gid if gid == -1 else gid
            return replace(a, mode=a.mode | sticky, uid=owner, gid=group)

        self._change(path, changed)

    def utimens(self, path: str, atime_ns: int | None, mtime_ns: int | None) -> None:
        """Set times, nanoseconds since the epoch; None leaves one as it is."""

        def changed(a: Attributes) -> Attributes:
            atime = a.atime_ns if atime_ns is None else atime_ns
            mtime = a.mtime_ns if mtime_ns is None else mtime_ns
            return replace(a, atime_ns=atime, mtime_ns=mtime)

        self._change(path, changed, times=mtime_ns is not None)
        if mtime_ns is not None and self._env.choices.stored:
            self._tree.times.forget(path)

    def on_getattr(self) -> None:
        """Note that this thread was asked for attributes: what it sets next is another call."""
        self._sticky.asked()

    def _change(self, path: str, change: Change, *, times: bool = False) -> None:
        """Change mode, owner or times of a path; `times` if utimens does."""

        def stamped(attributes: Attributes) -> Attributes:
            return replace(change(attributes), ctime_ns=self._env.clock_ns())

        if not self._env.choices.stored:
            self._ignore(path)
            return
        node = self._files.dirty(path)
        if self._waits(path, node, stamped):
            return
        self._due.before_changed(path)
        if node is not None:
            node.set_attributes(stamped, times=times)
            return
        entry = self._tree.lookup(path)
        if entry.info is None:
            if path == "/" and not self._env.root.prefix:
                self._tree.bucket_attributes = stamped(entry.attributes)
                return
            entry = replace(entry, info=self._marker(path, entry.key))
        self._edits.edit(entry, lambda info: self._rendered(entry, info, stamped))

    def _marker(self, path: str, key: str) -> ObjectInfo:
        """Return the marker of a directory that showed none: made here, or by another client.

        Raises:
            AccessDenied: it is there, and nothing of it was shown.
        """
        try:
            return self._markers.make(path)
        except AlreadyExists:
            return self._env.bucket.head(key, max_age=0)

    def _waits(self, path: str, node: OpenFile | None, change: Change) -> bool:
        """Leave an edit to the rename that follows, if one is to be expected at once."""
        if path not in self._deferred_attributes or (
            node is not None and (node.dirty or node.is_new)
        ):
            return False
        now = self._tree.lookup(path) if node is None else node
        changed = self._deferred_attributes.edit(path, now.attributes, now.info, change)
        if changed is not None and node is not None:
            node.show_attributes(changed)
        return changed is not None

    def _send(self, path: str, attributes: Attributes, meant: ObjectInfo | None) -> None:
        """Set on the service what waited for a rename that did not come.

        Raises:
            ObjectChanged: there is another version by now than was `meant`.
        """

        def changed(info: ObjectInfo) -> Mapping[str, str]:
            if meant is not None and meant.etag != info.etag:
                raise ObjectChanged(f"{path}: another client has made it anew since")
            return with_attributes(info, attributes)

        self._edits.edit(self._tree.lookup(path), changed)

    def _rendered(self, entry: Entry, info: ObjectInfo, change: Change) -> dict[str, str]:
        """Return an object's metadata with its attributes changed."""
        default = self._env.default_directory() if entry.is_dir else self._env.default_file()
        current = entry.attributes if info.detail is None else parse_attributes(info, default)
        return with_attributes(info, change(current))

    def _ignore(self, path: str) -> None:
        """With attributes=listing nothing is kept, as the user chose: say so once.

        Refusing would fail `cp -p`, `rsync -a`, `tar x` and `install` for what nobody asked for.
        """
        self._tree.lookup(path)
        if not self._logged_listing:
            self._logged_listing = True
            log.info("attributes=listing: mode, owner and times that tools set are not kept")
