"""RestoreObject: an archived object becomes readable, after a while and for some days."""

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.attributes import ARCHIVES
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.time_formats import MILLISECONDS
from tagfs.emulator.xml_text import parse, text_of

_DAY_MS = 24 * 3600 * MILLISECONDS
_MOST_DAYS = 7


async def RestoreObject(context: Context) -> Reply:
    """Begin to restore an object (202), or prolong what is restored (200)."""
    days = _days(await context.xml_body())
    record = context.demand()
    if record.attributes.storage_class not in ARCHIVES:
        raise ServiceError("OperationNotSupported", "The object is not archived.")
    now = context.now_ms
    if record.restored_from_ms > now:
        raise ServiceError("RestoreAlreadyInProgress")
    is_restored = record.restored_until_ms > now
    ready = now if is_restored else now + int(context.config.restore_seconds * MILLISECONDS)
    since = record.restored_from_ms if is_restored else ready
    objects = context.storage.objects
    objects.set_restored(context.bucket.id, record.key, since, ready + days * _DAY_MS)
    return Reply(status=200 if is_restored else 202)


def _days(data: bytes) -> int:
    if not data:
        return 1
    root = parse(data)
    text = None if root is None else text_of(root, "Days")
    if text is None or not text.isdecimal() or not 1 <= int(text) <= _MOST_DAYS:
        raise ServiceError("MalformedXML")
    return int(text)
