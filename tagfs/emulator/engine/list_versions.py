"""ListObjectVersions: all that was ever at a bucket's keys, as far as it keeps it."""

from collections.abc import Callable, Iterator

from tagfs.emulator.engine.attributes import shown_class
from tagfs.emulator.engine.context import Context, owner
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.key_encoding import encoder
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.versions import Version
from tagfs.emulator.xml_text import element, group

_MOST = 1000


async def ListObjectVersions(context: Context) -> Reply:
    """Show versions and delete markers: by key, the newest first."""
    prefix, delimiter = context.parameter("prefix") or "", context.parameter("delimiter") or ""
    limit = context.number("max-keys", _MOST, _MOST)
    key_marker = context.parameter("key-marker") or ""
    version_marker = context.parameter("version-id-marker") or ""
    if version_marker and not key_marker:
        message = "A version-id marker cannot be specified without a key marker."
        raise ServiceError("InvalidArgument", message)
    found = context.storage.objects.versions.below(context.bucket.id, prefix)
    rolled = _rolled_up(found, prefix, delimiter)
    items = list(_after(rolled, key_marker, version_marker))
    truncated, items = len(items) > limit, items[:limit]
    encoding, encode = encoder(context)
    return context.document(
        "ListVersionsResult",
        element("Name", context.bucket.name),
        element("Prefix", encode(prefix)),
        element("KeyMarker", encode(key_marker)),
        element("VersionIdMarker", version_marker),
        _next(items[-1], encode) if truncated and items else "",
        element("MaxKeys", limit),
        element("Delimiter", encode(delimiter))
        if delimiter or context.dialect.writes_empty
        else "",
        element("IsTruncated", "true" if truncated else "false"),
        encoding,
        *(_version(context, item, encode) for item in items if isinstance(item, Version)),
        *(
            group("CommonPrefixes", element("Prefix", encode(item)))
            for item in items
            if isinstance(item, str)
        ),
    )


def _rolled_up(found: Iterator[Version], prefix: str, delimiter: str) -> Iterator[Version | str]:
    seen = None
    for version in found:
        key = version.record.key
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        if at < 0:
            yield version
        elif (rolled := key[: at + len(delimiter)]) != seen:
            seen = rolled
            yield rolled


def _after(
    items: Iterator[Version | str], key_marker: str, version_marker: str
) -> Iterator[Version | str]:
    """Yield what follows the markers; without a version, all of the marker's key is before it."""
    found = False
    for item in items:
        key = item if isinstance(item, str) else item.record.key
        if found or key > key_marker:
            yield item
        elif isinstance(item, Version) and key == key_marker:
            found = item.record.version == version_marker


def _next(last: Version | str, encode: Callable[[str], str]) -> str:
    if isinstance(last, str):
        return element("NextKeyMarker", encode(last)) + element("NextVersionIdMarker", "")
    marker = element("NextVersionIdMarker", last.record.version)
    return element("NextKeyMarker", encode(last.record.key)) + marker


def _version(context: Context, version: Version, encode: Callable[[str], str]) -> str:
    record = version.record
    common = (
        element("Key", encode(record.key)),
        element("VersionId", record.version),
        element("IsLatest", "true" if version.is_latest else "false"),
        element("LastModified", context.time(record.mtime_ms)),
    )
    if version.is_marker:
        return group("DeleteMarker", *common, owner(context))
    shows = record.kind in context.dialect.shown_kinds
    return group(
        "Version",
        *common,
        element("ETag", f'"{record.etag}"'),
        element("Type", record.kind) if shows else "",
        element("Size", record.size),
        element("StorageClass", shown_class(context, record.attributes.storage_class)),
        owner(context),
    )
