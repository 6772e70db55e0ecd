"""Renaming a directory: copy everything, in parallel; then delete everything, in batches.

Until the last copy is there nothing is deleted, and a failure takes the copies away again, so the
source stays whole. A note in the journal lets `tagfs recover` do the same after a crash.
"""

import logging
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, wait

from tagfs.errors import AccessDenied, CrossDevice, InvalidRequest, TagfsError, Unreachable
from tagfs.fs.environment import Environment
from tagfs.fs.files import OpenFiles
from tagfs.fs.journal import RenameNote
from tagfs.fs.paths import is_below
from tagfs.fs.symlinks import move_link
from tagfs.store.bucket import Keep, ObjectInfo, ObjectType

log = logging.getLogger(__name__)

LIMIT = 100_000
"""Keys that one directory rename moves; above it is EXDEV, and mv(1) copies file by file."""

WINDOW = 256
"""Copies that wait for a thread at most, so that memory does not grow with the directory."""


class DirectoryRename:
    """Moves all keys below one prefix to another."""

    def __init__(self, env: Environment, files: OpenFiles) -> None:
        self._env = env
        self._files = files

    def run(self, old: str, new: str, *, replaces: bool = False) -> None:
        """Move the directory `old` to `new`, which is absent, or empty if it `replaces` one.

        Raises:
            InvalidRequest: into itself.
            CrossDevice: too many keys, or keys that can be no file and would be left behind.
            Unreachable: the service fell silent. If it did so while deleting, everything is at the
                new place and some at both, until `tagfs recover` has finished.
            TagfsError: a copy failed; everything is as it was.
        """
        if is_below(new, old):
            raise InvalidRequest(f"{old} cannot be moved into itself")
        source, target = self._env.root.to_prefix(old), self._env.root.to_prefix(new)
        infos = self._list(source)
        note = RenameNote(self._env.staging.directory, source, target, replaces=replaces)
        self._copy_all(infos, source, target, note)
        note.deleting()
        try:
            self._finish(old, new, infos)
        except AccessDenied:  # to delete: nothing is to be there twice
            # A batch before may have been deleted: only what is seen at its old place is taken
            # away at the new one, and nothing if that cannot be seen.
            stays = [info.key for info in self._list(source)]
            self._undo({target + key[len(source) :]: None for key in stays}, note)
            note.done()
            raise
        except Unreachable:  # which of them are deleted, nobody knows: the note stays
            told = "%s: moved to %s; `tagfs recover` deletes what is left of it"
            log.error(told, old, new)  # noqa: TRY400  (the failure itself is told by who asked)
            raise
        except BaseException:
            note.done()
            raise
        note.done()

    def _finish(self, old: str, new: str, infos: list[ObjectInfo]) -> None:
        """Delete what is copied, and let open files go on under their new paths."""
        target = self._env.root.to_prefix(new)
        versions = {info.key: info for info in infos}
        failed = self._env.bucket.delete_many(list(versions), meant=versions)
        for node in self._files.below(old):
            path = new + node.path[len(old) :]
            moved = None
            if not node.is_new and not node.is_dir:
                moved = self._env.bucket.head(self._env.root.to_key(path))
            self._files.move(node.path, path, moved, versions.get(node.key))
        for key, reason in failed.items():
            log.error("%s: moved to %s but not deleted: %s", key, target, reason)
        if failed:
            raise TagfsError(f"{old}: moved, but {len(failed)} keys of it could not be deleted")

    def _list(self, prefix: str) -> list[ObjectInfo]:
        infos: list[ObjectInfo] = []
        token = None
        while True:
            page = self._env.bucket.list(prefix, delimiter="", token=token)
            for info in page.objects:
                if self._env.root.to_path(info.key) is None:
                    raise CrossDevice(f"{info.key!r} can be no file and would be left behind")
                infos.append(info)
            if len(infos) > LIMIT:
                raise CrossDevice(f"{prefix}: more than {LIMIT} keys")
            token = page.token
            if token is None:
                return infos

    def _copy_all(
        self, infos: list[ObjectInfo], source: str, target: str, note: RenameNote
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
        try:
            for info in ordered:
                key = target + info.key[len(source) :]
                settle(at_most=0 if info.key == source else WINDOW)
                pending.append((key, self._env.executor.submit(self._copy, info, key)))
            settle(at_most=0)
        except BaseException:
            started = {key: None for key, future in pending if not future.cancel()}
            wait([future for _, future in pending])
            self._undo({**copied, **started}, note)
            raise

    def _undo(self, copies: Mapping[str, ObjectInfo | None], note: RenameNote) -> None:
        """Take copies away; of what stays, the note remains too, for `tagfs recover`.

        What was made of them is known of those that ended; of others, None.
        """
        keys = list(copies)
        meant = {key: info for key, info in copies.items() if info is not None}
        try:
            failed = self._env.bucket.delete_many(keys, meant=meant)
        except TagfsError as error:
            failed = dict.fromkeys(keys, str(error))
        if not failed:
            note.done()
        for key, reason in failed.items():
            log.error("%s: a copy left over from a failed rename: %s", key, reason)

    def _copy(self, info: ObjectInfo, key: str) -> ObjectInfo:
        if info.type is ObjectType.SYMLINK:
            return move_link(self._env.bucket, info, key, keep=False)
        return self._env.bucket.copy(info, key, tags=Keep.SOURCE)
