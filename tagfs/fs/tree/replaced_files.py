"""Open files whose name was taken away: another is renamed over them, or they are unlinked.

Such a file goes on under an alias, a path by which what is asked of it still reaches it. On the
service there is nothing of that name. Where nothing tells which of the two it is (another user's
process, a hardened kernel), the object is left alone for a moment: the rename follows at once, on
the same thread, and then the object is replaced whole, tags kept. If none follows it was an unlink,
and the object is deleted. On a host that has no time for us the rename may come after that: so what
the object would have left to the new file is kept for a while.

That deletion is late by nature, so it strikes nothing that is newer than itself. Whatever is made
here at its path has it done first (`Creator.prepare`), or takes it back (`rename_over`). What
another host made is recognised by its version, once the deletion comes later than an answer is
fresh.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cachetools import TTLCache

from tagfs.errors import (
    AccessDenied,
    MalformedResponse,
    NotFound,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.inheritance import NO_HEIR, Inherited, inherited_from
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.object_draft import ObjectDraft
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.pending.change import Kind, Work
from tagfs.fs.pending.queue import PendingChanges
from tagfs.fs.tree.implicit_directories import ImplicitDirectories
from tagfs.store.objects import ObjectInfo
from tagfs.store.versions import is_version

log = logging.getLogger(__name__)

GRACE = 0.1
"""Seconds in which the rename would have followed; it takes microseconds."""

MEMORY = 60.0
"""Seconds after a deletion in which the rename may still come."""

MANY = 1000
"""Deletions that are remembered so long."""


@dataclass(slots=True, eq=False)
class Hidden:
    """A file without its name.

    Attributes:
        node: it, if it is open; its last handle may just have been closed.
        object: the version at its key that it is, or was when it lost its name for good.
        is_there: whether there may be an object of it at all; None: as the node says.
        draft: what a file was to carry that is not on the service.
    """

    node: OpenFile | None
    object: ObjectInfo | None
    is_there: bool | None = None
    draft: ObjectDraft | None = None

    def unlink(self) -> None:
        """Note what there is to be deleted, then let the file go on without a name."""
        if self.node is None or self.node.unlinked:
            return
        with self.node.lock:
            self.object = self.node.info or self.node.draft.replaces
            self.is_there = self.node.may_have_object
            self.draft = self.node.draft if self.node.is_new else None
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
        self._left: TTLCache[str, Inherited] = TTLCache(MANY, MEMORY, env.clock)  # by the deleted
        self._leaving = threading.Lock()  # for deletions run on threads of their own
        self._heirs: dict[str, Inherited] = {}  # paths that are being renamed over, late

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
            node.find_uncertain()
        key = self._env.root.to_key(path)
        known = self._env.bucket.known(key)
        if known is None and node is not None:
            known = node.info
        if known is None and node is None and may_be_unlinked:
            # Its last handle was just closed. A deletion that is late must know what it means.
            with contextlib.suppress(NotFound):
                known = self._env.bucket.head(key, max_age=FRESH_WITHIN)
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

    def left_to(self, path: str) -> Inherited:
        """Return what was left by a file that made way for the one which is now renamed there."""
        return self._heirs.get(path, NO_HEIR)

    @contextmanager
    def rename_over(self, path: str, *, follows: bool | None = None) -> Iterator[None]:
        """Let another file take a path: the one that made way for it loses its name then.

        A deletion that has begun is waited for, and if a file is known to have made way for this
        one, which `follows` it, that leaves what it had. Nothing of the old file is uploaded
        meanwhile, for that would strike the new one. If the rename fails the old file has its
        name again.
        """
        self._pending.cancel(path, Kind.DELETE)
        with self._leaving:
            left = self._left.pop(path, None)
        if not follows or left is None:
            with self._renaming_over(path):
                yield
            return
        self._heirs[path] = left
        try:
            with self._renaming_over(path):
                yield
        finally:
            del self._heirs[path]

    @contextmanager
    def _renaming_over(self, path: str) -> Iterator[None]:
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
            try:
                if hidden.node is not None and not hidden.node.unlinked:
                    hidden.node.find_uncertain()  # what is there may be what nobody heard of
                hidden.unlink()
                left = self._left_by(path, hidden)
                if hidden.is_there is not False:
                    self._delete_object(path, hidden.object, since)
                with self._leaving:
                    self._left[path] = left
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

    def _left_by(self, path: str, hidden: Hidden) -> Inherited:
        """Return what a file leaves to the one that is renamed over it, should that still come."""
        if not self._env.choices.keep_replaced_tags:
            return NO_HEIR
        if (draft := hidden.draft) is not None and draft.replaces is None:
            return Inherited(
                tags=draft.tags, acl=draft.acl, metadata=draft.metadata, headers=draft.headers
            )
        key, tags, acl = self._env.root.to_key(path), None, None
        with contextlib.suppress(NotFound, Unsupported, AccessDenied):
            tags = self._env.bucket.get_tags(key, max_age=FRESH_WITHIN) or None
        with contextlib.suppress(NotFound, Unsupported, AccessDenied):
            acl = self._env.bucket.get_acl(key) or None
        return inherited_from(hidden.object, tags, acl)

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
