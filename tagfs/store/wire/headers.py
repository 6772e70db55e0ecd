"""Objects as HTTP headers tell them: `NewObject` -> headers -> `ObjectInfo`.

Pure. Header names are lower case throughout; values are text, UTF-8 on the wire. Knows headers
only through a `Dialect`, never a request.
"""

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

from tagfs.errors import InvalidRequest, MalformedResponse, ValueTooLarge
from tagfs.store.dialects.header_names import STORAGE_CLASS
from tagfs.store.http_dates import parse_http_date
from tagfs.store.objects import Detail, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import TagSet, render_tagging
from tagfs.store.wire.encoded_words import decode_words, encode_words
from tagfs.store.wire.percent_text import decode_percent, encode_percent

if TYPE_CHECKING:  # a dialect's module uses this one for its dates
    from tagfs.store.dialects.dialect import Dialect

KEPT_HEADERS: Final = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)
"""Standard headers that services keep with an object."""


_TARGET: Final = "symlink-target"  # a link's text, percent-encoded by the tool that made the link
_MD5 = re.compile("[0-9a-f]{32}")
_TYPES = {kind.value.lower(): kind for kind in ObjectType}


def parse_type(text: str) -> ObjectType:
    """Return the object type that a service names; one that we do not know is Normal."""
    return _TYPES.get(text.lower(), ObjectType.NORMAL)


def render_new(
    dialect: "Dialect", new: NewObject, tags: TagSet | None, storage_class: str | None = None
) -> dict[str, str]:
    """Write what travels with new content; without the tags where the head would be too long.

    Raises:
        InvalidRequest: a name or value that no header can carry.
        ValueTooLarge: more user metadata than the service keeps.
    """
    headers = render_metadata(dialect, new.metadata, new.headers)
    if tags:
        headers[dialect.header_prefix + "tagging"] = render_tagging(tags)
    if storage_class:
        headers.setdefault(dialect.header_prefix + STORAGE_CLASS, storage_class)
    return without_long_tags(dialect, headers)


def without_long_tags(dialect: "Dialect", headers: dict[str, str]) -> dict[str, str]:
    """Return what a request can carry: without its tags where its head would be too long.

    Ten tags of a hundred Chinese letters are 9 KiB there. They are set by a request of their own.
    """
    name = dialect.header_prefix + "tagging"
    limits, tags = dialect.limits, headers.get(name, "")
    if not tags:
        return headers
    fits = len(tags) <= limits.max_tag_header
    if limits.max_head is not None:
        size = sum(len(field) + len(text.encode()) + 4 for field, text in headers.items())
        fits = fits and size + limits.head_reserve <= limits.max_head
    return headers if fits else {field: text for field, text in headers.items() if field != name}


def parse_md5(dialect: "Dialect", headers: Mapping[str, str]) -> str | None:
    """Return the MD5 of content, hex, as far as its ETag is that; else None.

    It is not of parts put together ("-"), and not where the service encrypts with other keys than
    its own.
    """
    encryption = dialect.header_prefix + "server-side-encryption"
    foreign = (
        headers.get(encryption, "AES256") != "AES256"
        or f"{encryption}-customer-algorithm" in headers
    )
    etag = parse_etag(headers.get("etag", "")).lower()
    return etag if dialect.md5_etags and not foreign and _MD5.fullmatch(etag) else None


def render_metadata(
    dialect: "Dialect", metadata: Mapping[str, str], standard: Mapping[str, str]
) -> dict[str, str]:
    """Write user metadata and standard headers; raises as `render_new`."""
    headers: dict[str, str] = {}
    size = 0
    for name, value in metadata.items():
        lower = name.lower()
        if not _is_name(dialect.metadata_name, lower):
            raise InvalidRequest(f"metadata name {name!r} is not allowed by {dialect.title}")
        checked = check_value(lower, value)
        sent = encode_metadata(dialect, lower, checked)
        headers[dialect.metadata_prefix + lower] = sent
        kept = sent if dialect.metadata_text.name == "PERCENT" else value
        size += len(lower) + len(kept.encode())
    if size > dialect.limits.max_metadata:
        raise ValueTooLarge(
            f"{size} bytes of metadata: {dialect.title} keeps {dialect.limits.max_metadata}"
        )
    for name, value in standard.items():
        wire = _wire_name(dialect, name.lower())
        if wire is None:
            raise InvalidRequest(f"{name!r} is not a header that is kept with an object")
        headers[wire] = check_value(name, value)
    return headers


@functools.lru_cache(maxsize=256)  # the same few with every object
def _is_name(pattern: str, name: str) -> bool:
    """Say whether a pattern of the dialect's matches a name whole."""
    return re.fullmatch(pattern, name) is not None


