"""Bringing a changed file to its object, whatever happens on the way.

An answer may be lost: then an object that is at the key may be this file's own. A process may die:
then the note beside the staged file says what the file was to become, and `tagfs recover` goes on.
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

from tagfs.errors import (
    AlreadyExists,
    NotFound,
    ObjectChanged,
    StagingFull,
    Unreachable,
    Unsupported,
)
from tagfs.fs.content.journal import Journal
from tagfs.fs.content.journal_entries import FileEntry, Phase, UploadStart
from tagfs.fs.content.staged_file import Fetch, StagedFile
from tagfs.fs.content.upload_target import UploadTarget
from tagfs.fs.content.uploader import Uploader
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.inheritance import inherited_from, merged_headers, merged_metadata
from tagfs.store.objects import Keep, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet
from tagfs.store.versions import Sent, is_version, is_what_was_sent

log = logging.getLogger(__name__)


class Committer:
    """Uploads and the note of one node, whose lock is held around calls.

    Attributes:
        uploader: sends; used directly for parts that are sent while the file is being written.
    """

    def __init__(self, env: FsContext, journal: Journal, on_begin: Callable[[], None]) -> None:
        """`on_begin` is called when a multipart upload was begun: the note is to name it."""
        self.uploader = Uploader(env.bucket, env.upload_executor, env.choices.part_size, on_begin)
        self._committed = False  # fsync or close has begun, and the service has not all of it yet
        self._bucket = env.bucket
        self._journal = journal
        self._part_size = env.choices.part_size
        self._typed_by_name = env.choices.typed_by_name
        self._noted: FileEntry | None = None  # what the note says, if there is one
        self._is_current = False  # and that is what is to be said
        self._uncertain: list[tuple[NewObject, int]] = []  # what creations without answer sent

    # The object

    def upload(
        self, staged: StagedFile, to: UploadTarget, fetch: Fetch, *, again: bool = False
    ) -> ObjectInfo:
        """Make the object what the staged file is; return what it became.

        Raises:
            AlreadyExists: `to.exclusive`, and another client has made it.
            ObjectChanged: `again`, so it comes late, and another client has made or replaced it.
        """
        if again:
            self._check_unchanged(to)
        try:
            return self._finish(staged, to, fetch)
        except Unsupported:
            if not to.appendable:
                raise
            return self._finish(staged, replace(to, appendable=False), fetch)
        except AlreadyExists:
            if not to.new.exclusive or (to.exclusive and not self._made(to.key)):
                raise
        # Another client created it since it was looked up. Not asked to be exclusive, this file
        # replaces that one, and keeps its tags like every other rewrite.
        kept = replace(self._beside(to), exclusive=False, tags=to.kept)
        return self._finish(staged, replace(to, new=kept, appendable=False), fetch)

    def upload_marker(
        self, staged: StagedFile, to: UploadTarget, fetch: Fetch, *, edited: bool
    ) -> ObjectInfo:
        """Make a directory's marker; return what it became.

        One that another client has made as well stays, and gets what was set since: the tags, and
        if attributes or metadata were `edited` those.
        """
        try:
            return self.upload(staged, to, fetch)
        except AlreadyExists:
            self._bucket.forget(to.key)
        if isinstance(ours := to.kept, TagSet) and ours:
            self._bucket.update_tags(to.key, lambda theirs: TagSet({**theirs, **ours}))
        found = self._bucket.head(to.key)
        if not edited or found.detail is None:
            return found
        merged = {**found.detail.metadata, **to.new.metadata}
        return self._bucket.set_metadata(found, merged, found.detail.headers)

    def _finish(self, staged: StagedFile, to: UploadTarget, fetch: Fetch) -> ObjectInfo:
        """Upload, and remember what was sent if no answer came: it may be there."""
        try:
            return self.uploader.finish(staged, to, fetch)
        except Unreachable:
            if (to.new, staged.size) not in self._uncertain:
                self._uncertain.append((to.new, staged.size))
            raise

    def _beside(self, to: UploadTarget) -> NewObject:
        """Return what travels with a file that replaces what another client has just made."""
        try:
            left = inherited_from(self._bucket.head(to.key, max_age=0))
        except NotFound:
            return to.new
        path = "/" + to.key
        return replace(
            to.new,
            metadata=merged_metadata(to.new.metadata, left.metadata),
            headers=merged_headers(
                to.new.headers, left.headers, path, path, typed=self._typed_by_name
            ),
        )

    def _check_unchanged(self, to: UploadTarget) -> None:
        """Raise if another client has made or replaced the object: a retry comes late.

        Raises:
            ObjectChanged
        """
        before = to.base or to.replaced
        if before is not None and before.type is ObjectType.APPENDABLE:
            return  # an append says itself where it begins
        try:
            found = self._bucket.head(to.key, max_age=0)
        except NotFound:
            return
        if before is not None and is_version(found, before):
            return
        if not self._may_be_ours(found):
            raise ObjectChanged(f"{to.key}: another client has made or replaced it since")

    def has_uncertain_upload(self, key: str) -> bool:
        """Say whether an object of a new file may be there all the same."""
        return bool(self._uncertain) or self.uploader.created_key == key

    def arrived(self, key: str) -> ObjectInfo | None:
        """Return the object if an upload without an answer has replaced it; it is certain then.

        Raises:
            TagfsError: the service does not say.
        """
        if not self._uncertain:
            return None
        try:
            found = self._bucket.head(key, max_age=0)
        except NotFound:
            return None
        if not self._is_ours(found):
            return None
        self._uncertain.clear()
        return found

    def delete_uncertain(self, key: str) -> None:
        """Take away what an attempt without an answer may have made: the file has another name."""
        if self.has_uncertain_upload(key):
            with contextlib.suppress(NotFound):
                found = self._bucket.head(key, max_age=0)
                if self._is_ours(found):
                    self._bucket.delete(key, meant=found)
            self._uncertain.clear()
            self.uploader.created_key = ""

    def _made(self, key: str) -> bool:
        """Say whether what is at a key was made by an attempt of this file without an answer."""
        return self.has_uncertain_upload(key) and self._is_ours(self._bucket.head(key, max_age=0))

    def _is_ours(self, found: ObjectInfo) -> bool:
        """Say whether what was found was made by an attempt of this file without an answer.

        Its metadata tells: nobody else wrote at the same nanosecond.
        """
        if self.uploader.created_key == found.key:
            return True
        return any(
            is_what_was_sent(found, Sent(size=size, metadata=new.metadata))
            for new, size in self._uncertain
            if "mtime" in new.metadata
        )

    def _may_be_ours(self, found: ObjectInfo) -> bool:
        """Say the same, and of objects without times that are of the right size."""
        timeless = {size for new, size in self._uncertain if "mtime" not in new.metadata}
        return found.size in timeless or self._is_ours(found)

    # The note

    def journal_commit(self, staged: StagedFile, to: UploadTarget) -> None:
        """Note that the file is owed to a program: from here on a crash loses none of it.

        Raises:
            StagingFull: the disk has no room for the note.
        """
        if not (self._committed and self._is_current):
            self._committed = True
            self.record(staged, to)

    def rewrite_entry(self, staged: StagedFile, to: UploadTarget, *, unlinked: bool) -> None:
        """Write the note anew, if there is one: of another name, other tags, or no name at all.

        Raises:
            StagingFull: a crash would bring back what was promised as it was before.
        """
        if self._noted is None:
            return
        try:
            self.record(staged, to, unlinked=unlinked)
        except StagingFull as error:
            if unlinked:  # without its note nothing of it comes back
                self._forget_note(staged)
                staged.settle()
            elif self._committed:
                raise
            else:
                log.warning("%s: its note is out of date: %s", to.key, error)
                self._is_current = False

    def _sent(self) -> UploadStart | None:
        """Return what an object carries that may be there, or come of what was begun."""
        if self.uploader.upload is not None:
            return UploadStart.of(self.uploader.upload)
        if self.uploader.created_key:
            return UploadStart.by(self.uploader.begun, self._most_tags)
        return UploadStart.by(self._uncertain[-1][0], self._most_tags) if self._uncertain else None

    @property
    def _most_tags(self) -> int:
        return self._bucket.object_tag_rules.max_tags

    def note_kept_tags(self, tags: TagSet) -> None:
        """Note which tags those are that an upload without an answer was to keep."""
        self._uncertain = [
            (new if isinstance(new.tags, TagSet) else replace(new, tags=tags), size)
            for new, size in self._uncertain
        ]

    def mark_stale(self) -> None:
        """Note that the content is other than the note says."""
        self._is_current = False

    def finish(self, staged: StagedFile) -> None:
        """The service has it all, or nobody wants it: the note goes."""
        self._committed = False
        self._uncertain.clear()
        self.uploader.created_key = ""
        self._forget_note(staged)

    def _forget_note(self, staged: StagedFile) -> None:
        if self._noted is not None:
            self._journal.remove(staged)
            self._noted, self._is_current = None, False

    def record(self, staged: StagedFile, to: UploadTarget, *, unlinked: bool = False) -> None:
        """Write down what the staged file is for; not of a copy, of which nothing is here.

        Raises:
            StagingFull
        """
        if staged.origin is not None:
            return
        phase = Phase.COMMITTING if self._committed else Phase.OPEN
        upload = self.uploader.upload
        before = to.base or to.replaced
        tags = to.new.all_tags(self._most_tags)
        entry = FileEntry(
            key=to.key,
            metadata=dict(to.new.metadata),
            headers=dict(to.new.headers),
            tags=None if tags is None else dict(tags),
            defaults=dict(to.new.defaults) if tags is None else {},
            acl=None if isinstance(to.new.acl, Keep) else dict(to.new.acl),
            annotations_of=list(to.new.annotations_of),
            exclusive=to.exclusive,
            base_etag=before.etag if before else None,
            base_size=staged.base_size,
            size=staged.size,
            written=list(staged.written),
            upload_id=upload.upload_id if upload else None,
            begun=self._sent(),
            part_size=self._part_size,
            phase=Phase.UNLINKED if unlinked else phase,
        )
        if entry != self._noted or not self._is_current:  # other content is to be synced as well
            self._journal.write(staged, entry)
        self._noted, self._is_current = entry, True
