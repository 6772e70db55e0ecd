"""One open file: what it is on the service, what was changed of it here, and how that gets there.

All handles of a path share its node. A node without a staged file is only read; each handle then
reads the version that it met. The first change stages the file, and from then on every handle
sees the staged content, until the last one is closed.
"""

import logging
from dataclasses import replace
from typing import assert_never

from tagfs.errors import ObjectChanged, TagfsError
from tagfs.fs.content.journal import Journal
from tagfs.fs.content.reader import Reader
from tagfs.fs.content.staged_file import StagedFile
from tagfs.fs.content.upload_target import UploadTarget
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.posix_metadata import Attributes, parse_attributes
from tagfs.fs.openfiles.file_state import (
    UNSENT,
    Clean,
    Closed,
    Committing,
    Dirty,
    Failed,
    Unlinked,
    closed,
    committed,
    failed,
    sending,
)
from tagfs.fs.openfiles.object_draft import ObjectDraft
from tagfs.fs.openfiles.open_content import OpenContent
from tagfs.store.objects import Content, ObjectInfo, ObjectType

log = logging.getLogger(__name__)


class Handle:
    """One open(2) of a node; `pinned` if it is nobody's, and keeps the node until its upload."""

    __slots__ = ("append", "fh", "node", "pinned", "reader", "writable")

    def __init__(self, fh: int, node: "OpenFile", *, writable: bool, append: bool = False) -> None:
        self.fh = fh
        self.node = node
        self.writable = writable
        self.append = append
        self.pinned = False
        self.reader: Reader | None = None


