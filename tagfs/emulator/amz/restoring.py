"""RestoreObject: an archived object becomes readable, after a while and for some days."""

from tagfs.emulator.amz.context import Context
from tagfs.emulator.amz.errors import Refusal
from tagfs.emulator.amz.intake import read_document
from tagfs.emulator.exchange import Reply
from tagfs.emulator.markup import parse, text_of
from tagfs.emulator.moments import MILLISECONDS

_DAY_MS = 24 * 3600 * MILLISECONDS
_MOST_DAYS = 30


async def RestoreObject(context: Context) -> Reply:
    """Begin to restore an object (202), or prolong what is restored (200)."""
    days = _days(await read_document(context))
    record = context.demand()
    if record.attributes.storage_class not in context.flavour.archives:
        raise Refusal("InvalidObjectState", "Restore is not allowed for the storage class.")
    now = context.now_ms
    if record.restored_from_ms > now:
        raise Refusal("RestoreAlreadyInProgress")
    is_restored = record.restored_until_ms > now
    ready = now if is_restored else now + int(context.config.restore_seconds * MILLISECONDS)
    until = ready + days * _DAY_MS
    if is_restored and until < record.restored_until_ms and context.flavour.family == "x-obs-":
        raise Refusal("ObjectHasAlreadyRestored")
    since = record.restored_from_ms if is_restored else ready
    context.storage.objects.set_restored(context.bucket.id, record.key, since, until)
    return Reply(status=200 if is_restored else 202)


def _days(data: bytes) -> int:
    root = parse(data)
    text = None if root is None else text_of(root, "Days")
    if text is None or not text.strip().isdecimal():
        raise Refusal("MalformedXML")
    if not 1 <= int(text) <= _MOST_DAYS:
        raise Refusal("InvalidArgument", "Days must be between 1 and 30.")
    return int(text)
