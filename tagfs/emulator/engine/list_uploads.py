"""ListParts and ListMultipartUploads."""

from collections.abc import Callable, Iterator

from tagfs.emulator.engine.attributes import shown_class
from tagfs.emulator.engine.context import Context, owner
from tagfs.emulator.engine.key_encoding import encoder
from tagfs.emulator.engine.multipart import demand_upload
from tagfs.emulator.engine.part_checksums import part_element
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import PartRecord, UploadRecord
from tagfs.emulator.xml_text import element, group

_MOST = 1000
_LAST_ID = "\U0010ffff"  # behind every upload id


async def ListParts(context: Context) -> Reply:
    """Show the parts of an upload."""
    upload = demand_upload(context)
    marker = context.number("part-number-marker", 0, 10**9, low=0)
    limit = context.number("max-parts", _MOST, _MOST)
    parts = context.storage.uploads.parts(upload.id, marker, limit + 1)
    truncated, parts = len(parts) > limit, parts[:limit]
    encoding, encode = encoder(context)
    return context.document(
        "ListPartsResult",
        encoding,
        element("Bucket", context.bucket.name),
        element("Key", encode(upload.key)),
        element("UploadId", upload.id),
        _account(context),
        *_encryption(context, upload),
        element("StorageClass", shown_class(context, upload.attributes.storage_class)),
        element("PartNumberMarker", marker),
        element("NextPartNumberMarker", parts[-1].number if parts else 0),
        element("MaxParts", limit),
        element("IsTruncated", "true" if truncated else "false"),
        *(_part(context, upload, part) for part in parts),
    )


def _account(context: Context) -> str:
    if not context.dialect.uploads_name_owner:
        return ""
    return group("Initiator", element("ID", "emulator")) + owner(context)


def _encryption(context: Context, upload: UploadRecord) -> Iterator[str]:
    """Return what clients that encrypt their parts want to go on with."""
    if context.dialect.lists_encryption:
        meta = upload.attributes.meta
        for name in ("key", "start", "part-size", "data-size", "wrap-alg", "cek-alg"):
            if (text := meta.get(f"client-side-encryption-{name}")) is not None:
                yield element(f"ClientEncryption{name.title().replace('-', '')}", text)


def _part(context: Context, upload: UploadRecord, part: PartRecord) -> str:
    return group(
        "Part",
        element("PartNumber", part.number),
        element("LastModified", context.time(part.mtime_ms)),
        element("ETag", f'"{part.etag}"'),
        element("HashCrc64ecma", part.crc64) if context.dialect.lists_crc64 else "",
        element("Size", part.size),
        part_element(upload, part),
    )


async def ListMultipartUploads(context: Context) -> Reply:
    """Show the uploads under way in a bucket."""
    key_marker = context.parameter("key-marker") or ""
    id_marker = context.parameter("upload-id-marker") or ""
    prefix, delimiter = context.parameter("prefix") or "", context.parameter("delimiter") or ""
    limit = context.number("max-uploads", _MOST, _MOST)
    after = (key_marker, id_marker or (_LAST_ID if key_marker else ""))
    found = context.storage.uploads.under_way(context.bucket.id, prefix, after)
    items = list(_rolled_up(found, prefix, delimiter, key_marker))
    truncated, items = len(items) > limit, items[:limit]
    empty = context.dialect.writes_empty
    encoding, encode = encoder(context)
    return context.document(
        "ListMultipartUploadsResult",
        encoding,
        element("Bucket", context.bucket.name),
        element("KeyMarker", encode(key_marker)),
        element("UploadIdMarker", id_marker),
        _next(items[-1] if items and (truncated or empty) else None, encode, empty=empty),
        element("Delimiter", encode(delimiter)) if delimiter or empty else "",
        element("Prefix", encode(prefix)),
        element("MaxUploads", limit),
        element("IsTruncated", "true" if truncated else "false"),
        *(_upload(context, item, encode) for item in items if isinstance(item, UploadRecord)),
        *(
            group("CommonPrefixes", element("Prefix", encode(item)))
            for item in items
            if isinstance(item, str)
        ),
    )


def _next(last: UploadRecord | str | None, encode: Callable[[str], str], *, empty: bool) -> str:
    if last is None:
        return element("NextKeyMarker", "") + element("NextUploadIdMarker", "") if empty else ""
    key, identity = (last, "") if isinstance(last, str) else (last.key, last.id)
    return element("NextKeyMarker", encode(key)) + element("NextUploadIdMarker", identity)


def _rolled_up(
    uploads: list[UploadRecord], prefix: str, delimiter: str, marker: str
) -> Iterator[UploadRecord | str]:
    seen = ""
    for upload in uploads:
        at = upload.key.find(delimiter, len(prefix)) if delimiter else -1
        if at < 0:
            yield upload
        else:
            rolled = upload.key[: at + len(delimiter)]
            if rolled not in {seen, marker}:
                yield rolled
            seen = rolled


def _upload(context: Context, upload: UploadRecord, encode: Callable[[str], str]) -> str:
    return group(
        "Upload",
        element("Key", encode(upload.key)),
        element("UploadId", upload.id),
        _account(context),
        element("StorageClass", shown_class(context, upload.attributes.storage_class)),
        element("Initiated", context.time(upload.created_ms)),
    )
