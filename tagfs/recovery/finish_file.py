"""Finishing one staged file: deciding whether it still may become its object, and making it so.

It may if the object is still the version that the file derives from, or still absent. If the
object is what the file was to become, the crash came after the upload. Anything else is another
client's object: it is not touched, unless the user insists.
"""

from tagfs.errors import AlreadyExists, NotFound, ObjectChanged, PositionMismatch
from tagfs.fs.content.journal_entries import FileEntry
from tagfs.fs.mapping.paths import Root
from tagfs.recovery.abandoned_file import BLOCK, StagedContent
from tagfs.recovery.resume_upload import UploadResumer
from tagfs.store.bucket import Bucket
from tagfs.store.objects import Keep, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet
from tagfs.store.versions import Sent, is_what_was_sent, lower_names


class Conflict(Exception):
    """What is at the key now is neither what it was nor what it was to become."""


class FileFinisher:
    """Finishes staged files of one mount."""

    def __init__(self, bucket: Bucket, root: Root, sender: UploadResumer, *, force: bool) -> None:
        self._bucket = bucket
        self._root = root
        self._sender = sender
        self._force = force

    def finish(self, saved: StagedContent) -> bool:
        """Make the object what the staged file is; say whether that took an upload.

        Raises:
            Conflict: nothing was changed.
            TagfsError: the service failed; nothing is lost, and it may be tried again.
        """
        entry = saved.entry
        if self._root.to_path(entry.key) is None:
            raise Conflict(f"it is not below the mounted prefix {self._root.prefix!r}")
        current = self._current(entry.key)
        done = False
        if current is None and entry.base_etag is None:
            self._upload(saved, None, exclusive=True)
        elif current is not None and _is_base(current, entry):
            self._upload(saved, current, exclusive=False)
        elif current is not None and self._is_done(current, saved):
            done = True
        else:
            self._check_forced(current, saved)
            self._upload(saved, None, exclusive=current is None)
        self._sender.release(saved)
        return not done

    def _current(self, key: str) -> ObjectInfo | None:
        if key.endswith("/"):
            return self._find(key, None)
        found = self._bucket.lookup(key)
        if found.is_prefix:
            raise Conflict("a directory of this name is there now")
        return None if found.info is None else self._find(key, found.info.type)

    def _find(self, key: str, expected: ObjectType | None) -> ObjectInfo | None:
        try:
            return self._bucket.head(key, expected=expected)
        except NotFound:
            return None

    def _check_forced(self, current: ObjectInfo | None, saved: StagedContent) -> None:
        """Raise unless the user wants the staged file anyway, and it can be had."""
        entry = saved.entry
        if current is None:
            what = "the object was deleted meanwhile"
        elif entry.base_etag is None:
            what = "an object was created there meanwhile"
        else:
            what = "the object was replaced meanwhile"
        if not saved.is_complete:
            count = sum(end - start for start, end in saved.gaps)
            raise Conflict(f"{what}, and {count} unchanged bytes were only there")
        if entry.exclusive and current is not None:
            raise Conflict(f"{what}, and this file was made with O_EXCL")
        if not self._force:
            raise Conflict(what)

    def _upload(self, saved: StagedContent, base: ObjectInfo | None, *, exclusive: bool) -> None:
        entry = saved.entry
        new = NewObject(
            metadata=entry.metadata,
            headers=entry.headers,
            tags=Keep.REPLACED if entry.tags is None else TagSet(entry.tags),
            defaults=TagSet(entry.defaults),
            acl=Keep.REPLACED if entry.acl is None else entry.acl,
            exclusive=exclusive,
            annotations_of=tuple(filter(self._root.to_path, entry.annotations_of)),
        )
        try:
            self._sender.send(saved, base, new)
        except (AlreadyExists, ObjectChanged, PositionMismatch):
            raise Conflict("another made or replaced the object just now") from None

    # Whether the crash came after the upload

    def _is_done(self, current: ObjectInfo, saved: StagedContent) -> bool:
        """Say whether the object is what the file was to become, and complete it if it is."""
        entry = saved.entry
        if current.size != entry.size or current.type is ObjectType.SYMLINK:
            return False
        sent = [entry.metadata] if entry.begun is None else [entry.metadata, entry.begun.metadata]
        ours = any(meta and is_what_was_sent(current, Sent(metadata=meta)) for meta in sent)
        if saved.is_complete:
            if not self._has_same_content(current, saved):
                return False
        elif not (ours and self._has_all_changes(current, saved)):
            return False
        if ours:
            self._amend(current, entry)
        elif entry.tags and not self._has_tags(current, entry.tags):
            if self._force:
                return False
            raise Conflict("the object has this content already, but other tags")
        return True

    def _has_same_content(self, current: ObjectInfo, saved: StagedContent) -> bool:
        reported = current.detail.crc64 if current.detail else None
        if reported is not None:
            return reported == saved.checksum()
        return self._has_all_changes(current, saved)

    def _has_all_changes(self, current: ObjectInfo, saved: StagedContent) -> bool:
        """Compare every byte that was changed: nothing that is only here may be given up."""
        for start, end in saved.file.shape().changed():
            for at in range(start, end, BLOCK):
                length = min(BLOCK, end - at)
                theirs = self._bucket.get(current.key, at, length, if_match=current.etag).data
                if theirs != saved.source().read(at, length):
                    return False
        return True

    def _amend(self, current: ObjectInfo, entry: FileEntry) -> None:
        """Set what had not travelled with the upload.

        Raises:
            Conflict: another client has changed the tags since.
        """
        begun = entry.begun
        if begun is None:
            return
        if entry.tags is not None and entry.tags != begun.tags:
            found = self._bucket.get_tags(current.key)
            if found not in (begun.tags, entry.tags) and not self._force:
                raise Conflict("it was uploaded, and another client changed its tags since")
            self._bucket.put_tags(current.key, TagSet(entry.tags))
        changed = lower_names(begun.metadata) != lower_names(entry.metadata)
        if changed and is_what_was_sent(current, Sent(metadata=begun.metadata)):
            self._bucket.set_metadata(current, entry.metadata, entry.headers)

    def _has_tags(self, current: ObjectInfo, tags: dict[str, str]) -> bool:
        return tags.items() <= dict(self._bucket.get_tags(current.key)).items()


def _is_base(current: ObjectInfo, entry: FileEntry) -> bool:
    return current.etag == entry.base_etag and current.size >= entry.base_size
