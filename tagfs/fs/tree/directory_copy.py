"""Renaming a directory: copy everything, in parallel; then delete everything, in batches.

Until the last copy is there nothing is deleted, and a failure takes the copies away again, so the
source stays whole. A note in the journal lets `tagfs recover` do the same after a crash.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress

from tagfs.errors import (
    AccessDenied,
    CrossDevice,
    InvalidRequest,
    NotPermitted,
    TagfsError,
    Unreachable,
)
from tagfs.fs.content.journal import RenameJournal
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.paths import is_below
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.tag_policy import TagPolicy
from tagfs.fs.tree.symlinks import copy_symlink
from tagfs.store.objects import Denied, Keep, ObjectInfo, ObjectType

log = logging.getLogger(__name__)

LIMIT = 100_000
"""Keys that one directory rename moves; above it is EXDEV, and mv(1) copies file by file."""

WINDOW = 256
"""Copies that wait for a thread at most, so that memory does not grow with the directory."""


class CopyingRename:
    """Moves all keys below one prefix to another."""

    def __init__(self, env: FsContext, files: HandleTable, policy: TagPolicy) -> None:
        self._policy = policy
        self._env = env
        self._files = files

    def run(self, old: str, new: str, *, replaces: bool = False) -> None:
        """Move the directory `old` to `new`, which is absent, or empty if it `replaces` one.

        Raises:
            InvalidRequest: into itself.
            CrossDevice: too many keys.
            NotPermitted: keys that can be no file would be left behind, by mv(1) as well.
            NotShown: there are files in it that this mount does not show.
            Unreachable: the service fell silent. If it did so while deleting, everything is at the
                new place and some at both, until `tagfs recover` has finished.
            TagfsError: a copy failed; everything is as it was.
        """
        if is_below(new, old):
            raise InvalidRequest(f"{old} cannot be moved into itself")
        source, target = self._env.root.to_prefix(old), self._env.root.to_prefix(new)
        infos = self._list(source)
        self._env.scope.check_all(infos)
        if not self._env.bucket.may_delete(source, surely=True):
            raise AccessDenied(f"{old}: may not be deleted, so it stays where it is")
        note = RenameJournal(self._env.staging.directory, source, target, replaces=replaces)
        self._copy_all(infos, source, target, note)
        note.deleting()
        try:
            self._finish(old, new, infos)
        except AccessDenied:  # to delete: nothing is to be there twice
            # A batch before may have been deleted.
            self._delete_copies(source, target, replaces=replaces)
            note.done()
            raise
        except Unreachable:  # which of them are deleted, nobody knows: the note stays
            message = "%s: moved to %s; `tagfs recover` deletes what is left of it"
            log.error(message, old, new)  # noqa: TRY400  (the caller logs the failure itself)
            raise
        except BaseException:
            note.done()
            raise
        note.done()

    def _finish(self, old: str, new: str, infos: list[ObjectInfo]) -> None:
        """Delete what is copied, and let open files go on under their new paths."""
        source, target = self._env.root.to_prefix(old), self._env.root.to_prefix(new)
        versions = {info.key: info for info in infos}
        failed = self._env.bucket.delete_many(list(versions), meant=versions)
        if failed and all(isinstance(reason, Denied) for reason in failed.values()):
            self._bring_back([key for key in versions if key not in failed], source, target)
            raise AccessDenied(f"{old}: {len(failed)} keys of it may not be deleted: it stays")
        for node in self._files.below(old):
            path = new + node.path[len(old) :]
            moved = None
            if not node.is_new and not node.is_dir:
                with suppress(AccessDenied):  # who reads on finds out
                    moved = self._env.bucket.head(self._env.root.to_key(path))
            self._files.move(node.path, path, moved, versions.get(node.key))
        for key, reason in failed.items():
            log.error("%s: moved to %s but not deleted: %s", key, target, reason)
        if failed:
            raise TagfsError(f"{old}: moved, but {len(failed)} keys of it could not be deleted")

    def _bring_back(self, keys: Sequence[str], source: str, target: str) -> None:
        """Copy what was deleted back, because the rest of its directory stays."""
        submit = self._env.executor.submit
        pending = [(key, submit(self._put_back, target + key[len(source) :], key)) for key in keys]
        for key, future in pending:
            try:
                future.result()
            except TagfsError as error:
                message = "%s: is now below %s alone: %s"
                log.error(message, key, target, error)  # noqa: TRY400  (one line says it)

    def _delete_copies(self, source: str, target: str, *, replaces: bool) -> None:
        """Delete the copies of what is seen at its old place; of nothing if that cannot be seen.

        The marker of an empty directory that was there before stays.
        """
        keys = [info.key for info in self._list(source) if not (replaces and info.key == source)]
        copies = {target + key[len(source) :]: None for key in keys}
        for key, reason in self._delete(copies).items():
            log.error("%s: a copy left over from a failed rename: %s", key, reason)

    def _put_back(self, copy: str, key: str) -> None:
        able = self._env.bucket.capabilities
        exclusive = able.exclusive and able.exclusive_copies
        found = self._env.bucket.head(copy)
        if found.type is ObjectType.SYMLINK:
            copy_symlink(self._env.bucket, found, key, keep=False, exclusive=able.exclusive)
        else:
            self._env.bucket.copy(found, key, tags=Keep.SOURCE, exclusive=exclusive)

    def _list(self, prefix: str) -> list[ObjectInfo]:
        infos: list[ObjectInfo] = []
        token = None
        while True:
            page = self._env.bucket.list(prefix, delimiter="", token=token)
            for info in page.objects:
                if self._env.root.to_path(info.key) is None:
                    raise NotPermitted(f"{info.key!r} can be no file and would be left behind")
                infos.append(info)
            if len(infos) > LIMIT:
                raise CrossDevice(f"{prefix}: more than {LIMIT} keys")
            token = page.token
            if token is None:
                return infos

    def _copy_all(
        self, infos: list[ObjectInfo], source: str, target: str, note: RenameJournal
    ) -> None:
        copied: dict[str, ObjectInfo | None] = {}
        pending: deque[tuple[str, Future[ObjectInfo]]] = deque()

        def settle(*, at_most: int) -> None:
            # The oldest first: to wait for whichever is done costs a look at all of them each time.
            while len(pending) > at_most:
                key, future = pending.popleft()
                copied[key] = future.result()

        # The marker comes last: a directory that is replaced keeps its own until all else is there.
        ordered = sorted(infos, key=lambda info: info.key == source)
        owner = self._policy.mover()
        try:
            for info in ordered:
                key = target + info.key[len(source) :]
                settle(at_most=0 if info.key == source else WINDOW)
                pending.append((key, self._env.executor.submit(self._copy, info, key, owner)))
            settle(at_most=0)
        except BaseException:
            started = {key: None for key, future in pending if not future.cancel()}
            wait([future for _, future in pending])
            self._undo({**copied, **started}, note)
            raise

    def _undo(self, copies: Mapping[str, ObjectInfo | None], note: RenameJournal) -> None:
        """Take copies away; of what stays, the note remains too, for `tagfs recover`.

        What was made of them is known of those that ended; of others, None.
        """
        failed = self._delete(copies)
        if not failed:
            note.done()
        for key, reason in failed.items():
            log.error("%s: a copy left over from a failed rename: %s", key, reason)

    def _delete(self, copies: Mapping[str, ObjectInfo | None]) -> Mapping[str, str]:
        """Delete copies; return those that could not be deleted, with the reasons."""
        meant = {key: info for key, info in copies.items() if info is not None}
        try:
            return self._env.bucket.delete_many(list(copies), meant=meant)
        except TagfsError as error:
            return dict.fromkeys(copies, str(error))

    def _copy(self, info: ObjectInfo, key: str, owner: tuple[int, int] | None) -> ObjectInfo:
        tags = self._policy.moved_object(info, key, owner)
        if info.type is ObjectType.SYMLINK:
            return copy_symlink(self._env.bucket, info, key, keep=False, tags=tags)
        return self._env.bucket.copy(info, key, tags=tags or Keep.SOURCE)
