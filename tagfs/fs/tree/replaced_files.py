"""Open files whose name was taken away: another is renamed over them, or they are unlinked.

Such a file goes on under an alias, a path by which what is asked of it still reaches it. On the
service there is nothing of that name. Where nothing tells which of the two it is (another user's
process, a hardened kernel), the object is left alone for a moment: the rename follows at once, on
the same thread, and then the object is replaced whole, tags kept. If none follows it was an unlink,
and the object is deleted.

That deletion is late by nature, so it strikes nothing that is newer than itself. Whatever is made
here at its path has it done first (`Creator.prepare`), or takes it back (`rename_over`). What
another host made is recognised by its version, once the deletion comes later than an answer is
fresh.
"""

import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tagfs.errors import MalformedResponse, NotFound, TagfsError, Unreachable
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.pending.change import Kind, Work
from tagfs.fs.pending.queue import PendingChanges
from tagfs.fs.tree.implicit_directories import ImplicitDirectories
from tagfs.store.objects import ObjectInfo
from tagfs.store.versions import is_version

log = logging.getLogger(__name__)

GRACE = 0.1
"""Seconds in which the rename would have followed; it takes microseconds."""


@dataclass(slots=True, eq=False)
class Hidden:
    """A file without its name.

    Attributes:
        node: it, if it is open; its last handle may just have been closed.
        object: the version at its key that it is, or was when it lost its name for good.
        is_there: whether there may be an object of it at all; None: as the node says.
    """

    node: OpenFile | None
    object: ObjectInfo | None
    is_there: bool | None = None

    def unlink(self) -> None:
        """Note what there is to be deleted, then let the file go on without a name."""
        if self.node is None or self.node.unlinked:
            return
        with self.node.lock:
            self.object = self.node.info or self.node.draft.replaces
            self.is_there = self.node.may_have_object
            self.node.unlink()


class ReplacedFiles:
    """Files that lost their names, and the deletions that wait. Thread-safe."""

    def __init__(
        self,
        env: FsContext,
        files: HandleTable,
        parents: ImplicitDirectories,
        pending: PendingChanges,
    ) -> None:
        self._env = env
        self._files = files
        self._parents = parents
        self._pending = pending
        self._clock = env.clock
        self._hidden: dict[str, Hidden] = {}

    def __contains__(self, path: object) -> bool:
        """Say whether a path looks deleted, whatever is at its key."""
        return self._pending.find(str(path), Kind.DELETE) is not None

    def node(self, path: str) -> OpenFile | None:
        """Return the open file that makes way for another one at a path."""
        hidden = self._hidden.get(path)
        return None if hidden is None else hidden.node

    def hide(self, path: str, alias: str, *, may_be_unlinked: bool) -> None:
        """Take the name of a file away: its object is replaced by the rename that follows.

        If none does, and it `may_be_unlinked`, the object is deleted in a moment.
        """
        node = self._files.node(path)
        if node is not None:
            node.load_all()
        known = self._env.bucket.known(self._env.root.to_key(path))
        hidden = Hidden(self._files.hide(path, alias), known)
        if hidden.node is not None:
            self._hidden[path] = hidden
        if may_be_unlinked:
            since = self._clock()
            delete = Work(lambda: self._delete(path, hidden, since), _is_final)
            self._pending.add(path, Kind.DELETE, delete, GRACE)

    def forget(self, alias: str) -> None:
        """Forget the alias of a file: its last handle is closed."""
        node = self._files.node(alias)
        for hidden in list(self._hidden.values()):
            if hidden.node is node:
                hidden.unlink()
        self._files.unlink(alias)

    @contextmanager
    def rename_over(self, path: str) -> Iterator[None]:
        """Let another file take a path: the one that made way for it loses its name then.

        A deletion that has begun is waited for. Nothing of the old file is uploaded meanwhile, for
        that would strike the new one. If the rename fails the old file has its name again.
        """
        self._pending.cancel(path, Kind.DELETE)
        hidden = self._hidden.get(path)
        node = None if hidden is None else hidden.node
        if hidden is None or node is None:
            yield
            return
        with node.lock:
            try:
                yield
            except BaseException:
                if not node.unlinked:
                    self._files.hide(node.path, path)
                raise
            else:
                hidden.unlink()
            finally:
                self._hidden.pop(path, None)

    def _delete(self, path: str, hidden: Hidden, since: float) -> None:
        """Delete what was hidden: no rename followed.

        Raises:
            TagfsError
        """
        with contextlib.nullcontext() if hidden.node is None else hidden.node.lock:
            hidden.unlink()
            try:
                if hidden.is_there is not False:
                    self._delete_object(path, hidden.object, since)
            except TagfsError as error:
                if _is_final(error):
                    self._hidden.pop(path, None)
                raise
        self._hidden.pop(path, None)

    def _delete_object(self, path: str, meant: ObjectInfo | None, since: float) -> None:
        key = self._env.root.to_key(path)

        def is_newer() -> bool:
            return self._clock() - since > FRESH_WITHIN and not self._is_still(key, meant)

        # Either may take long: the look at its directory, and the wait until another attempt.
        if not is_newer():
            self._parents.ensure_survives(path)
            if not is_newer():
                self._env.bucket.delete(key, meant=meant)
                return
        log.info("%s: gone or made anew since it was unlinked here: nothing is deleted", path)

    def _is_still(self, key: str, meant: ObjectInfo | None) -> bool:
        """Say whether a key holds what was to be deleted, by asking the service."""
        try:
            found = self._env.bucket.head(key, max_age=0)
        except NotFound:
            return False
        return meant is not None and is_version(found, meant)


def _is_final(error: Exception) -> bool:
    """Say whether a deletion that failed is given up: the file is seen again."""
    return not isinstance(error, Unreachable | MalformedResponse)