def encode_metadata(dialect: "Dialect", name: str, text: str) -> str:
    """Return a value of user metadata as it is sent."""
    match dialect.metadata_text.name:
        case "WORDS":
            return encode_words(text)
        case "PERCENT" if name != _TARGET:
            return encode_percent(text)
    return text


def decode_metadata(dialect: "Dialect", name: str, text: str) -> str:
    """Return a value of user metadata from what a service tells."""
    match dialect.metadata_text.name:
        case "WORDS":
            return decode_words(text)
        case "PERCENT" if name != _TARGET:
            return decode_percent(text)
    return text


def render_uncopied(dialect: "Dialect", kept: Mapping[str, str]) -> dict[str, str]:
    """Write what no copy takes along from its source: how it is encrypted, where it redirects."""
    return {wire: kept[name] for name, wire in dialect.uncopied.items() if name in kept}


def _wire_name(dialect: "Dialect", name: str) -> str | None:
    """Return the header that carries what is kept under `name`; None if nothing does."""
    if name in KEPT_HEADERS:
        return name
    if name == STORAGE_CLASS:
        return dialect.header_prefix + name
    return dialect.uncopied.get(name)


def check_value(name: str, value: str) -> str:
    """Return `value` if a header can carry it unchanged.

    Control characters end or garble a header, and blanks at the edges are dropped on the way.

    Raises:
        InvalidRequest
    """
    if value != value.strip(" \t") or (
        not value.isprintable() and any(c < " " or c == "\x7f" for c in value)
    ):
        raise InvalidRequest(f"{name!r}: {value!r} does not fit in a header: encode it")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{name!r}: {value!r} is not UTF-8") from None
    return value


def parse_object(
    dialect: "Dialect", key: str, headers: Mapping[str, str], size: int | None = None
) -> ObjectInfo:
    """Read the answer to HEAD or GET; `size` in bytes where content-length is not the object's.

    Raises:
        MalformedResponse
    """
    prefix = dialect.header_prefix
    storage_class = headers.get(prefix + "storage-class", dialect.default_storage_class)
    return ObjectInfo(
        key=key,
        size=_number(headers, "content-length") if size is None else size,
        etag=parse_etag(headers.get("etag", "")),
        last_modified_ns=parse_http_date(headers.get("last-modified", "")),
        type=parse_type(headers.get(prefix + "object-type", "")),
        storage_class=storage_class,
        detail=parse_detail(dialect, headers, storage_class),
    )


def parse_detail(dialect: "Dialect", headers: Mapping[str, str], storage_class: str) -> Detail:
    """Read what only HEAD and GET tell; raises as `parse_object`."""
    prefix, meta = dialect.header_prefix, dialect.metadata_prefix
    count = headers.get(prefix + "tagging-count")
    restore = headers.get(prefix + "restore", "")
    restored = 'ongoing-request="false"' in restore
    metadata = {
        name[len(meta) :]: value for name, value in headers.items() if name.startswith(meta)
    }
    metadata = {name: decode_metadata(dialect, name, text) for name, text in metadata.items()}
    return Detail(
        metadata=metadata,
        headers=_parse_kept(dialect, headers, storage_class),
        tag_count=None if count is None else _number(headers, prefix + "tagging-count"),
        crc64=parse_crc64(dialect, headers),
        version_id=headers.get(prefix + "version-id"),
        readable=restored or storage_class not in dialect.archived,
        restore=restore,
    )


def _parse_kept(
    dialect: "Dialect", headers: Mapping[str, str], storage_class: str
) -> dict[str, str]:
    """Read what a rewrite is to send again.

    A class from which nothing can be read is not given to new content: what a program has just
    written could not be read back.
    """
    kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    kept |= {name: headers[wire] for name, wire in dialect.uncopied.items() if wire in headers}
    if storage_class not in {"", dialect.default_storage_class, *dialect.archived}:
        kept[STORAGE_CLASS] = storage_class
    return kept


def parse_crc64(dialect: "Dialect", headers: Mapping[str, str]) -> int | None:
    """Return the checksum that the service tells, or None; raises as `parse_object`."""
    name = dialect.checksum_header
    return _number(headers, name) if name and name in headers else None


def render_target(dialect: "Dialect", target: str) -> str:
    """Write a link's target as a header carries it."""
    if not dialect.plain_targets:
        return quote(target, safe="")
    inner = target.strip(" ")
    if inner == target and inner.isascii() and inner.isprintable() and "%" not in inner:
        return target
    return quote(target, safe="/")


def parse_target(text: str) -> str:
    """Read a link's target from a header: percent-encoded, or as it is."""
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        return text


def parse_etag(text: str) -> str:
    """Return an ETag without its quotes."""
    return text.strip().strip('"')


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 24):  # noqa: PLR2004 2**64 has 20 digits
        raise MalformedResponse(f"header {name}: {text!r} is not a number")
    return int(text)
