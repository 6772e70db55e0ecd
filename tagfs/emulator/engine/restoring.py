"""RestoreObject: an archived object becomes readable, after a while and for some days."""

from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.time_formats import MILLISECONDS
from tagfs.emulator.xml_text import parse, text_of

_DAY_MS = 24 * 3600 * MILLISECONDS
_MOST_DAYS = 30


async def RestoreObject(context: Context) -> Reply:
    """Begin to restore an object (202), or prolong what is restored (200)."""
    days = _days(await read_document(context))
    record = context.demand()
    if record.attributes.storage_class not in context.dialect.archives:
        raise ServiceError("InvalidObjectState", "Restore is not allowed for the storage class.")
    now = context.now_ms
    if record.restored_from_ms > now:
        raise ServiceError("RestoreAlreadyInProgress")
    is_restored = record.restored_until_ms > now
    ready = now if is_restored else now + int(context.config.restore_seconds * MILLISECONDS)
    until = ready + days * _DAY_MS
    if is_restored and until < record.restored_until_ms and context.dialect.family == "x-obs-":
        raise ServiceError("ObjectHasAlreadyRestored")
    since = record.restored_from_ms if is_restored else ready
    context.storage.objects.set_restored(context.bucket.id, record.key, since, until)
    return Reply(status=200 if is_restored else 202)


def _days(data: bytes) -> int:
    root = parse(data)
    text = None if root is None else text_of(root, "Days")
    if text is None or not text.strip().isdecimal():
        raise ServiceError("MalformedXML")
    if not 1 <= int(text) <= _MOST_DAYS:
        raise ServiceError("InvalidArgument", "Days must be between 1 and 30.")
    return int(text)
