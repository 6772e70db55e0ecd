"""What a staged file is to become: its object, and all that travels with the content."""

from dataclasses import dataclass
from typing import Literal

from tagfs.store.objects import Keep, NewObject, ObjectInfo
from tagfs.store.tags import TagSet


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTarget:
    """What a staged file is to become.

    Attributes:
        new: what travels with the content.
        streamed: the same for an upload that begins while the file is being written: without
            times that nobody set, because they would be too early. The service's Last-Modified,
            which is when the upload ends, stands in for them.
        base: the object that the file derives from, if any.
        replaced: the object that a new file was renamed over, which gives it only its tags.
        exclusive: O_EXCL: nothing that another client made is replaced.
        kept: the tags for an object that is replaced, though none was known to be there.
        appendable: whether a new object is to be one that can be appended to.
    """

    key: str
    new: NewObject
    streamed: NewObject
    base: ObjectInfo | None
    replaced: ObjectInfo | None = None
    exclusive: bool = False
    kept: TagSet | Literal[Keep.REPLACED] = Keep.REPLACED
    appendable: bool = False
