"""What GET and HEAD see through a symlink; only OBS has them."""

from typing import NamedTuple

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.storage.records import Kind, ObjectRecord


class View(NamedTuple):
    """What a reader is shown: headers of one object, content of perhaps another."""

    shown: ObjectRecord
    content: ObjectRecord

    @property
    def is_link(self) -> bool:
        """Tell whether the reader looks through a link."""
        return self.shown is not self.content


def look_through(context: Context, record: ObjectRecord, bucket: int | None = None) -> View:
    """Follow a link to its target; anything else is its own target.

    Raises:
        ServiceError: the target is missing, or itself a link: the service follows no chains. (The
            status of the first and the code of the second are not documented.)
    """
    if record.kind is not Kind.SYMLINK:
        return View(record, record)
    owner = context.bucket.id if bucket is None else bucket
    target = context.storage.objects.get(owner, record.target)
    if target is None:
        raise ServiceError("SymlinkTargetNotExist", extra={"Key": record.target})
    if target.kind is Kind.SYMLINK:
        raise ServiceError("InvalidTargetType", extra={"Key": record.target})
    return View(record, target)