class OpenFile(OpenContent):
    """The state that all handles of one open file share: its object, and its content."""

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
        super().__init__(env, journal, path, info, key=key)
        self.handles: set[Handle] = set()

    def readers(self) -> list[Reader]:
        """Return what reads the object for its handles."""
        return [handle.reader for handle in list(self.handles) if handle.reader is not None]

    def has_writer_besides(self, handle: Handle) -> bool:
        """Say whether another handle is open whose close will upload what changes."""
        return any(other.writable for other in list(self.handles) if other is not handle)

    def create(self, draft: ObjectDraft) -> None:
        """Begin as a new empty file, to be uploaded when it is closed."""
        self.draft = draft
        self.state = Dirty(self.env.staging.new_file())

    def read(self, handle: Handle, offset: int, length: int) -> bytes | memoryview:
        """Return up to `length` bytes from `offset`."""
        staged = self.staged
        if staged is None:
            reader = handle.reader or self._open_reader(handle)
            return reader.read(offset, length)
        if self.is_new and staged.origin is None:  # all is here: no upload needs to be waited for
            return staged.read(offset, length, self._fetch)
        with self.lock:
            if staged.missing(offset, offset + length):
                self.find_uncertain()
            return staged.read(offset, length, self._fetch)

    def open_reader(
        self, handle: Handle, ahead: Content | None = None, *, looks: bool = False
    ) -> None:
        """Make a handle see what the service has now; the first range comes with the answer.

        Of an empty object nothing can be read, so a recent answer does. `ahead` is content that
        was asked for a moment ago; who `looks` may not read at all.
        """
        if self.staged is None:
            reader = self._open_reader(handle)
            recent = self.env.bucket.known(self.key, max_age=FRESH_WITHIN)
            if ahead is not None:
                self._refresh(reader.start_with(ahead))
            elif looks or recent is None or recent.size:
                self._refresh(reader.look() if looks else reader.open())

    def write(self, offset: int, data: bytes | memoryview, *, append: bool = False) -> int:
        """Put `data` at `offset`, or at the end if it is appended; return how many bytes fit."""
        with self.lock:
            staged = self._own()
            if append:
                offset = staged.size
            self._check_size(offset + len(data))
            before = staged.size
            done = staged.write(offset, data)
            self._touched(min(before, offset), offset + done)
            # What is at the key after a creation without an answer is seen to by the next flush.
            streams = not (self.unlinked or self._is_to_append or self.has_uncertain_upload)
            if streams and self._committer.uploader.is_due(staged):
                self._committer.uploader.send_complete_parts(staged, self._target())
            return done

    def truncate(self, size: int) -> None:
        """Make the file `size` bytes long."""
        with self.lock:
            self._check_size(size)
            staged = self._own()
            before = staged.size
            staged.truncate(size)
            self._touched(min(before, size), max(before, size))

    def journal_commit(self) -> None:
        """Note that what was changed is owed to a program: from here on a crash loses none of it.

        Raises:
            StagingFull: the disk has no room for the note.
        """
        with self.lock:
            if isinstance(self.state, UNSENT):
                self._committer.journal_commit(self.state.staged, self._target())

    def flush(self, *, again: bool = False) -> None:
        """Upload what was changed; the service has accepted it when this returns.

        `again`: its failure was reported. What another client made meanwhile is not replaced.

        Raises:
            TagfsError: it has not; the object is as it was, and the staged file stays on disk.
        """
        with self.lock:
            match self.state:
                case Dirty() | Failed() as unsent:
                    self._send(unsent, again=again)
                case Clean() | Committing() | Unlinked() | Closed():
                    pass
                case _:
                    assert_never(self.state)
            self._set_what_is_due()

    def _set_what_is_due(self) -> None:
        match self.state:
            case Clean(staged, Attributes() as late) if self.info is not None:
                self._edit_object(self.info, lambda draft: replace(draft, attributes=late))
                self.state = Clean(staged)

    def _send(self, unsent: Dirty | Failed, *, again: bool) -> None:
        self.find_uncertain()
        to, staged = self._target(), unsent.staged
        self._committer.journal_commit(staged, to)
        self.state = under_way = sending(unsent)
        try:
            self.judge_tags()
            if self.is_dir:
                info = self._committer.upload_marker(staged, to, self._fetch, edited=unsent.edited)
            else:
                info = self._committer.upload(staged, to, self._fetch, again=again)
        except TagfsError as error:
            self.state = failed(under_way, error)
            self.journal.sync(staged)
            log.log(
                logging.ERROR if not again or isinstance(error, ObjectChanged) else logging.DEBUG,
                "%s: not uploaded (%s); %s",
                self.path,
                error,
                self._whereabouts(staged),
                extra={"each": True},  # however many there are: each names what is kept where
            )
            raise
        except BaseException:
            self.state = unsent
            raise
        self._uploaded(under_way, to, info)

    def revert(self, handle: Handle) -> None:
        """Be what the service has again: the change by `handle` was reported as failed.

        Not if anything else may have been changed meanwhile.
        """
        with self.lock:
            staged = self.state.staged
            if staged is None or self.info is None or self.has_writer_besides(handle):
                return
            self.state = Clean()
            self._drop(staged)
            self._adopt(self.info)

    def load_all(self) -> None:
        """Make all bytes local, because the object is about to be deleted or replaced."""
        with self.lock:
            if self.info is None or all(handle.pinned for handle in self.handles):
                return
            staged = self._stage()
            self.find_uncertain()
            staged.fill(0, staged.size, self._fetch)

    def discard(self) -> None:
        """Give back everything that is local; called when the last handle is gone."""
        with self.lock:
            for reader in self.readers():
                reader.close()
            before, self.state = self.state, closed(self.state)
            match before:
                case Dirty(staged) | Committing(staged) | Failed(staged) if staged.origin is None:
                    self.journal.sync(staged)
                    staged.close()  # kept on disk: an upload failed; `tagfs recover` finishes it
                case Clean(StagedFile() as staged) | Unlinked(StagedFile() as staged):
                    self._drop(staged)
                case Dirty(staged) | Committing(staged) | Failed(staged):
                    self._drop(staged)  # a copy that was not made: nothing of it is here
                case Clean() | Unlinked() | Closed():
                    pass
                case _:
                    assert_never(before)

    @staticmethod
    def _whereabouts(staged: StagedFile) -> str:
        if staged.origin is not None:
            return f"it is a copy of {staged.origin.key}"
        return f"what was written is kept in {staged.path}: see `tagfs recover`"

    def _drop(self, staged: StagedFile) -> None:
        self._committer.uploader.abandon()
        self._committer.finish(staged)
        staged.discard()

    def _open_reader(self, handle: Handle) -> Reader:
        handle.reader = Reader(
            self.env.reads,
            self.key,
            self.env.executor,
            self.env.budget,
            expected=self.info,
            cache=self.env.content,
        )
        if handle.writable:
            # What is read here may be written back: it must be the version that the kernel knows
            # the size of, and that changes are made to, whole or not at all.
            handle.reader.info = self.info
        return handle.reader

    def _uploaded(self, state: Committing, to: UploadTarget, info: ObjectInfo) -> None:
        attributes = shown = self.draft.attributes
        # What was extended by its new bytes alone has got nothing else.
        bare = to.base is not None and info.type is ObjectType.APPENDABLE and state.edited
        if not bare and self.env.choices.stored and info.detail is not None:
            shown = parse_attributes(info, self.env.default_file())
        self.info = info
        self.draft = self.draft.uploaded(shown)
        self.state = committed(state, attributes if bare else None)
        state.staged.mark_committed()
        self._committer.finish(state.staged)
