"""Renaming where the service does it, in one request: files and directories of any size.

Nothing is copied and nothing deleted, so there is nothing for `tagfs recover` to finish.
"""

from contextlib import ExitStack
from dataclasses import replace

from tagfs.errors import AlreadyExists, InvalidRequest, NotFound, TagfsError
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.paths import is_below
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.openfiles.tag_policy import TagPolicy
from tagfs.fs.tree.lookup import Entry
from tagfs.rules.rule import ObjectKind
from tagfs.store.objects import BytesSource, Keep, NewObject, ObjectInfo


class NativeRename:
    """Lets the service move files and directories, and open files follow."""

    def __init__(self, env: FsContext, files: HandleTable, policy: TagPolicy) -> None:
        self._policy = policy
        self._env = env
        self._files = files

    def move_file(self, source: Entry, new: str, *, replaces: bool) -> bool:
        """Move a file, link or special file; False if it has to be copied.

        The service replaces nothing, and changes no tags. `replaces`: see `TagPolicy.moved`.

        Raises:
            NotFound
            RuleBroken: at its new place it would break a rule.
        """
        info = source.info
        if info is None:
            raise NotFound(source.path)
        kind = ObjectKind.LINK if source.is_link else ObjectKind.FILE
        chosen = self._policy.moved(source.path, info.key, new, kind, replaces=replaces)
        if chosen not in (None, Keep.SOURCE):
            return False
        node = self._files.node(source.path)
        with ExitStack() as held:
            if node is not None:
                held.enter_context(node.lock)  # no upload of it is under way meanwhile
            try:
                self._env.bucket.rename(info.key, self._env.root.to_key(new), source=info)
            except AlreadyExists:
                return False
            if node is not None or self._files.node(new) is not None:
                self._let_follow(source.path, new, node, info)
        return True

    def move_directory(self, source: Entry, new: str, target: Entry | None) -> bool:
        """Move a directory with all that is in it to `new`, where at most an empty one is.

        False if it has to be copied.

        Raises:
            InvalidRequest: into itself.
            AlreadyExists, NotEmpty: another client made something there meanwhile.
            RuleBroken: something in it would break a rule there.
        """
        old = source.path
        if is_below(new, old):
            raise InvalidRequest(f"{old} cannot be moved into itself")
        if not self._policy.check_moved(
            self._env.root.to_prefix(old), self._env.root.to_prefix(new)
        ):
            return False
        nodes = sorted(self._files.below(old), key=lambda node: node.path)
        with ExitStack() as held:
            for node in nodes:
                held.enter_context(node.lock)
            versions = {node: self._version(node) for node in nodes}
            self._rename_directory(old, new, target)
            for node in nodes:
                path = new + node.path[len(old) :]
                self._let_follow(node.path, path, node, versions[node])
        return True

    def _rename_directory(self, old: str, new: str, target: Entry | None) -> None:
        source, wanted = self._env.root.to_prefix(old), self._env.root.to_prefix(new)
        try:
            self._env.bucket.rename(source, wanted)
        except AlreadyExists:
            if target is None:
                raise
            # The service replaces no directory, not even an empty one.
            self._env.bucket.delete(wanted)
            try:
                self._env.bucket.rename(source, wanted)
            except TagfsError:
                self._make_again(wanted, target)
                raise

    def _make_again(self, marker: str, target: Entry) -> None:
        detail = target.info.detail if target.info is not None else None
        metadata = detail.metadata if detail is not None else target.attributes.render()
        headers = detail.headers if detail is not None else {}
        new = NewObject(metadata=metadata, headers=headers, exclusive=True)
        self._env.bucket.put(marker, BytesSource(b""), new)

    def _version(self, node: OpenFile) -> ObjectInfo | None:
        """Return what an open file is on the service now, and will be after the rename."""
        if node.is_new:
            return None
        try:
            return self._env.bucket.head(node.key)
        except NotFound:
            return None

    def _let_follow(
        self, old: str, new: str, node: OpenFile | None, before: ObjectInfo | None
    ) -> None:
        """Give an open file its new path, whatever becomes of the look at what it is there."""
        after = None
        if node is not None and before is not None and not node.is_new:
            key = self._env.root.to_key(new)
            try:
                after = self._env.bucket.head(key)
            except TagfsError:
                after = replace(before, key=key)  # who reads on finds out if it is not
        self._files.move(old, new, after, before)
