"""The part of the contract that changes objects: see `tagfs.store.bucket`."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from tagfs.store.objects import (
    NONE_MEANT,
    Keep,
    NewObject,
    ObjectInfo,
    Part,
    Source,
    Upload,
)
from tagfs.store.tags import TagSet


class ObjectWrites(Protocol):
    """Making, copying, renaming and deleting objects."""

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object whole, in one request, tags included; verified.

        Raises:
            AlreadyExists (`new.exclusive`), AccessDenied (also when the tags to keep may not be
            read), IntegrityError
        """
        ...

    def append(self, info: ObjectInfo, source: Source) -> ObjectInfo:
        """Extend the appendable object `info` at its end; tells a lost reply from a foreign append.

        Raises:
            PositionMismatch: its length is no longer `info.size`; nothing was appended.
        """
        ...

    def start_append(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create an appendable object where no object is.

        Raises:
            AlreadyExists, Unsupported
        """
        ...

    def copy(  # noqa: PLR0913  all that a copy may have otherwise
        self,
        source: ObjectInfo,
        key: str,
        *,
        tags: TagSet
        | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED, Keep.REPLACED_OR_SOURCE] = Keep.SOURCE,
        exclusive: bool = False,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        acl: Mapping[str, str] | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE,
        known_tags: TagSet | None = None,
        replaces: ObjectInfo | None = None,
        annotations_of: tuple[str, ...] = (),
    ) -> ObjectInfo:
        """Copy one object of any size and type on the service, metadata and tags included.

        `metadata`, `headers`: user metadata and standard headers that the copy gets instead of
        the source's (of no link).
        `acl`: the source's; if that has none, one that is given, or that of what is replaced.
        `annotations_of`: what leaves the copy its annotations where the source has none and nothing
        is replaced.
        `known_tags`: those of the source, where they are known: some services drop them.
        `replaces`: what is at `key`, as far as is known. Where a service knows such a condition,
        another version is not replaced.

        Raises:
            NotFound, ObjectChanged (`source` is no longer that version, or `replaces`),
            AlreadyExists
        """
        ...

    def rename(self, key: str, new: str, *, source: ObjectInfo | None = None) -> None:
        """Rename an object, or (both keys end in "/") a directory with all that is below it.

        A file replaces a file, and a directory an empty one, as far as the service allows. All at
        once: nobody sees both, neither or a half. `source` is what is known of the object.

        Raises:
            Unsupported: the bucket is none of those that rename (`Capabilities.rename`).
            NotFound
            AlreadyExists: a file is where a directory is to be, or the other way round; or the
                service replaces nothing.
            NotEmpty: there is something in the directory that would be replaced.
        """
        ...

    def set_metadata(
        self,
        info: ObjectInfo,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        known_tags: TagSet | None = None,
    ) -> ObjectInfo:
        """Replace user metadata and standard headers of one object; content and tags stay.

        Storage class and encryption, where `headers` has others than the object, are replaced too.
        `known_tags`: the object's, where they are known: some services drop them.

        Raises:
            NotFound, ObjectChanged
        """
        ...

    def put_acl(self, key: str, word: str) -> None:
        """Give an object the ACL that the service calls so; "default": as if none had been set.

        Raises:
            NotFound
            AccessDenied
            Unsupported: the bucket has no ACLs.
            InvalidRequest, Refused: it knows no such word.
        """
        ...

    def restore(self, key: str, days: int) -> None:
        """Let an archived object become readable, and stay so for some days; takes hours.

        One that is being restored already, or is restored for longer, is no error.

        Raises:
            NotFound
            NotPermitted: it is not archived.
            InvalidRequest, Refused: not for so many days.
        """
        ...

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a symlink object; `target` is a key and need not exist.

        Raises:
            Unsupported, AlreadyExists
        """
        ...

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        """Delete one object; a missing one is no error.

        `meant` is the version that is to go. After an attempt without an answer, no further one is
        made if another version is there: another client has made that since. Where a service knows
        conditions, another version is spared in any case.

        Raises:
            ObjectChanged: another version was spared. A cache takes that for done.
        """
        ...

    def may_delete(self, key: str, *, surely: bool = False) -> bool:
        """Say whether objects beside `key` may be deleted; `surely`: by what is known of these."""
        ...

    def delete_many(
        self, keys: Sequence[str], *, meant: Mapping[str, ObjectInfo] = NONE_MEANT
    ) -> Mapping[str, str]:
        """Delete objects in batches; return, for each key that failed, the reason.

        What surely stays because it may not be deleted has `Denied` for a reason.
        What holds another version than is `meant` for it has `Spared`; a cache leaves it out.
        """
        ...


class MultipartUploads(Protocol):
    """Writing large objects part by part."""

    def start_upload(self, key: str, new: NewObject) -> Upload:
        """Begin a multipart upload; nothing is visible before `complete_upload`."""
        ...

    def upload_part(self, upload: Upload, number: int, source: Source) -> Part:
        """Send one part (number from 1), verified; a number sent again replaces the part."""
        ...

    def copy_part(
        self, upload: Upload, number: int, source: ObjectInfo, start: int, length: int
    ) -> Part:
        """Let the service take one part from a range of `source`, if it is still that version.

        Raises:
            ObjectChanged
            Unsupported: it copies no parts, and `capabilities` says so from now on.
        """
        ...

    def list_parts(self, upload: Upload) -> Sequence[Part]:
        """Return the parts that the service has, by number.

        Raises:
            NoSuchUpload
        """
        ...

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        """Make the parts, in order of number, the object's content; verified where possible."""
        ...

    def abort_upload(self, upload: Upload) -> None:
        """Throw a begun upload away; one that is gone already is no error."""
        ...
