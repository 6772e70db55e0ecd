"""Changes of the tree: making, removing and renaming files, directories, links and nodes."""

import logging
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Literal

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    CrossDevice,
    IsADirectory,
    NotADirectory,
    NotEmpty,
    NotFound,
    NotPermitted,
    TagfsError,
)
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.content_types import by_name
from tagfs.fs.mapping.inheritance import (
    NO_HEIR,
    Inherited,
    inherited_from,
    merged_headers,
    merged_metadata,
    new_headers,
    take_over,
)
from tagfs.fs.mapping.paths import is_fuse_hidden, split
from tagfs.fs.mapping.posix_metadata import DIRECTORY, Attributes, with_attributes
from tagfs.fs.openfiles.deferred_attributes import DeferredAttributes
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.openfiles.pending import PendingChanges
from tagfs.fs.openfiles.write_back import WriteBack
from tagfs.fs.tree.directory_copy import CopyingRename
from tagfs.fs.tree.implicit_directories import ImplicitDirectories
from tagfs.fs.tree.lookup import Entry, TreeLookup
from tagfs.fs.tree.native_rename import NativeRename
from tagfs.fs.tree.replaced_files import ReplacedFiles
from tagfs.fs.tree.save_patterns import BackupTags
from tagfs.fs.tree.symlinks import copy_symlink, write_symlink
from tagfs.store.objects import NOTHING, BytesSource, Detail, Keep, NewObject, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet

log = logging.getLogger(__name__)

EMPTY = BytesSource(b"")


