"""One open file as an object: how it stands to the service, and what it carries there."""

import logging
import stat
import threading
from dataclasses import replace

from tagfs.errors import StagingFull
from tagfs.fs.content.journal import Journal
from tagfs.fs.content.reader import Reader
from tagfs.fs.content.staged_file import StagedFile
from tagfs.fs.content.upload_target import UploadTarget
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.openfiles.commit import Committer
from tagfs.fs.openfiles.file_state import (
    UNSENT,
    Clean,
    Failed,
    FileState,
    Unlinked,
    unlinked,
)
from tagfs.fs.openfiles.object_draft import ObjectDraft, is_named_by
from tagfs.store.objects import ObjectInfo
from tagfs.store.versions import is_version

log = logging.getLogger(__name__)


class OpenObject:
    """What is known of an open file's object; `OpenFile` adds its content.

    Attributes:
        path: where it is now; changes with a rename.
        ino: its inode number, which stays while it is open.
        key: its object.
        info: the version on the service that it derives from; None before the first upload.
        draft: what its object is to carry; authoritative while `staged` is there.
        state: how it stands to its object.
        flush_deferred: a close did not upload it, because its program had it open once more; set
            by who must not wait for the lock.
        is_finished: a program has closed or synchronised it.
        is_mknod: it was released without: libfuse makes a plain file so for mknod(2).
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
        self.state: FileState = Clean()
        self.flush_deferred = False
        self.is_finished = False
        self.is_mknod = False
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
        staged = self.state.staged
        if staged is not None:
            return staged.size
        return self.info.size if self.info else 0

    @property
    def staged(self) -> StagedFile | None:
        """The local copy, once anything was changed: its truth is here."""
        return self.state.staged

    @property
    def dirty(self) -> bool:
        """Whether something of it is still to be uploaded."""
        return isinstance(self.state, UNSENT)

    @property
    def failed(self) -> bool:
        """Whether its last upload failed, which close(2) has reported."""
        return isinstance(self.state, Failed)

    @property
    def unlinked(self) -> bool:
        """Whether it has no name any more."""
        return isinstance(self.state, Unlinked)

    @property
    def is_new(self) -> bool:
        """Whether nothing of it is on the service: it was made here, or has lost its name.

        Of a file that is just being opened nothing may be known, but something is there.
        """
        return self.info is None and not isinstance(self.state, Clean)

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory that was made here: its marker is still to be written."""
        return stat.S_ISDIR(self.attributes.mode)

    @property
    def has_uncertain_upload(self) -> bool:
        """Whether an object of it may be there all the same: a creation got no answer."""
        return self._committer.has_uncertain_upload(self.key)

    @property
    def may_have_object(self) -> bool:
        """Whether an object may be at its key: its own, or one that it was renamed over."""
        return not self.is_new or self.has_uncertain_upload or self.draft.replaces is not None

    def find_uncertain(self) -> None:
        """Go on from what an upload without an answer has made, if it replaced the object.

        Every byte that is not here is there at the same place, for it was sent or copied.

        Raises:
            TagfsError: the service does not say.
        """
        with self.lock:
            if self.info is not None and (arrived := self._committer.arrived(self.key)):
                self.info = arrived

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
        return self._is_to_append_at(self.path)

    def _is_to_append_at(self, path: str) -> bool:
        pattern = self.env.choices.append_objects
        if not pattern or not self.is_new or self.is_dir:
            return False
        return self.env.bucket.capabilities.append and is_named_by(pattern, path)

    def readers(self) -> list[Reader]:
        """Return what reads the object at its key now."""
        return []

    # What becomes of it

    def show_attributes(self, attributes: Attributes) -> None:
        """Show attributes that another client sets on the service."""
        with self.lock:
            self.draft = replace(self.draft, attributes=attributes)

    def moved(self, path: str, info: ObjectInfo | None, before: ObjectInfo | None = None) -> None:
        """Go on under another path; `info` is what its object became, if it has one.

        `before` is the version that was moved. A handle of another one, which was replaced before
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
                self.draft = self.draft.moved(info)
            for reader in self.readers():
                reader.rebind(self.key, before, info)
            try:
                self._record_anew()
            except StagingFull as error:  # who needs that to be sure has asked `note_move` before
                log.warning("%s: its note is out of date: %s", self.key, error)

    def unlink(self) -> None:
        """Go on without a name: nothing of it is to be uploaded any more."""
        with self.lock:
            self.state = unlinked(self.state)
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
            for reader in self.readers():
                reader.rebind(self.key, before, after)

    def _refresh(self, info: ObjectInfo) -> None:
        if self.staged is None and not self.unlinked:
            self.info = info
            self._adopt(info)

    def _adopt(self, info: ObjectInfo) -> None:
        self.draft = self.draft.adopting(info, self.env.default_file())

    # Inside

    def _target(self) -> UploadTarget:
        return self._target_at(self.path, self.key, self.draft)

    def _target_at(self, path: str, key: str, draft: ObjectDraft) -> UploadTarget:
        return draft.to_target(
            key,
            self.info,
            self.size,
            stored=self.env.choices.stored,
            appendable=self._is_to_append_at(path),
        )

    def _record_anew(self) -> None:
        """Correct a note that is there: the file has another name, or other tags or attributes.

        Raises:
            StagingFull: it says what was before, and that was promised.
        """
        if self.staged is not None:
            self._committer.rewrite_entry(self.staged, self._target(), unlinked=self.unlinked)

    def _upload_begun(self) -> None:
        """Write down which multipart upload parts are sent to."""
        if self.staged is not None:
            self._committer.record(self.staged, self._target())
