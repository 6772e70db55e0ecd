"""What MinIO, RustFS and Yandex add to listings for who asks in their way.

Of MinIO and RustFS that is `metadata=true`. Names of headers are names of elements, written as they
are: one that XML has no name for makes the page unreadable. MinIO tells an `expires` of the year 1
where nobody set one; RustFS leaves out what begins the names of user metadata. Of Yandex it is
`list-type=ext-v1`, a version 2 with user metadata, which is plain text there, and without tags.
"""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote_plus

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.uncopied import HIDDEN
from tagfs.emulator.storage.records import ListedObject
from tagfs.emulator.xml_text import element, escape, group

KNOWN: Final = ("plain", "minio", "rustfs", "cut", "yandex", "yandex_cut")

_EXTENDED: Final = "ext-v1"

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


def is_extended(context: Context, variant: str) -> bool:
    """Say whether a listing is asked for in Yandex's way, of a service that has it."""
    return variant.startswith("yandex") and context.parameter("list-type") == _EXTENDED


def _render(context: Context, item: ListedObject, variant: str) -> str:
    record = context.storage.objects.get(context.bucket.id, item.key)
    if record is None:
        return ""
    attributes = record.attributes
    longest = _SHORT if variant.endswith("cut") else None
    if is_extended(context, variant):
        return "".join(
            group("Metadata", element("Name", name.lower()), element("Value", text[:longest]))
            for name, text in attributes.meta.items()
        )
    if variant.startswith("yandex") or context.parameter("metadata") != "true":
        return ""
    prefix = "" if variant == "rustfs" else _META
    entries = {f"{prefix}{name.title()}": text for name, text in attributes.meta.items()}
    entries |= {
        name.lower(): text
        for name, text in attributes.headers.items()
        if not name.startswith(HIDDEN)
    }
    if variant == "minio":
        entries.setdefault("expires", _NEVER)
    tags = _render_tags(attributes.tags)
    shown = tags and "deny_tags" not in context.request.modes
    metadata = "".join(f"<{k}>{escape(v[:longest])}</{k}>" for k, v in entries.items())
    return (
        f"<UserMetadata>{metadata}</UserMetadata>"
        + (element("UserTags", tags[:longest]) if shown else "")
        + group("Internal", element("K", 1), element("M", 0))
    )


def tags_in_headers(context: Context, *, cut: bool) -> dict[str, str]:
    """Return the header with an object's tags that MinIO adds for who asks; none without tags."""
    if context.own("tagging-directive") != "ACCESS" or "deny_tags" in context.request.modes:
        return {}
    record = context.storage.objects.get(context.bucket.id, context.key)
    if record is None or not record.attributes.tags:
        return {}
    tags = _render_tags(record.attributes.tags)
    return {f"{context.family}tagging": tags[:_SHORT] if cut else tags}


def _render_tags(tags: Mapping[str, str]) -> str:
    return "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in tags.items())
