"""What some S3 servers tell of an object in a listing that is asked for with `metadata=true`.

MinIO began it, RustFS has it as well: `<UserMetadata>` with an element for each header,
`<UserTags>` with the tags as in a header, and `<Internal>`, which is there exactly when both may be
looked at. Pure.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tagfs.errors import InvalidTag, TagfsError
from tagfs.store.objects import Detail, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet, parse_tagging
from tagfs.store.wire.headers import KEPT_HEADERS, parse_detail

if TYPE_CHECKING:
    from tagfs.store.dialects.dialect import Dialect

PARAMETER: Final = "metadata"

_SERVER_HEADERS: Final = ("x-amz-", "x-minio-")
_ZERO_TIME: Final = re.compile("[A-Z][a-z]{2}, 01 Jan 0001 .*")
"""An `expires` that nobody set, as Go writes it."""


def listed_tags(text: str | None) -> TagSet | None:
    """Return the tags that are listed of an object; None where they cannot be read.

    A "+" is a blank here.
    """
    if not text:
        return NO_TAGS
    try:
        return parse_tagging(text.replace("+", "%20"))
    except InvalidTag:
        return None


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
