"""The table of open files: which paths are open, and which handle is which file."""

import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from cachetools import LRUCache

from tagfs.errors import BadHandle, TagfsError, Unreachable
from tagfs.fs.content.journal import Journal
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.paths import is_below
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.inodes import Inodes
from tagfs.fs.openfiles.object_draft import ObjectDraft
from tagfs.fs.openfiles.open_file import Handle, OpenFile
from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagSet

log = logging.getLogger(__name__)

MANY = 1000
"""Files that were changed and closed lately that are remembered: more than are opened at once."""


class HandleTable:
    """All open files of a mount. Thread-safe; its lock is never held over a request."""

    def __init__(self, env: FsContext, journal: Journal) -> None:
        self._env = env
        self._journal = journal
        self._lock = threading.Lock()
        self._nodes: dict[str, OpenFile] = {}
        self._handles: dict[int, Handle] = {}
        self._numbers = itertools.count(1)
        self._written: LRUCache[str, int] = LRUCache(MANY)  # path -> when its last handle went
        self.inodes = Inodes(env.root.prefix, env.clock)

    def number(self, path: str) -> int:
        """Return the inode number of what is at a path."""
        node = self._nodes.get(path)
        return self.inodes.at(path) if node is None else node.ino

    def node(self, path: str) -> OpenFile | None:
        """Return the node of an open path."""
        return self._nodes.get(path)

    def dirty(self, path: str) -> OpenFile | None:
        """Return the node of a path whose truth is here and not on the service."""
        node = self._nodes.get(path)
        return node if node is not None and node.staged is not None else None

    def handle(self, fh: int) -> Handle:
        """Return an open handle.

        Raises:
            BadHandle
        """
        try:
            return self._handles[fh]
        except KeyError:
            raise BadHandle(f"handle {fh} is not open") from None

    def create(self, path: str, attributes: Attributes, *, exclusive: bool, append: bool) -> Handle:
        """Open a new file that is not on the service yet."""
        node = OpenFile(self._env, self._journal, path, None)
        node.create(ObjectDraft(attributes=attributes, exclusive=exclusive))
        with self._lock:
            self._take_path(path, node)
            return self._add_handle(node, writable=True, append=append)

    def make_directory(
        self, path: str, attributes: Attributes, headers: Mapping[str, str], given: TagSet
    ) -> Handle:
        """Hold a new directory that is not on the service yet.

        `headers` go with its marker, and the tags that are `given` to it.
        """
        node = OpenFile(self._env, self._journal, path, None, key=self._env.root.to_prefix(path))
        draft = ObjectDraft(attributes=attributes, headers=headers, exclusive=True)
        node.create(replace(draft, given=given))
        with self._lock:
            self._take_path(path, node)
            return self._add_handle(node, writable=True, append=False)

    def open(
        self, path: str, find: Callable[[], ObjectInfo | None], *, writable: bool, append: bool
    ) -> Handle:
        """Open an existing file; `find` describes it, unless it is open and changed here."""
        while True:
            began, changed = next(self._numbers), self.dirty(path)
            info = find() if changed is None else None
            with self._lock:
                node = self._nodes.get(path)
                if changed is not None and node is not changed:
                    continue  # it was closed meanwhile: what is on the service counts again
                if node is None and self._written.get(path, 0) > began:
                    continue  # what was found may be what it was before another handle wrote it
                if node is None:
                    node = OpenFile(self._env, self._journal, path, info)
                    self._take_path(path, node)
                    info = None
                handle = self._add_handle(node, writable=writable, append=append)
            if info is not None:
                node.refresh(info)
            return handle

    def pin(self, node: OpenFile) -> Handle:
        """Keep an open file open, as a writer would; its content is still to be uploaded."""
        with self._lock:
            handle = self._add_handle(node, writable=True, append=False)
            handle.pinned = True
            return handle

    def release(self, fh: int) -> None:
        """Close a handle; with the last one its node goes, uploaded if that is still due."""
        with self._lock:
            handle = self._handles.pop(fh, None)
            if handle is None:
                return
            node = handle.node
            # Of writers that are released at the same time one must know that it is the last.
            is_last = not any(one.writable and one.fh in self._handles for one in node.handles)
        if handle.reader is not None:
            handle.reader.close()
        try:
            if node.dirty and not node.failed and is_last:
                node.is_mknod = not node.is_finished
                node.flush()  # pages of a shared mapping that were written after close(2)
        except TagfsError as error:
            log.warning("%s: release: %s", node.path, error)
        finally:
            if self._drop(handle):
                node.discard()

    def unlink(self, path: str) -> OpenFile | None:
        """Take the name away from an open file; its handles go on."""
        with self._lock:
            node = self._nodes.pop(path, None)
        if node is not None:
            node.unlink()
            self.inodes.lost_name(node)
        return node

    def hide(self, path: str, alias: str) -> OpenFile | None:
        """Let an open file be called by another path; its object is the same as before."""
        with self._lock:
            node = self._nodes.pop(path, None)
            if node is not None:
                node.path = alias
                self._nodes[alias] = node
                self.inodes.moved(node.ino, path, alias, node)
            return node

    def move(
        self, old: str, new: str, info: ObjectInfo | None, before: ObjectInfo | None = None
    ) -> None:
        """Give an open file another path; one that was open there loses its name.

        `info` is what its object became, `before` what that was.
        """
        with self._lock:
            node = self._nodes.pop(old, None)
            replaced = self._nodes.pop(new, None)
            if node is not None:
                self._nodes[new] = node
        if replaced is not None:
            replaced.unlink()
            self.inodes.lost_name(replaced)
        if node is not None:
            node.moved(new, info, before)
            self.inodes.moved(node.ino, old, new, node)

    def below(self, directory: str) -> list[OpenFile]:
        """Return the open files in a directory, at any depth."""
        with self._lock:
            return [node for path, node in self._nodes.items() if is_below(path, directory)]

    def unsaved_names(self, directory: str) -> dict[str, int]:
        """Return the names in one directory that are not on the service yet, with type bits."""
        start = "/" if directory == "/" else directory + "/"
        if not self._nodes:
            return {}
        with self._lock:
            return {
                path[len(start) :]: node.attributes.type
                for path, node in self._nodes.items()
                if node.is_new and not node.unlinked
                if path.startswith(start) and "/" not in path[len(start) :]
            }

    def all(self) -> list[OpenFile]:
        """Return all open files that have a name."""
        with self._lock:
            return list(self._nodes.values())

    def state(self) -> dict[str, int]:
        """Return what the status tells of open files; sizes in bytes."""
        nodes = self.all()
        staged = [node.staged for node in nodes if node.staged is not None]
        return {
            "open_files": len(nodes),
            "dirty_files": sum(node.dirty for node in nodes),
            "uploads": sum(node.is_uploading for node in nodes),
            "staged_bytes": sum(file.local.total for file in staged),
        }

    def close(self, give_up: Callable[[], None]) -> None:
        """Upload what is still due of each file, or keep it and say where; then give it back."""
        for node in self.all():
            try:
                node.flush(again=node.failed)
            except Unreachable:
                # It has said where its file is kept, and so will all others now: that each of them
                # waits for the service as long would outlast everybody's patience.
                give_up()
            except TagfsError as error:
                log.warning("%s: at unmount: %s", node.path, error)
            except Exception:
                log.exception("%s: at unmount: a bug in tagfs", node.path)
            node.discard()

    def _take_path(self, path: str, node: OpenFile) -> None:
        """Put a node where none is, or one whose object is gone."""
        before = self._nodes.get(path)
        if before is not None:
            self.inodes.lost_name(before)
        self.inodes.opened(path, node)
        self._nodes[path] = node

    def _add_handle(self, node: OpenFile, *, writable: bool, append: bool) -> Handle:
        handle = Handle(next(self._numbers), node, writable=writable, append=append)
        node.handles.add(handle)
        self._handles[handle.fh] = handle
        return handle

    def _drop(self, handle: Handle) -> bool:
        """Remove a handle from its node; say whether it was the last one."""
        node = handle.node
        with self._lock:
            node.handles.discard(handle)
            if node.handles:
                return False
            if self._nodes.get(node.path) is node:
                del self._nodes[node.path]
                if node.staged is not None:
                    self._written[node.path] = next(self._numbers)
            return True