class Namespace:
    """Makes, removes and renames what the tree shows."""

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        files: HandleTable,
        temporaries: DeferredAttributes,
        behind: WriteBack,
        pending: PendingChanges,
    ) -> None:
        self._env = env
        self._tree = tree
        self._files = files
        self._native = NativeRename(env, files)
        self._deferred_attributes = temporaries
        self._write_back = behind
        self._backup_tags = BackupTags(env)
        self._implicit_directories = ImplicitDirectories(env, files, self.make_marker)
        self.replaced = ReplacedFiles(env, files, self._implicit_directories, pending)
        tree.pending_deletes = self.replaced

    # Making

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory by writing its marker.

        Raises:
            AlreadyExists
        """
        self.replaced.flush(path)
        attributes = self.new_attributes(path, stat.S_IFDIR | stat.S_IMODE(mode))
        marker = self._env.root.to_prefix(path)
        if self._write_back.accepts():
            self._write_back.make_directory(path, attributes, {"content-type": DIRECTORY})
            self._env.bucket.expect_empty(marker)
            return
        self._env.bucket.put(marker, EMPTY, self.new_object(attributes, content_type=DIRECTORY))

    def mknod(self, path: str, mode: int, rdev: int) -> None:
        """Make an empty file, fifo, socket or device node.

        Raises:
            NotPermitted: not a plain file, and attributes are not stored on this mount.
        """
        self.replaced.flush(path)
        if not stat.S_IFMT(mode):
            mode |= stat.S_IFREG
        if not stat.S_ISREG(mode) and not self._env.choices.stored:
            raise NotPermitted(f"{path}: special files need attributes=stored")
        attributes = replace(self.new_attributes(path, mode), rdev=rdev)
        new = self.new_object(attributes)
        new = replace(new, headers=new_headers(path, typed=self._is_typed(attributes)))
        self._env.bucket.put(self._env.root.to_key(path), EMPTY, new)

    def symlink(self, path: str, text: str) -> None:
        """Make a symlink that readlink shows as `text`.

        Raises:
            AlreadyExists, NotPermitted
        """
        self.replaced.flush(path)
        key = self._env.root.to_key(path)
        attributes = self.new_attributes(path, stat.S_IFLNK | 0o777)
        write_symlink(self._env.bucket, key, text, self.new_object(attributes))

    def new_attributes(self, path: str, mode: int) -> Attributes:
        """Return the attributes of something that the calling process makes at `path` now.

        A set-group-ID directory gives its group, and to directories its bit: inode(7). The kernel
        has just looked the directory up, so what it is is known.
        """
        made = self._env.new_attributes(mode)
        if not self._env.choices.stored:
            return made
        parent = self._tree.lookup(split(path)[0]).attributes
        if not parent.mode & stat.S_ISGID:
            return made
        bit = stat.S_ISGID if stat.S_ISDIR(mode) else 0
        return replace(made, gid=parent.gid, mode=mode | bit)

    def new_object(
        self,
        attributes: Attributes,
        *,
        tags: TagSet = NO_TAGS,
        content_type: str = "",
    ) -> NewObject:
        """Return what travels with something made here that was not there before."""
        metadata = attributes.render() if self._env.choices.stored else {}
        headers = {"content-type": content_type} if content_type else {}
        return NewObject(metadata=metadata, headers=headers, tags=tags, exclusive=True)

    def make_marker(self, path: str, *, tags: TagSet = NO_TAGS) -> ObjectInfo:
        """Write the marker of a directory that exists only through its keys.

        Raises:
            AlreadyExists: it has one.
        """
        attributes = self._tree.directory(path).attributes
        new = self.new_object(attributes, tags=tags, content_type=DIRECTORY)
        return self._env.bucket.put(self._env.root.to_prefix(path), EMPTY, new)

    def left_to(self, path: str) -> Inherited:
        """Return what a new file at `path` takes over from one that had the name."""
        replaced = self.replaced.node(path) or self._files.node(path)
        if replaced is not None and replaced.is_new and (replaced.tags or replaced.metadata):
            if not self._env.choices.keep_replaced_tags:
                return NO_HEIR
            return Inherited(
                tags=replaced.tags,
                acl=replaced.acl,
                metadata=replaced.metadata,
                headers=replaced.headers,
            )
        return self._backup_tags.left_to(path)

    def inherit(self, node: OpenFile) -> None:
        """Give a new file what is left to it by one that had its name."""
        typed = self._is_typed(node.attributes)
        take_over(node, self.left_to(node.path), node.path, node.path, typed=typed)

    # Removing

    def unlink(self, path: str) -> None:
        """Remove the name of a file, link or special file; open handles of it go on."""
        if self.replaced.is_hidden(path):
            self.replaced.close_hidden(path)
            return
        with self._deferred_attributes.claim(path), self._paused_uploads(path) as node:
            self._remove(path, node)
            self._files.unlink(path)
        self._files.inodes.removed(path)
        if node is not None:
            self._write_back.cancel(node)

    @contextmanager
    def _paused_uploads(self, path: str) -> Iterator[OpenFile | None]:
        """Keep uploads of an open file from beginning or ending meanwhile."""
        node = self._files.node(path)
        if node is None:
            yield None
            return
        with node.lock:
            yield node

    def _remove(self, path: str, node: OpenFile | None) -> None:
        if node is not None and node.is_new:
            if node.has_uncertain_upload:
                with suppress(NotFound):
                    self._env.bucket.delete(node.key)
            return
        entry = self._tree.lookup(path)
        if entry.is_dir:
            raise IsADirectory(path)
        if node is not None:
            node.load_all()
        self._implicit_directories.ensure_survives(path)
        self._delete(entry.key)

    def _hide_open_file(self, path: str, aside: str) -> None:
        """Take the name of an open file away: it is being unlinked, or another takes its place.

        libfuse has a name of its own for it until it is closed, so that what is asked of the open
        file (fstat, fchmod) still reaches it. On the service there is nothing of that name.
        """
        renames = self._env.caller_renames()
        self._deferred_attributes.flush(path)
        if renames is False:
            with self._paused_uploads(path) as node:
                self._remove(path, node)
                self.replaced.unlinked(aside)
                self._files.hide(path, aside)
                if node is not None:
                    node.unlink()
            return
        self._write_back.flush(path)
        self.replaced.hide(path, aside, may_be_unlinked=renames is None)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory.

        Raises:
            NotEmpty
        """
        prefix = self._env.root.to_prefix(path)
        if path == "/":
            raise NotPermitted("the root of a mount cannot be removed")
        self._write_back.flush(path)
        self.replaced.flush_below(path)
        if self._files.unsaved_names(path):
            raise NotEmpty(path)
        if any(key != prefix for key in self._implicit_directories.keys_in(prefix, limit=2)):
            raise NotEmpty(path)
        self._implicit_directories.ensure_survives(path)
        old = self._tree.old_directory(path)
        self._delete(prefix)
        if old is not None:
            self._env.bucket.delete(old.key, meant=old)
        self._files.inodes.removed(path)

    def _delete(self, key: str) -> None:
        """Delete what was just looked at: sent again, after an answer was lost, nothing newer."""
        self._env.bucket.delete(key, meant=self._env.bucket.known(key, max_age=FRESH_WITHIN))

    # Renaming

    def rename(self, old: str, new: str, *, exclusive: bool = False) -> None:
        """Move a file or a directory to another path, replacing what POSIX lets it replace.

        Raises:
            AlreadyExists: `exclusive`, and something is there.
        """
        if new == old:
            return
        if is_fuse_hidden(new):
            self._hide_open_file(old, new)
            return
        number = self._files.number(old)
        self._rename_over(old, new, exclusive=exclusive)
        self._files.inodes.moved(number, old, new, self._files.node(new))

    def _rename_over(self, old: str, new: str, *, exclusive: bool) -> None:
        if exclusive:
            self.replaced.flush(new)
            self._rename(old, new, exclusive=True)
            return
        if new in self.replaced:
            source = self._tree.find(old)
            if source is not None and source.is_dir:
                self.replaced.flush(new)  # no directory is renamed over a file: it was unlinked
        with self.replaced.rename_over(new):
            self._rename(old, new)

    def _rename(self, old: str, new: str, *, exclusive: bool = False) -> None:
        self.replaced.flush_below(old)
        self.replaced.flush_below(new)
        self._write_back.flush(new)
        if self._rename_new(old, new, exclusive=exclusive):
            return
        self._write_back.flush(old)
        if self._env.bucket.capabilities.rename:
            self._write_back.flush(split(new)[0])
        # What waits to be set on the file goes along, and is not sent by itself from here on.
        with self._deferred_attributes.claim(old) as attributes:
            node = self._files.node(old)
            source, target = self._look_at_both(old, new)
            self._check_types(source, target, exclusive=exclusive)
            self._deferred_attributes.flush(new)
            if source.is_dir:
                self._deferred_attributes.flush_below(old)
                self._write_back.flush_below(old)
                self._rename_directory(source, new, target)
                return
            replaced = self._files.node(new)
            if replaced is not None:
                replaced.load_all()
            if self._env.bucket.capabilities.rename:
                self._deferred_attributes.flush(old)
                if self._native.move_file(source, new):
                    return
            self._rename_object(source, new, target, node, attributes, exclusive=exclusive)

    def _rename_directory(self, source: Entry, new: str, target: Entry | None) -> None:
        if self._env.bucket.capabilities.rename:
            self._native.move_directory(source, new, target)
            return
        if self._tree.old_directory(source.path) is not None:
            raise CrossDevice(f"{source.path}: s3fs made it long ago; mv(1) copies it")
        self._implicit_directories.ensure_survives(source.path)
        CopyingRename(self._env, self._files).run(source.path, new, replaces=target is not None)

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

        False if it is there. An upload that is under way is waited for.
        """
        node = self._files.node(old)
        if node is None or node.is_dir or not node.is_new:
            return False
        self._deferred_attributes.flush(new)
        with self._deferred_attributes.claim(old), node.lock:
            if node.info is not None:
                return False
            # What the kernel was told of the new name does: whatever has come there meanwhile is
            # met by the upload, which keeps its tags.
            target = self._tree.find(new, max_age=FRESH_WITHIN if exclusive else None)
            self._check_types(self._tree.lookup(old), target, exclusive=exclusive)
            keep = self._env.choices.keep_replaced_tags
            if target is None or target.info is None:
                left = self.left_to(new)
                node.tags = left.tags if node.tags is None and keep else node.tags
            else:
                left = self._left_by(target)
            if not keep:
                node.tags = NO_TAGS if node.tags is None else node.tags
                node.acl = NOTHING
            take_over(node, left, old, new, typed=self._is_typed(node.attributes))
            node.replaces = None if target is None else target.info
            replaced = self._files.node(new)
            if replaced is not None:
                replaced.load_all()
            node.delete_uncertain()
            node.exclusive = exclusive
            self._files.move(old, new, None)
        self._write_back.start_now(node)
        return True

    def _rename_object(
        self,
        source: Entry,
        new: str,
        target: Entry | None,
        node: OpenFile | None,
        attributes: Attributes | None,
        *,
        exclusive: bool,
    ) -> None:
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
            moved = copy_symlink(self._env.bucket, info, key, keep=keep, exclusive=exclusive)
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
        self._backup_tags.on_rename(source.path, new)

    def _take_back(self, moved: ObjectInfo, target: Entry | None, error: AccessDenied) -> None:
        """Delete a copy whose source may not be deleted, if it is still that copy."""
        if target is not None:
            log.error("%s: is replaced by what could not be deleted: %s", moved.key, error)
            return
        try:
            if self._env.bucket.head(moved.key, max_age=0).etag == moved.etag:
                self._env.bucket.delete(moved.key, meant=moved)
        except TagfsError as failure:
            log.error("%s: a copy left over from a failed rename: %s", moved.key, failure)  # noqa: TRY400  (it is told in one line)

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
        tags: TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE
        acl: Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE
        if target is not None and target.info is not None:
            left = self._left_by(target)
            if self._env.choices.keep_replaced_tags:
                tags = acl = Keep.SOURCE_OR_REPLACED
        else:
            left = self.left_to(new)
            if left.tags and not self._env.bucket.get_tags(info.key, max_age=FRESH_WITHIN):
                tags = left.tags
        typed = self._is_typed(source.attributes)
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
            metadata=metadata if attributes is not None or metadata != had.metadata else None,
            headers=headers if info.detail is not None and headers != had.headers else None,
        )

    def _is_typed(self, attributes: Attributes) -> bool:
        """Tell whether a file's Content-Type is that of its name."""
        return self._env.choices.typed_by_name and stat.S_ISREG(attributes.mode)

    def _left_by(self, target: Entry) -> Inherited:
        """Return what a file that is replaced leaves besides its tags."""
        info = target.info
        if info is None or target.is_link or not self._env.choices.keep_replaced_tags:
            return NO_HEIR
        if info.detail is None:
            with suppress(NotFound):
                info = self._env.bucket.head(info.key, expected=info.type, max_age=FRESH_WITHIN)
        return inherited_from(info)
