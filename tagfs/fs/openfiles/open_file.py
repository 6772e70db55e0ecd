"""One open file: what it is on the service, what was changed of it here, and how that gets there.

All handles of a path share its node. A node without a staged file is only read; each handle then
reads the version that it met. The first change stages the file, and from then on every handle
sees the staged content, until the last one is closed.
"""

import contextlib
import logging
import stat
import threading
from collections.abc import Callable
from dataclasses import replace

from tagfs.errors import (
    AlreadyExists,
    FileTooLarge,
    NotFound,
    ObjectChanged,
    TagfsError,
    Unsupported,
)
from tagfs.fs.content.journal import Journal
from tagfs.fs.content.reader import Reader
from tagfs.fs.content.staged_file import StagedFile
from tagfs.fs.content.upload_target import UploadTarget
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.inheritance import merged_metadata
from tagfs.fs.mapping.posix_metadata import Attributes, parse_attributes
from tagfs.fs.openfiles.commit import Committer
from tagfs.fs.openfiles.object_draft import ObjectDraft, is_named_by
from tagfs.store.objects import Content, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.versions import check_same_size, is_version

log = logging.getLogger(__name__)


class Handle:
    """One open(2) of a node; `holds` if it is nobody's, and keeps the node until its upload."""

    __slots__ = ("append", "fh", "node", "pinned", "reader", "writable")

    def __init__(self, fh: int, node: "OpenFile", *, writable: bool, append: bool = False) -> None:
        self.fh = fh
        self.node = node
        self.writable = writable
        self.append = append
        self.pinned = False
        self.reader: Reader | None = None


