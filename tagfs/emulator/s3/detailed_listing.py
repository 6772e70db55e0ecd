"""What MinIO and RustFS add to listings that are asked for with `metadata=true`.

Names of headers are names of elements, written as they are: one that XML has no name for makes the
page unreadable. MinIO tells an `expires` of the year 1 where nobody set one; RustFS leaves out
what begins the names of user metadata.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote_plus

from tagfs.emulator.engine.context import Context
from tagfs.emulator.storage.records import ListedObject
from tagfs.emulator.xml_text import element, escape, group

KNOWN: Final = ("plain", "minio", "rustfs", "cut")

_META: Final = "X-Amz-Meta-"
_NEVER: Final = "Mon, 01 Jan 0001 00:00:00 GMT"
_SHORT: Final = 3


def listed_extra(variant: str) -> Callable[[Context, ListedObject], str] | None:
    """Return what renders that; None for a service that ignores the parameter."""
    if variant == "plain":
        return None

    def render(context: Context, item: ListedObject) -> str:
        return _render(context, item, variant)

    return render


def _render(context: Context, item: ListedObject, variant: str) -> str:
    if context.parameter("metadata") != "true":
        return ""
    record = context.storage.objects.get(context.bucket.id, item.key)
    if record is None:
        return ""
    attributes = record.attributes
    longest = _SHORT if variant == "cut" else None
    prefix = "" if variant == "rustfs" else _META
    entries = {f"{prefix}{name.title()}": text for name, text in attributes.meta.items()}
    entries |= {name.lower(): text for name, text in attributes.headers.items()}
    if variant == "minio":
        entries.setdefault("expires", _NEVER)
    tags = "&".join(
        f"{quote_plus(key)}={quote_plus(value)}" for key, value in attributes.tags.items()
    )
    shown = tags and "deny_tags" not in context.request.modes
    metadata = "".join(f"<{k}>{escape(v[:longest])}</{k}>" for k, v in entries.items())
    return (
        f"<UserMetadata>{metadata}</UserMetadata>"
        + (element("UserTags", tags[:longest]) if shown else "")
        + group("Internal", element("K", 1), element("M", 0))
    )
