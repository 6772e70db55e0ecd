"""User metadata as extended attributes."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from tagfs.errors import (
    AlreadyExists,
    InvalidRequest,
    NoSuchTag,
    TagExists,
    Unsupported,
    ValueTooLarge,
)
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.xattr_names import XATTR_CREATE, XATTR_REPLACE, is_meta_name
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.tree.lookup import Entry, TreeLookup
from tagfs.fs.tree.markers import MarkerWriter
from tagfs.fs.xattr.setattr import MetadataWriter
from tagfs.store.objects import Detail


class UserMetadataXattrs:
    """Reads and changes `user.meta.*`."""

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        files: HandleTable,
        markers: MarkerWriter,
        edits: MetadataWriter,
    ) -> None:
        self._env = env
        self._tree = tree
        self._files = files
        self._markers = markers
        self._edits = edits

    def visible(self, entry: Entry) -> dict[str, str]:
        """Return the user metadata that is shown; without a request where that is not due."""
        return {k: v for k, v in self.shown(entry).items() if is_meta_name(k)}

    def shown(self, entry: Entry) -> dict[str, str]:
        """Return all user metadata that is known of an entry; empty if none is known."""
        if entry.node is not None:
            return dict(entry.node.draft.metadata)
        return dict((entry.info.metadata if entry.info else None) or {})

    def get(self, path: str, name: str) -> bytes:
        """Return one entry.

        Raises:
            NoSuchTag
        """
        metadata = self.metadata(path)
        if name not in metadata:
            raise NoSuchTag(f"{path}: no metadata {name!r}")
        return metadata[name].encode("utf-8")

    def set(self, path: str, name: str, text: str, flags: int) -> None:
        """Set one entry by one metadata edit, or with the next upload if one is due.

        Raises:
            InvalidRequest: no header can carry it.
            ValueTooLarge, TagExists, NoSuchTag
        """
        if text != text.strip() or not (text.isprintable() or not text):
            raise InvalidRequest(f"{path}: a header cannot carry {text!r}")

        def change(metadata: dict[str, str]) -> dict[str, str]:
            if flags & XATTR_CREATE and name in metadata:
                raise TagExists(f"{path}: metadata {name!r}")
            if flags & XATTR_REPLACE and name not in metadata:
                raise NoSuchTag(f"{path}: metadata {name!r}")
            changed = {**metadata, name: text}
            size = metadata_size(changed)
            if size > self._env.bucket.limits.max_metadata:
                raise ValueTooLarge(f"{path}: {size} bytes of user metadata are too many")
            return changed

        self.edit(path, change)

    def remove(self, path: str, name: str) -> None:
        """Remove one entry.

        Raises:
            NoSuchTag
        """

        def change(metadata: dict[str, str]) -> dict[str, str]:
            if name not in metadata:
                raise NoSuchTag(f"{path}: no metadata {name!r}")
            return {k: v for k, v in metadata.items() if k != name}

        self.edit(path, change)

    def metadata(self, path: str) -> Mapping[str, str]:
        """Return the user metadata at a path; no more is asked for than `detail` asks."""
        entry = self._tree.lookup(path)
        known = None if entry.info is None or entry.node is not None else entry.info.metadata
        return self.detail(path).metadata if known is None else known

    def detail(self, path: str) -> Detail:
        """Return the headers and user metadata at a path, by a HEAD where they are not known."""
        entry = self._tree.lookup(path)
        if entry.node is not None:
            return Detail(metadata=entry.node.draft.metadata, headers=entry.node.draft.headers)
        if entry.info is None:
            return Detail()
        info = entry.info
        if info.detail is None:
            info = self._env.bucket.head(entry.key, expected=info.type)
        return info.detail or Detail()

    def edit(self, path: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Change the user metadata by one edit, or with the next upload if one is due.

        Raises:
            Unsupported: nothing is kept here.
        """
        if path == "/" and not self._env.root.prefix:
            raise Unsupported("a bucket has no user metadata")
        self._check_kept(path)
        entry = self._tree.lookup(path)
        node = self._files.node(path)
        if node is not None and (node.staged is not None or node.is_new):
            node.set_metadata(change)
            return
        if entry.info is None and entry.is_dir:
            with suppress(AlreadyExists):  # by others meanwhile; or it may not be looked at
                self._markers.make(path)
        self._edits.edit(
            entry, lambda info: change(dict(info.detail.metadata) if info.detail else {})
        )
        self._check_kept(path)

    def _check_kept(self, path: str) -> None:
        """Raise if what is set would be lost; that may have been found out by setting it.

        Raises:
            Unsupported
        """
        if not self._env.bucket.capabilities.metadata:
            raise Unsupported(f"{path}: this bucket keeps no metadata")


def metadata_size(metadata: Mapping[str, str]) -> int:
    """Return how many bytes user metadata counts for: names and values."""
    return sum(len(name) + len(text.encode()) for name, text in metadata.items())