class OpenFile:
    """The state that all handles of one open file share.

    Attributes:
        path: where it is now; changes with a rename.
        ino: its inode number, which stays while it is open.
        key: its object.
        info: the version on the service that it derives from; None before the first upload.
        draft: what its object is to carry; authoritative while `staged` is there.
        unlinked: it has no name any more, and nothing of it is to be uploaded.
        dirty: content or attributes differ from the service's.
        put_off: a close did not upload it, because its program had it open once more.
        failed: the last upload failed, and whoever closed the file was told so.
    """

    def __init__(
        self,
        env: FsContext,
        journal: Journal,
        path: str,
        info: ObjectInfo | None,
        *,
        key: str | None = None,
    ) -> None:
        """`key` if it is not the path's: of a directory its marker's."""
        self.env = env
        self.journal = journal
        self.path = path
        self.ino = 0
        self.key = env.root.to_key(path) if key is None else key
        self.lock = threading.RLock()
        self.info = info
        self.draft = ObjectDraft(attributes=env.default_file())
        self.unlinked = False
        self.dirty = False
        self.flush_deferred = False
        self.failed = False
        self.staged: StagedFile | None = None
        self.handles: set[Handle] = set()
        self._metadata_dirty = False  # attributes or metadata were set that the service has not
        self._attributes_after_append: Attributes | None = (
            None  # to be set after an append, which carries none
        )
        self._committer = Committer(env, journal, self._upload_begun)
        if info is not None:
            self._adopt(info)

    @property
    def attributes(self) -> Attributes:
        """What stat shows besides its size."""
        return self.draft.attributes

    @property
    def size(self) -> int:
        """Bytes, as programs see them now."""
        if self.staged is not None:
            return self.staged.size
        return self.info.size if self.info else 0

    @property
    def is_new(self) -> bool:
        """Whether nothing of it is on the service yet."""
        return self.info is None

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory that was made here: its marker is still to be written."""
        return stat.S_ISDIR(self.attributes.mode)

    @property
    def has_uncertain_upload(self) -> bool:
        """Whether an object of it may be there all the same: a creation got no answer."""
        return self._committer.has_uncertain_upload(self.key)

    def delete_uncertain(self) -> None:
        """Take away what an upload without an answer may have made, before it is renamed."""
        self._committer.delete_uncertain(self.key)

    @property
    def is_uploading(self) -> bool:
        """Whether a multipart upload of it has begun."""
        return self._committer.uploader.upload is not None

    @property
    def _is_to_append(self) -> bool:
        """Whether it is to become an appendable object: new, and of a name chosen for that."""
        if not self.is_new or self.is_dir or not self.env.bucket.capabilities.append:
            return False
        return is_named_by(self.env.choices.append_objects, self.path)

    def has_writer_besides(self, handle: Handle) -> bool:
        """Say whether another handle is open whose close will upload what changes."""
        return any(other.writable for other in list(self.handles) if other is not handle)

    # Content

    def create(self, draft: ObjectDraft) -> None:
        """Begin as a new empty file, to be uploaded when it is closed."""
        self.draft = draft
        self.staged = self.env.staging.new_file()
        self.dirty = True

    def read(self, handle: Handle, offset: int, length: int) -> bytes | memoryview:
        """Return up to `length` bytes from `offset`."""
        staged = self.staged
        if staged is None:
            reader = handle.reader or self._open_reader(handle)
            return reader.read(offset, length)
        if self.is_new:  # all of it is here: no upload needs to be waited for
            return staged.read(offset, length, self._fetch)
        with self.lock:
            return staged.read(offset, length, self._fetch)

    def open_reader(self, handle: Handle, ahead: Content | None = None) -> None:
        """Make a handle see what the service has now; the first range comes with the answer.

        Only of an empty object nothing can be read, so a recent answer does. `ahead` is content
        that was asked for a moment ago, before anybody opened the file.
        """
        if self.staged is None:
            reader = self._open_reader(handle)
            if ahead is not None:
                self._refresh(reader.start_with(ahead))
                return
            recent = self.env.bucket.known(self.key, max_age=FRESH_WITHIN)
            if recent is None or recent.size:
                self._refresh(reader.open())

    def write(self, offset: int, data: bytes | memoryview, *, append: bool = False) -> int:
        """Put `data` at `offset`, or at the end if it is appended."""
        with self.lock:
            staged = self._stage()
            if append:
                offset = staged.size
            self._check_size(offset + len(data))
            before = staged.size
            staged.write(offset, data)
            self._touched(min(before, offset), offset + len(data))
            # What is at the key after a creation without an answer is seen to by the next flush.
            streams = not (self.unlinked or self._is_to_append or self.has_uncertain_upload)
            if streams and self._committer.uploader.is_due(staged):
                self._committer.uploader.send_complete_parts(staged, self._target())
            return len(data)

    def truncate(self, size: int) -> None:
        """Make the file `size` bytes long."""
        with self.lock:
            self._check_size(size)
            staged = self._stage()
            before = staged.size
            staged.truncate(size)
            self._touched(min(before, size), max(before, size))

    def journal_commit(self) -> None:
        """Note that what was changed is owed to a program: from here on a crash loses none of it.

        Raises:
            StagingFull: the disk has no room for the note.
        """
        with self.lock:
            if self.dirty and not self.unlinked and self.staged is not None:
                self._committer.journal_commit(self.staged, self._target())

    def flush(self, *, again: bool = False) -> None:
        """Upload what was changed; the service has accepted it when this returns.

        `again`: its failure was told before. What somebody else made meanwhile is not replaced.

        Raises:
            TagfsError: it has not; the object is as it was, and the staged file stays on disk.
        """
        with self.lock:
            if self.unlinked or self.staged is None:
                return
            if self.dirty:
                self._send(self.staged, again=again)
            late = self._attributes_after_append
            if late is not None and self.info is not None:
                self._edit_object(self.info, lambda draft: replace(draft, attributes=late))
                self._attributes_after_append = None

    def _send(self, staged: StagedFile, *, again: bool) -> None:
        to = self._target()
        self._committer.journal_commit(staged, to)
        try:
            info = self._deliver(staged, to, again=again)
        except TagfsError as error:
            self.failed = True
            self.journal.sync(staged)
            log.log(
                logging.ERROR if not again or isinstance(error, ObjectChanged) else logging.DEBUG,
                "%s: not uploaded (%s); what was written is kept in %s: see `tagfs recover`",
                self.path,
                error,
                staged.path,
                extra={"each": True},  # however many there are: each names what is kept where
            )
            raise
        edited, attributes = self._metadata_dirty, self.attributes
        self._uploaded(staged, info)
        if edited and info.type is ObjectType.APPENDABLE:
            self._attributes_after_append = attributes  # it was extended by bytes alone
            self.draft = replace(self.draft, attributes=attributes)

    def _deliver(self, staged: StagedFile, to: UploadTarget, *, again: bool) -> ObjectInfo:
        bucket = self.env.bucket
        try:
            return self._committer.upload(staged, to, self._fetch, again=again and not self.is_dir)
        except AlreadyExists:
            if not self.is_dir:
                raise
        # Somebody else has made this directory as well. Theirs stays, and gets what was set since.
        bucket.forget(self.key)
        if ours := self.draft.tags:
            bucket.update_tags(self.key, lambda theirs: TagSet({**theirs, **ours}))
        found = bucket.head(self.key)
        if not self._metadata_dirty or found.detail is None:
            return found
        merged = {**found.detail.metadata, **self._metadata_of(self.draft)}
        return bucket.set_metadata(found, merged, found.detail.headers)

    def revert(self, handle: Handle) -> None:
        """Be what the service has again: whoever changed the file by `handle` was told of failure.

        Not if anything else may have been changed meanwhile.
        """
        with self.lock:
            if self.staged is None or self.info is None or self.has_writer_besides(handle):
                return
            self._committer.uploader.abandon()
            staged, self.staged = self.staged, None
            self._committer.finish(staged)
            staged.discard()
            self.dirty = self.failed = self._metadata_dirty = False
            self._adopt(self.info)

    def load_all(self) -> None:
        """Make all bytes local, because the object is about to be deleted or replaced."""
        with self.lock:
            if self.info is None or all(handle.pinned for handle in self.handles):
                return
            staged = self._stage()
            staged.fill(0, staged.size, self._fetch)

    def discard(self) -> None:
        """Give back everything that is local; called when the last handle is gone."""
        with self.lock:
            for handle in list(self.handles):
                if handle.reader is not None:
                    handle.reader.close()
            staged, self.staged = self.staged, None
            if staged is None:
                return
            if self.dirty and not self.unlinked:
                self.journal.sync(staged)
                staged.close()  # kept on disk: an upload failed, and `tagfs recover` finishes it
                return
            if self.dirty:
                self._committer.uploader.abandon()
            self._committer.finish(staged)
            staged.discard()

    # Attributes and tags

    def set_attributes(self, change: Callable[[Attributes], Attributes], *, times: bool) -> None:
        """Change mode, owner or times: with the next upload if one is due, else at once."""

        def changed(draft: ObjectDraft) -> ObjectDraft:
            times_set = times or draft.times_set
            return replace(draft, attributes=change(draft.attributes), times_set=times_set)

        self._revise(changed)

    def show_attributes(self, attributes: Attributes) -> None:
        """Show attributes that somebody else sets on the service."""
        with self.lock:
            self.draft = replace(self.draft, attributes=attributes)

    def set_metadata(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Change the user metadata that is shown as `user.meta.*`."""
        self._revise(lambda draft: replace(draft, metadata=change(dict(draft.metadata))))

    def new_tags(self) -> TagSet | None:
        """Return the tags that a new file will be created with; None if it was created already."""
        tags, replaced = self.draft.tags, self.draft.replaces
        if not self.is_new:  # asked last, for an upload that ends clears the tags after that
            return None
        if tags is None and replaced is not None:
            with contextlib.suppress(NotFound, Unsupported):
                return self.env.bucket.get_tags(self.key, max_age=FRESH_WITHIN)
        return tags or NO_TAGS

    def set_tags(self, change: Callable[[TagSet], TagSet]) -> bool:
        """Change the tags that a new file will be created with; False if it was created already."""
        with self.lock:
            present = self.new_tags()
            if present is None:
                return False
            self.draft = replace(self.draft, tags=change(present))
            self._record_anew()
            return True

    def moved(self, path: str, info: ObjectInfo | None, before: ObjectInfo | None = None) -> None:
        """Go on under another path; `info` is what its object became, if it has one.

        `before` is the version that was moved. Whoever has another one, which was replaced before
        the move, is to find out that it is gone.
        """
        with self.lock:
            self.path = path
            to_key = self.env.root.to_prefix if self.is_dir else self.env.root.to_key
            self.key = to_key(path)
            if info is not None:
                old = self.info
                other = old is not None and before is not None and not is_version(old, before)
                self.info = replace(old, key=self.key) if old is not None and other else info
                if info.detail is not None:  # it may have got what another file left it
                    merged = merged_metadata(self.draft.metadata, info.detail.metadata)
                    headers = dict(info.detail.headers)
                    self.draft = replace(self.draft, headers=headers, metadata=merged)
            for handle in list(self.handles):
                if handle.reader is not None:
                    handle.reader.rebind(self.key, before, info)
            self._record_anew()

    def unlink(self) -> None:
        """Go on without a name: nothing of it is to be uploaded any more."""
        with self.lock:
            self.unlinked = True
            self._record_anew()
            self.info = None
            self.draft = replace(self.draft, tags=None)

    def refresh(self, info: ObjectInfo) -> None:
        """Take over a newer version from the service, if nothing was changed here."""
        with self.lock:
            self._refresh(info)

    def on_metadata_written(self, before: ObjectInfo, after: ObjectInfo) -> None:
        """Take over what an edit of metadata made of a version; its readers read on.

        Readers of any other version are to find out that theirs is gone.
        """
        with self.lock:
            self._refresh(after)
            for handle in list(self.handles):
                if handle.reader is not None:
                    handle.reader.rebind(self.key, before, after)

    def _refresh(self, info: ObjectInfo) -> None:
        if self.staged is None and not self.unlinked:
            self.info = info
            if info.detail is not None:
                self._adopt(info)

    # Inside

    def _adopt(self, info: ObjectInfo) -> None:
        self.draft = self.draft.adopting(info, self.env.default_file())

    def _open_reader(self, handle: Handle) -> Reader:
        handle.reader = Reader(
            self.env.bucket,
            self.key,
            self.env.executor,
            self.env.budget,
            size_hint=self.info.size if self.info else None,
        )
        if handle.writable:
            # What is read here may be written back: it must be the version that the kernel knows
            # the size of, and that changes are made to, whole or not at all.
            handle.reader.info = self.info
        return handle.reader

    def _stage(self) -> StagedFile:
        if self.staged is None:
            staged = self.env.staging.new_file()
            if self.info is not None:
                if self.info.detail is None:
                    self.info = self.env.bucket.head(self.key, expected=self.info.type)
                    self._adopt(self.info)
                staged.set_base(self.info.size)
            self.staged = staged
        return self.staged

    def _fetch(self, offset: int, length: int) -> bytes:
        if self.info is None:
            raise NotFound(f"{self.key}: not on the service yet")
        content = self.env.bucket.get(self.key, offset, length, if_match=self.info.etag)
        check_same_size(self.info, content.info)
        return content.data

    def _check_size(self, size: int) -> None:
        limit = self.env.bucket.limits.max_object
        if size > limit:
            raise FileTooLarge(f"{self.path}: one object holds at most {limit} bytes")

    def _touched(self, start: int, end: int) -> None:
        self._committer.uploader.invalidate(start, end)
        self._committer.mark_stale()
        self.draft = self.draft.written(self.env.clock_ns(), is_new=self.is_new)
        self.dirty = True

    def _target(self) -> UploadTarget:
        return self.draft.to_target(
            self.key,
            self.info,
            self.size,
            stored=self.env.choices.stored,
            appendable=self._is_to_append,
        )

    def _metadata_of(self, draft: ObjectDraft) -> dict[str, str]:
        return draft.all_metadata(
            self.info,
            self.size,
            stored=self.env.choices.stored,
            appendable=self._is_to_append,
        )

    def _uploaded(self, staged: StagedFile, info: ObjectInfo) -> None:
        self.info = info
        self.draft = self.draft.uploaded()
        self.dirty = self.failed = self._metadata_dirty = False
        staged.mark_committed()
        self._committer.finish(staged)
        if self.env.choices.stored and info.detail is not None:
            attributes = parse_attributes(info, self.env.default_file())
            self.draft = replace(self.draft, attributes=attributes)

    def _revise(self, change: Callable[[ObjectDraft], ObjectDraft]) -> None:
        """Change what the object carries: with the next upload if one is due, else at once."""
        with self.lock:
            if not self.dirty and self.info is not None and not self.unlinked:
                self._edit_object(self.info, change)
                self._attributes_after_append = None
            else:
                self.draft = change(self.draft)
                self._metadata_dirty = True
            self._record_anew()

    def _edit_object(self, info: ObjectInfo, change: Callable[[ObjectDraft], ObjectDraft]) -> None:
        """Let the object carry what `change` makes of what it has; or nothing has changed."""
        if info.detail is None:
            info = self.env.bucket.head(self.key, expected=info.type, max_age=FRESH_WITHIN)
            self.info = info
            self._adopt(info)
        draft = change(self.draft)
        self.info = self.env.bucket.set_metadata(info, self._metadata_of(draft), draft.headers)
        self.draft = draft

    def _record_anew(self) -> None:
        """Correct a note that is there: the file has another name, or other tags or attributes."""
        if self.staged is not None:
            self._committer.rewrite_entry(self.staged, self._target(), unlinked=self.unlinked)

    def _upload_begun(self) -> None:
        """Write down which multipart upload parts are sent to."""
        if self.staged is not None:
            self._committer.record(self.staged, self._target())
