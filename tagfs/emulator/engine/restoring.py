"""RestoreObject: an archived object becomes readable, after a while and for some days."""

from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.rules import RestoreRules
from tagfs.emulator.messages import Reply
from tagfs.emulator.time_formats import MILLISECONDS
from tagfs.emulator.xml_text import parse, text_of

_DAY_MS = 24 * 3600 * MILLISECONDS


async def RestoreObject(context: Context) -> Reply:
    """Begin to restore an object (202), or prolong what is restored (200)."""
    rules = context.dialect.restores
    data = await read_document(context)
    days = _days(data, rules)
    record = context.demand()
    if record.attributes.storage_class not in context.dialect.archives:
        raise ServiceError(*rules.not_archived)
    tier = _tier(data, rules, record.attributes.storage_class)
    now = context.now_ms
    if record.restored_from_ms > now:
        raise ServiceError("RestoreAlreadyInProgress")
    is_restored = record.restored_until_ms > now
    ready = now if is_restored else now + int(context.config.restore_seconds * MILLISECONDS)
    until = ready + days * _DAY_MS
    if is_restored and until < record.restored_until_ms and not rules.shortens:
        raise ServiceError("ObjectHasAlreadyRestored")
    since = record.restored_from_ms if is_restored else ready
    context.storage.objects.set_restored(context.bucket.id, record, since, until)
    headers = {f"{context.family}object-restore-priority": tier} if tier else {}
    return Reply(status=200 if is_restored else 202, headers=headers)


def _days(data: bytes, rules: RestoreRules) -> int:
    if not data and rules.default_days is not None:
        return rules.default_days
    root = parse(data)
    text = None if root is None else text_of(root, "Days")
    if text is None or not text.strip().isdecimal():
        raise ServiceError("MalformedXML")
    if not 1 <= int(text) <= rules.most_days:
        raise ServiceError(rules.bad_days, f"Days must be between 1 and {rules.most_days}.")
    return int(text)


def _tier(data: bytes, rules: RestoreRules, storage_class: str) -> str | None:
    """Return how fast it is to be done, where that is looked at."""
    root = parse(data) if data and rules.tiers is not None else None
    job = None if root is None else root.find("JobParameters")
    if job is None or rules.tiers is None:
        return None
    if storage_class not in rules.tiers:
        raise ServiceError("MalformedXML", "The class of the object knows no job parameters.")
    tier = text_of(job, "Tier")
    if tier not in rules.tiers[storage_class]:
        raise ServiceError("InvalidArgument", "There is no such tier.")
    return tier
