"""Removing names: of files, of open files, and of directories."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from tagfs.errors import IsADirectory, NotEmpty, NotFound, NotPermitted, NotShown
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.openfiles.deferred_work import DeferredWork
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.tree.implicit_directories import ImplicitDirectories
from tagfs.fs.tree.lookup import TreeLookup
from tagfs.fs.tree.replaced_files import ReplacedFiles

log = logging.getLogger(__name__)


class Remover:
    """Removes names; the directory that had one stays, and open handles go on.

    Attributes:
        replaced: files that lost their names here.
        parents: sees to it that the directory of a removed name stays.
    """

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        files: HandleTable,
        due: DeferredWork,
        replaced: ReplacedFiles,
        parents: ImplicitDirectories,
    ) -> None:
        self._env = env
        self._tree = tree
        self._files = files
        self._due = due
        self._write_back = due.uploads
        self.replaced = replaced
        self.parents = parents

    def unlink(self, path: str) -> None:
        """Remove the name of a file, link or special file; open handles of it go on."""
        self._due.before_left(self._env.root.to_key(path))
        with self._due.attributes.claim(path), self.paused_uploads(path) as node:
            self._remove(path, node)
            self._files.unlink(path)
        self._files.inodes.removed(path)
        self._tree.times.on_entry(path)
        if node is not None:
            self._write_back.cancel(node)

    @contextmanager
    def paused_uploads(self, path: str) -> Iterator[OpenFile | None]:
        """Keep uploads of an open file from beginning or ending meanwhile."""
        node = self._files.node(path)
        if node is None:
            yield None
            return
        with node.lock:
            yield node

    def _remove(self, path: str, node: OpenFile | None) -> None:
        if node is not None and node.is_new:
            if node.may_have_object:
                self.parents.ensure_survives(path)
                with suppress(NotFound):
                    self._delete(node.key)
            return
        entry = self._tree.lookup(path)
        if entry.is_dir:
            raise IsADirectory(path)
        if node is not None:
            node.load_all()
        self.parents.ensure_survives(path)
        self._delete(entry.key)

    def unlink_open(self, path: str, alias: str, *, is_replaced: bool | None) -> None:
        """Take the name of an open file away: it is being unlinked, or another takes its place.

        By `alias` what is asked of the open file (fstat, fchmod) still reaches it. On the service
        there is nothing of that name. `is_replaced` is None where nothing tells.
        """
        self._due.before_changed(path)
        self._tree.times.on_entry(path)
        if is_replaced is False:
            with self.paused_uploads(path) as node:
                self._remove(path, node)
                self._files.hide(path, alias)
                if node is not None:
                    node.unlink()
            return
        self._due.before_emptied(path)
        self.replaced.hide(path, alias, may_be_unlinked=is_replaced is None)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory.

        Raises:
            NotEmpty
        """
        prefix = self._env.root.to_prefix(path)
        if path == "/":
            raise NotPermitted("the root of a mount cannot be removed")
        self._due.before_removed(path)
        if self._files.unsaved_names(path):
            raise NotEmpty(path)
        left = [key for key in self.parents.keys_in(prefix, limit=2) if key != prefix]
        if left:
            self._explain_unseen(path, left)
            raise NotEmpty(path)
        self.parents.ensure_survives(path)
        old = self._tree.old_directory(path)
        self._delete(prefix)
        if old is not None:
            self._env.bucket.delete(old.key, meant=old)
        self._files.inodes.removed(path)
        self._tree.times.forget(path)
        self._tree.times.on_entry(path)

    def _explain_unseen(self, path: str, left: Sequence[str]) -> None:
        """Say why a directory is not empty that looks so."""
        if all(self._env.root.to_path(key) is None for key in left):
            log.warning(
                "%s is not empty, though it looks so: key %r can be no file. Delete it with a "
                "tool that does not tidy up its slashes (aws s3api delete-object)",
                path,
                left[0],
            )
        elif not left[0].endswith("/"):
            try:
                self._env.scope.check_name(left[0], exclusive=False)
            except NotShown as error:
                log.warning("%s is not empty, though it looks so: %s", path, error)

    def _delete(self, key: str) -> None:
        """Delete what was just looked at: sent again, after an answer was lost, nothing newer."""
        self._env.bucket.delete(key, meant=self._env.bucket.known(key, max_age=FRESH_WITHIN))
