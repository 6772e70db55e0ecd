"""What some S3 servers tell of an object in a listing, where it is asked for in their way. Pure.

MinIO began one, which RustFS has as well: `metadata=true`, `<UserMetadata>` with an element for
each header, `<UserTags>` with the tags as in a header, and `<Internal>`, which is there exactly
when both may be looked at. Yandex has the other: `list-type=ext-v1`, which is version 2 with a
`<Metadata>` for each entry of user metadata, and no word of headers and tags.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tagfs.errors import InvalidTag, TagfsError
from tagfs.store.objects import Detail, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet, parse_tagging
from tagfs.store.wire.headers import KEPT_HEADERS, parse_detail
from tagfs.store.wire.xml import Element, fields_of

if TYPE_CHECKING:
    from tagfs.store.dialects.dialect import Dialect

Shown = tuple[ObjectInfo, TagSet | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingForm:
    """One way of asking for more than a listing tells.

    Attributes:
        query: the parameters that ask for it.
        read: returns an object with what its element tells besides, and its tags if it tells them.
        proof: an element that every answer to this has; where it is missing, the answer is one to
            another question. None where the parameters can be ignored without harm.
    """

    query: Mapping[str, str]
    read: "Callable[[Dialect, ObjectInfo, Element], Shown]"
    proof: str | None = None


_SERVER_HEADERS: Final = ("x-amz-", "x-minio-")
_ZERO_TIME: Final = re.compile("[A-Z][a-z]{2}, 01 Jan 0001 .*")
"""An `expires` that nobody set, as Go writes it."""


def read_tags(dialect: "Dialect", text: str | None) -> TagSet | None:
    """Return the tags that a listing or a header has of an object; None where that is uncertain.

    A "+" is a blank here. Tags that the rules do not know are asked for by a request of their own,
    from which the rules learn.
    """
    if not text:
        return NO_TAGS
    try:
        tags = parse_tagging(text.replace("+", "%20"))
        dialect.object_tag_rules.check(tags)
    except InvalidTag:
        return None
    return tags


def listed_detail(
    dialect: "Dialect", info: ObjectInfo, entries: Mapping[str, str]
) -> Detail | None:
    """Return the detail that is listed of an object; None where a HEAD would tell more.

    `entries` are by the names of their elements, which are headers; some servers leave out what
    begins those of user metadata.
    """
    headers: dict[str, str] = {}
    for name, text in entries.items():
        header = name.lower()
        plain = header in KEPT_HEADERS or header.startswith(_SERVER_HEADERS)
        if header == "expires" and _ZERO_TIME.fullmatch(text):
            continue
        headers[header if plain else dialect.metadata_prefix + header] = text.strip()
    hidden = any("encryption" in name for name in headers)  # the key's name is told by HEAD alone
    if hidden or info.storage_class in dialect.archived:
        return None
    try:
        return parse_detail(dialect, headers, info.storage_class)
    except TagfsError:
        return None


def _read_headers(dialect: "Dialect", info: ObjectInfo, element: Element) -> Shown:
    """Read what MinIO tells."""
    extra = element.find("UserMetadata")
    if extra is None and element.find("Internal") is None:
        return info, None
    detail = listed_detail(dialect, info, {} if extra is None else fields_of(extra))
    tags = read_tags(dialect, element.findtext("UserTags"))
    return info if detail is None else info.with_detail(detail), tags


def _read_metadata(_dialect: "Dialect", info: ObjectInfo, element: Element) -> Shown:
    """Read what Yandex tells.

    How it writes what is not plain text is not documented: of such an object nothing is believed.
    """
    entries = [fields_of(entry) for entry in element.findall("Metadata")]
    metadata = {entry.get("Name", "").lower(): entry.get("Value", "") for entry in entries}
    if not all(map(_is_plain, [*metadata, *metadata.values()])):
        return info, None
    return replace(info, listed_metadata=metadata), None


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and "=?" not in text


WITH_HEADERS: Final = ListingForm(query={"metadata": "true"}, read=_read_headers)
"""MinIO's."""

WITH_METADATA: Final = ListingForm(
    query={"list-type": "ext-v1"}, read=_read_metadata, proof="KeyCount"
)
"""Yandex's."""
