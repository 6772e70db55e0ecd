"""rename(2): what is asked first, what POSIX lets it replace, and which way it goes."""

import logging
from dataclasses import replace

from tagfs.errors import (
    AlreadyExists,
    CrossDevice,
    IsADirectory,
    NotADirectory,
    NotEmpty,
    NotFound,
    ObjectChanged,
    StagingFull,
)
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.deferred_work import DeferredWork
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.object_draft import ObjectDraft
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.tree.directory_copy import CopyingRename
from tagfs.fs.tree.file_copy import CopyingFileRename
from tagfs.fs.tree.heritage import Heritage
from tagfs.fs.tree.lookup import Entry, TreeLookup
from tagfs.fs.tree.native_rename import NativeRename
from tagfs.fs.tree.remove import Remover
from tagfs.rules.rule import Checked
from tagfs.store.objects import NOTHING, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.versions import is_version

log = logging.getLogger(__name__)


class Renamer:
    """Renames files, links and directories."""

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        files: HandleTable,
        due: DeferredWork,
        remover: Remover,
        heritage: Heritage,
    ) -> None:
        self._env = env
        self._policy = heritage.policy
        self._tree = tree
        self._files = files
        self._due = due
        self._write_back = due.uploads
        self._remover = remover
        self._replaced = remover.replaced
        self._implicit_directories = remover.parents
        self._heritage = heritage
        self._native = NativeRename(env, files, heritage.policy)
        self._copying = CopyingFileRename(env, files, remover.parents, heritage)

    def rename(
        self, old: str, new: str, *, exclusive: bool = False, follows: bool | None = None
    ) -> None:
        """Move a file or a directory to another path, replacing what POSIX lets it replace.

        `follows`: an open file has made way for it in the same call; None if that is not known,
        and then one that has just done so did it for this one.

        Raises:
            AlreadyExists: `exclusive`, and something is there.
        """
        if new == old:
            return
        self._env.scope.check_name(self._env.root.to_key(new), exclusive=exclusive)
        number = self._files.number(old)
        self._rename_over(old, new, exclusive=exclusive, follows=follows)
        self._files.inodes.moved(number, old, new, self._files.node(new))
        for path in (old, new):
            self._tree.times.on_entry(path)

    def _rename_over(self, old: str, new: str, *, exclusive: bool, follows: bool | None) -> None:
        if exclusive or self._is_unlinked(old, new, follows=follows):
            self._due.before_made(new)
        if exclusive:
            self._rename(old, new, exclusive=True)
            return
        with self._replaced.rename_over(new, follows=follows):
            self._rename(old, new)

    def _is_unlinked(self, old: str, new: str, *, follows: bool | None) -> bool:
        """Say whether what lost its name was unlinked: no directory is renamed over a file.

        What made way for this rename is known without a look, which might take too long.
        """
        if follows is not None or new not in self._replaced:
            return follows is False
        source = self._tree.find(old)
        return source is not None and source.is_dir

    def _rename(self, old: str, new: str, *, exclusive: bool = False) -> None:
        self._due.before_renamed(old, new)
        if self._rename_new(old, new, exclusive=exclusive):
            return
        self._due.before_moved(old, new, natively=self._env.bucket.capabilities.rename)
        # What waits to be set on the file goes along, and is not sent by itself from here on.
        # Nothing of it is uploaded meanwhile: that would be left at the old name, or deleted there.
        with (
            self._due.attributes.claim(old) as attributes,
            self._remover.paused_uploads(old) as node,
        ):
            for opened in (*self._files.below(old), *(() if node is None else (node,))):
                opened.find_uncertain()  # or another version of it would be moved than is there
            source, target = self._look_at_both(old, new)
            self._check_types(source, target, exclusive=exclusive)
            if source.is_dir:
                self._due.before_all_moved(old)
                self._rename_directory(source, new, target)
                return
            replaced = self._files.node(new)
            if replaced is not None:
                replaced.load_all()
            keeps = target is not None and self._env.choices.keep_replaced_tags
            if self._env.bucket.capabilities.rename and self._native.move_file(
                source, new, replaces=keeps
            ):
                return
            self._copy_file(source, new, target, node, attributes, exclusive=exclusive)

    def _copy_file(
        self,
        source: Entry,
        new: str,
        target: Entry | None,
        node: OpenFile | None,
        attributes: Attributes | None,
        *,
        exclusive: bool,
    ) -> None:
        """Copy a file to its new name, on condition that there is what was seen there, or nothing.

        What another host has just made is replaced as such: it has tags to be kept.
        """
        free = target is None and new not in self._replaced  # else it is still there, unseen
        try:
            guarded = exclusive or free
            self._copying.run(source, new, target, node, attributes, exclusive=guarded)
        except AlreadyExists:
            if exclusive or not free:
                raise
            made = self._tree.find(new, max_age=0)
        except ObjectChanged:
            if target is None:
                raise
            made = self._tree.find(new, max_age=0)
            if _is_unchanged(made, target):  # so the source is what has changed
                raise
        else:
            return
        log.info("%s: was made meanwhile, and is renamed over", new)
        self._check_types(source, made)
        self._copying.run(source, new, made, node, attributes, exclusive=False)

    def _rename_directory(self, source: Entry, new: str, target: Entry | None) -> None:
        self._move_directory(source, new, target)
        self._tree.times.on_rename(source.path, new)

    def _move_directory(self, source: Entry, new: str, target: Entry | None) -> None:
        if self._env.bucket.capabilities.rename and self._native.move_directory(
            source, new, target
        ):
            return
        if self._tree.old_directory(source.path) is not None:
            raise CrossDevice(f"{source.path}: s3fs made it long ago; mv(1) copies it")
        self._implicit_directories.ensure_survives(source.path)
        CopyingRename(self._env, self._files, self._policy).run(
            source.path, new, replaces=target is not None
        )

    def _look_at_both(self, old: str, new: str) -> tuple[Entry, Entry | None]:
        """Ask what is at both paths, at the same time unless that is known."""
        if self._env.bucket.known(self._env.root.to_key(old), max_age=FRESH_WITHIN) is not None:
            source = self._tree.lookup(old)
            if not source.is_dir:  # was just written, or looked at
                return source, self._tree.find(new, max_age=FRESH_WITHIN)
        ahead = self._env.executor.submit(self._tree.find, new, max_age=FRESH_WITHIN)
        try:
            source = self._tree.lookup(old, max_age=FRESH_WITHIN)
        except BaseException:
            ahead.cancel()
            raise
        if ahead.cancel():  # no thread was free for it
            return source, self._tree.find(new, max_age=FRESH_WITHIN)
        return source, ahead.result()

    def _check_types(self, source: Entry, target: Entry | None, *, exclusive: bool = False) -> None:
        if target is None:
            return
        if exclusive:
            raise AlreadyExists(target.path)
        if source.is_dir and not target.is_dir:
            raise NotADirectory(target.path)
        if target.is_dir and not source.is_dir:
            raise IsADirectory(target.path)
        if target.is_dir:
            prefix = self._env.root.to_prefix(target.path)
            page = self._env.bucket.list(prefix, limit=2)
            if page.prefixes or any(info.key != prefix for info in page.objects):
                raise NotEmpty(target.path)
            if self._files.unsaved_names(target.path):
                raise NotEmpty(target.path)

    def _rename_new(self, old: str, new: str, *, exclusive: bool) -> bool:
        """Rename a file that is not on the service yet: its upload goes to the new key.

        False if it is there: an upload that is under way is waited for, and one is made where the
        local disk has no room for a note of the new name.
        """
        node = self._files.node(old)
        if node is None or node.is_dir or not node.is_new:
            return False
        try:
            return self._rename_here(node, old, new, exclusive=exclusive)
        except StagingFull as full:
            node.upload_instead(full)
            return False

    def _rename_here(self, node: OpenFile, old: str, new: str, *, exclusive: bool) -> bool:
        with self._due.attributes.claim(old), node.lock:
            if node.draft.replaces is not None:
                node.flush()  # or what it was renamed over would be seen again at its old name
            if node.info is not None:
                return False
            # What the kernel knows of the new name does: whatever has come there meanwhile is
            # met by the upload, which keeps its tags.
            target = self._tree.find(new, max_age=FRESH_WITHIN if exclusive else None)
            self._check_types(self._tree.lookup(old), target, exclusive=exclusive)
            draft = self._draft_over(node, old, new, target)
            replaced = self._files.node(new)
            if replaced is not None:
                replaced.load_all()
            node.delete_uncertain()
            node.note_move(new, draft := replace(draft, exclusive=exclusive))
            node.draft = draft
            self._files.move(old, new, None)
        self._write_back.start_now(node)
        return True

    def _draft_over(self, node: OpenFile, old: str, new: str, target: Entry | None) -> ObjectDraft:
        """Return what a file that is not on the service yet will carry there under its new name."""
        keep, draft = self._env.choices.keep_replaced_tags, node.draft
        if keep and not draft.tags:  # rsync -X takes away what only the rules gave
            draft = replace(draft, tags=None)
        if target is None or target.info is None:
            left = self._heritage.left_to(new)
            draft = replace(draft, tags=left.tags if draft.tags is None and keep else draft.tags)
        else:
            left = self._heritage.left_by(target)
        if not keep:
            tags = NO_TAGS if draft.tags is None else draft.tags
            draft = replace(draft, tags=tags, acl=NOTHING)
        typed = self._heritage.is_typed(node.attributes)
        draft = draft.inheriting(left, old, new, typed=typed)
        under = None if target is None else self._object_under(target)
        return replace(draft, replaces=under, given=self._given_at(new, draft.tags, node, under))

    def _given_at(
        self, path: str, tags: TagSet | None, node: OpenFile, under: ObjectInfo | None
    ) -> TagSet:
        """Return what the rules give a new file at the path that it gets now.

        One that takes another's place, and its tags, gets only what it must have.

        Raises:
            RuleBroken, ValueNotAllowed: it may not be there.
        """
        if tags is None and under is not None:
            return self._policy.required(path)
        given = self._policy.given(path)
        moment = Checked.CLOSE if all(handle.pinned for handle in node.handles) else Checked.OPEN
        most = self._env.bucket.object_tag_rules.max_tags
        for now in {Checked.OPEN, moment}:
            self._policy.judge_new(path, (tags or NO_TAGS).with_defaults(given, most), moment=now)
        return given

    def _object_under(self, target: Entry) -> ObjectInfo | None:
        """Return the object at a path, be it what a new file there was to replace, or has made."""
        node = target.node
        if node is None or not node.is_new or not node.may_have_object:
            return target.info
        try:
            return self._env.bucket.head(node.key, max_age=0)
        except NotFound:
            return None


def _is_unchanged(found: Entry | None, seen: Entry) -> bool:
    """Say whether what is at a path now is the version that was seen there."""
    if found is None or found.info is None or seen.info is None:
        return False
    return is_version(found.info, seen.info)
