"""The rename of a file where the service has none: a copy, then the deletion of the old object."""

import logging
from typing import Literal

from tagfs.errors import AccessDenied, NotFound, TagfsError
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.content_types import by_name
from tagfs.fs.mapping.inheritance import merged_headers, merged_metadata
from tagfs.fs.mapping.posix_metadata import Attributes, with_attributes
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.openfiles.tag_policy import FILE
from tagfs.fs.tree.heritage import Heritage
from tagfs.fs.tree.implicit_directories import ImplicitDirectories
from tagfs.fs.tree.lookup import Entry
from tagfs.fs.tree.symlinks import CopyTags, copy_symlink
from tagfs.rules.rule import ObjectKind
from tagfs.store.objects import Detail, Keep, ObjectInfo
from tagfs.store.tags import TagSet
from tagfs.store.versions import is_version

log = logging.getLogger(__name__)


class CopyingFileRename:
    """Renames files that the service has."""

    def __init__(
        self,
        env: FsContext,
        files: HandleTable,
        parents: ImplicitDirectories,
        heritage: Heritage,
    ) -> None:
        self._env = env
        self._policy = heritage.policy
        self._files = files
        self._implicit_directories = parents
        self._heritage = heritage

    def run(
        self,
        source: Entry,
        new: str,
        target: Entry | None,
        node: OpenFile | None,
        attributes: Attributes | None,
        *,
        exclusive: bool,
    ) -> None:
        """Copy a file or a link to `new`, where `target` is replaced, then delete the old one.

        `node` is the source, if it is open; `attributes` wait to be set on it, and go along.

        Raises:
            AccessDenied: the old one may not be deleted; a copy is taken back.
        """
        info = source.info
        if info is None:
            raise NotFound(source.path)
        replaced = self._files.node(new)
        keep = target is not None and self._env.choices.keep_replaced_tags
        key = self._env.root.to_key(new)
        able = self._env.bucket.capabilities
        exclusive = exclusive and able.exclusive and able.exclusive_copies
        if not self._env.bucket.may_delete(info.key, surely=target is not None):
            raise AccessDenied(f"{source.path}: may not be deleted, so it stays where it is")
        if source.is_link:
            chosen = self._policy.moved(source.path, info.key, new, ObjectKind.LINK, replaces=keep)
            moved = copy_symlink(
                self._env.bucket, info, key, keep=keep, exclusive=exclusive, tags=chosen
            )
        else:
            moved = self._copy_file(source, info, new, target, attributes, exclusive=exclusive)
        self._implicit_directories.ensure_survives(source.path)
        try:
            self._env.bucket.delete(info.key, meant=info)
        except AccessDenied as error:
            self._take_back(moved, target, error)
            raise
        if node is not None or replaced is not None:
            self._files.move(source.path, new, moved, info)
        self._heritage.on_rename(source.path, new)

    def _take_back(self, moved: ObjectInfo, target: Entry | None, error: AccessDenied) -> None:
        """Delete a copy whose source may not be deleted, if it is still that copy."""
        if target is not None:
            log.error("%s: is replaced by what could not be deleted: %s", moved.key, error)
            return
        try:
            if is_version(self._env.bucket.head(moved.key, max_age=0), moved):
                self._env.bucket.delete(moved.key, meant=moved)
        except TagfsError as failure:
            log.error("%s: a copy left over from a failed rename: %s", moved.key, failure)  # noqa: TRY400  (one line says it)

    def _copy_file(
        self,
        source: Entry,
        info: ObjectInfo,
        new: str,
        target: Entry | None,
        attributes: Attributes | None,
        *,
        exclusive: bool,
    ) -> ObjectInfo:
        """Copy a file to its new name, with what it brings and what it finds there."""
        tags: CopyTags = Keep.SOURCE
        acl: Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE
        if target is not None and target.info is not None:
            left = self._heritage.left_by(target)
            if self._env.choices.keep_replaced_tags:
                tags = acl = Keep.SOURCE_OR_REPLACED
        else:
            left = self._heritage.left_to(new)
            if left.tags and not self._policy.chosen(
                source.path, FILE, self._env.bucket.get_tags(info.key, max_age=FRESH_WITHIN)
            ):
                tags = left.tags
        if not isinstance(tags, TagSet):
            tags = (
                self._policy.moved(source.path, info.key, new, replaces=tags is not Keep.SOURCE)
                or tags
            )
        typed = self._heritage.is_typed(source.attributes)
        renamed = typed and by_name(source.path) != by_name(new)
        if info.detail is None and (left.headers or left.metadata or renamed):
            info = self._env.bucket.head(info.key, expected=info.type, max_age=FRESH_WITHIN)
        had = info.detail or Detail()
        own = had.metadata if attributes is None else with_attributes(info, attributes)
        metadata = merged_metadata(own, left.metadata)
        headers = merged_headers(had.headers, left.headers, source.path, new, typed=typed)
        return self._env.bucket.copy(
            info,
            self._env.root.to_key(new),
            tags=tags,
            acl=acl if left.acl is None else left.acl,
            exclusive=exclusive,
            replaces=None if target is None else target.info,
            annotations_of=left.annotations_of,
            metadata=metadata if attributes is not None or metadata != had.metadata else None,
            headers=headers if info.detail is not None and headers != had.headers else None,
        )
