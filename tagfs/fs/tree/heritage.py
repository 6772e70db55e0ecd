"""What a name hands on: to a new file, from the file that had the name before it."""

import stat
from contextlib import suppress
from dataclasses import replace

from tagfs.errors import NotFound
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.inheritance import NO_HEIR, Inherited, inherited_from, new_headers
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.openfiles.tag_policy import TagPolicy
from tagfs.fs.tree.lookup import Entry
from tagfs.fs.tree.replaced_files import ReplacedFiles
from tagfs.fs.tree.save_patterns import BackupTags
from tagfs.store.tags import NO_TAGS, TagSet


class Heritage:
    """Finds what is left to a file that takes a name; `mapping/inheritance.py` has the rules."""

    def __init__(
        self,
        env: FsContext,
        files: HandleTable,
        replaced: ReplacedFiles,
        backups: BackupTags,
        policy: TagPolicy,
    ) -> None:
        self.policy = policy
        self._env = env
        self._files = files
        self._replaced = replaced
        self._backup_tags = backups

    def left_to(self, path: str) -> Inherited:
        """Return what a new file at `path` takes over from one that had the name."""
        left = self._replaced.left_to(path)
        if left is not NO_HEIR:
            return left
        replaced = self._replaced.node(path) or self._files.node(path)
        draft = None if replaced is None or not replaced.is_new else replaced.draft
        if draft is not None and (draft.tags or draft.metadata):
            if not self._env.choices.keep_replaced_tags:
                return NO_HEIR
            return Inherited(
                tags=draft.tags, acl=draft.acl, metadata=draft.metadata, headers=draft.headers
            )
        return self._backup_tags.left_to(path)

    def for_new(self, path: str) -> tuple[Inherited, TagSet]:
        """Return what is left to a new file by one that had its name, and what the rules give it.

        Raises:
            RuleBroken, ValueNotAllowed: it may not be made so.
        """
        left, given = self.left_to(path), self.policy.given(path)
        most = self._env.bucket.object_tag_rules.max_tags
        self.policy.judge_new(path, (left.tags or NO_TAGS).with_defaults(given, most))
        return left, given

    def inherit(self, node: OpenFile, left: Inherited, given: TagSet) -> None:
        """Give a new file what is left to it, and what the rules give it."""
        typed, path = self.is_typed(node.attributes), node.path
        with node.lock:
            if left is NO_HEIR:
                draft = replace(node.draft, headers=new_headers(path, typed=typed))
            else:
                draft = node.draft.inheriting(left, path, path, typed=typed)
            node.draft = replace(draft, given=given) if given else draft

    def on_rename(self, old: str, new: str) -> None:
        """Note that a file was renamed: it may be a backup, and the next one its heir."""
        self._backup_tags.on_rename(old, new)

    def is_typed(self, attributes: Attributes) -> bool:
        """Tell whether a file's Content-Type is that of its name."""
        return self._env.choices.typed_by_name and stat.S_ISREG(attributes.mode)

    def left_by(self, target: Entry) -> Inherited:
        """Return what a file that is replaced leaves besides its tags."""
        info = target.info
        if info is None or target.is_link or not self._env.choices.keep_replaced_tags:
            return NO_HEIR
        if info.detail is None:
            with suppress(NotFound):
                info = self._env.bucket.head(info.key, expected=info.type, max_age=FRESH_WITHIN)
        return inherited_from(info)
