"""Mode, owner and times set by path: one metadata edit each, or part of an upload that is due."""

import logging
from collections.abc import Callable
from dataclasses import replace

from tagfs.fs.attributes import Attributes, parse_attributes
from tagfs.fs.environment import RECENT, Environment
from tagfs.fs.files import OpenFiles
from tagfs.fs.namespace import Namespace
from tagfs.fs.tree import Entry, Tree
from tagfs.store.bucket import ObjectType

log = logging.getLogger(__name__)


class AttributeEdits:
    """Changes what stat(2) shows of a path besides its size."""

    def __init__(
        self, env: Environment, tree: Tree, files: OpenFiles, namespace: Namespace
    ) -> None:
        self._env = env
        self._tree = tree
        self._files = files
        self._namespace = namespace
        self._told_listing = False

    def change(
        self, path: str, change: Callable[[Attributes], Attributes], *, times: bool = False
    ) -> None:
        """Change mode, owner or times of a path; `times` if utimens does."""

        def stamped(attributes: Attributes) -> Attributes:
            return replace(change(attributes), ctime_ns=self._env.clock_ns())

        if not self._env.choices.stored:
            self._pass_over(path)
            return
        node = self._files.changed(path)
        if node is not None:
            node.set_attributes(stamped, times=times)
            return
        entry = self._tree.entry(path)
        if entry.info is None:
            if path == "/" and not self._env.root.prefix:
                self._tree.bucket_attributes = stamped(entry.attributes)
                return
            entry = replace(entry, info=self._namespace.make_marker(path))
        self._edit(entry, stamped)

    def _edit(self, entry: Entry, change: Callable[[Attributes], Attributes]) -> None:
        """Change the stored attributes of something that is not changed here: one request."""
        info = self._env.bucket.head(
            entry.key, expected=entry.info.type if entry.info else None, max_age=RECENT
        )
        default = self._env.default_directory() if entry.is_dir else self._env.default_file()
        current = entry.attributes if info.detail is None else parse_attributes(info, default)
        metadata = dict(info.detail.metadata) if info.detail else {}
        for name in ("mode", "uid", "gid", "mtime", "ctime", "atime"):
            metadata.pop(name, None)
        metadata.update(change(current).render())
        if info.type is ObjectType.APPENDABLE:
            metadata["mtime-size"] = str(info.size)
        headers = info.detail.headers if info.detail else {}
        moved = self._env.bucket.set_metadata(info, metadata, headers)
        node = self._files.node(entry.path)
        if node is not None:
            node.met(moved)
            for handle in list(node.handles):
                if handle.reader is not None:
                    handle.reader.rebind(node.key, moved)

    def _pass_over(self, path: str) -> None:
        """With attributes=listing nothing is kept, as the user chose: say so once.

        Refusing would fail `cp -p`, `rsync -a`, `tar x` and `install` for what nobody asked for.
        """
        self._tree.entry(path)
        if not self._told_listing:
            self._told_listing = True
            log.info("attributes=listing: mode, owner and times that tools set are not kept")
