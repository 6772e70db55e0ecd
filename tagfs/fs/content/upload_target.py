"""What a staged file is to become: its object, and all that travels with the content."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from tagfs.store.objects import Keep, NewObject, ObjectInfo
from tagfs.store.tags import TagSet

TIMES: Final = frozenset({"mtime", "ctime", "mtime-size"})
"""The metadata that a write changes. The atime is what a program set, and stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTarget:
    """What a staged file is to become.

    Attributes:
        new: what travels with the content.
        base: the object that the file derives from, if any.
        replaced: the object that a new file was renamed over, which gives it only its tags.
        is_timeless: nobody set its times: what is sent while it is being written has none.
        exclusive: O_EXCL: nothing that another client made is replaced.
        kept: the tags for an object that is replaced, though none was known to be there.
        appendable: whether a new object is to be one that can be appended to.
    """

    key: str
    new: NewObject
    base: ObjectInfo | None
    replaced: ObjectInfo | None = None
    is_timeless: bool = False
    exclusive: bool = False
    kept: TagSet | Literal[Keep.REPLACED] = Keep.REPLACED
    appendable: bool = False

    @property
    def streamed(self) -> NewObject:
        """What travels with an upload that begins while the file is being written.

        Times that nobody set would be too early: the service's Last-Modified, which is when the
        upload ends, stands in for them. And as it cannot be tried twice, and the key may have been
        taken since it was looked up, it keeps whatever tags are there.
        """
        new = self.new
        if self.is_timeless:
            timeless = {k: v for k, v in new.metadata.items() if k not in TIMES}
            new = replace(new, metadata=timeless)
        if self.base is None and not self.exclusive:
            new = replace(new, exclusive=False, tags=self.kept)
        return new
