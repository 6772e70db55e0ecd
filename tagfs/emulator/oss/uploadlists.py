"""ListParts and ListMultipartUploads."""

from collections.abc import Callable, Iterator

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.multipart import demand_upload
from tagfs.emulator.oss.naming import encoder
from tagfs.emulator.storage.records import UploadRecord
from tagfs.emulator.time_formats import iso_time
from tagfs.emulator.xml_text import element, group, render

_XML = {"Content-Type": "application/xml"}
_MOST = 1000
_LAST_ID = "\U0010ffff"  # behind every upload id


async def ListParts(context: Context) -> Reply:
    """Show the parts of an upload."""
    upload = demand_upload(context)
    marker = context.number("part-number-marker", 0, 0, 10**9)
    limit = context.number("max-parts", _MOST, 1, _MOST)
    parts = context.storage.uploads.parts(upload.id, marker, limit + 1)
    truncated, parts = len(parts) > limit, parts[:limit]
    encoding, encode = encoder(context)
    body = render(
        "ListPartsResult",
        encoding,
        element("Bucket", context.bucket.name),
        element("Key", encode(upload.key)),
        element("UploadId", upload.id),
        element("StorageClass", upload.attributes.storage_class),
        element("PartNumberMarker", marker),
        element("NextPartNumberMarker", parts[-1].number if parts else 0),
        element("MaxParts", limit),
        element("IsTruncated", "true" if truncated else "false"),
        *(
            group(
                "Part",
                element("PartNumber", part.number),
                element("LastModified", iso_time(part.mtime_ms)),
                element("ETag", f'"{part.etag}"'),
                element("HashCrc64ecma", part.crc64),
                element("Size", part.size),
            )
            for part in parts
        ),
    )
    return Reply(headers=dict(_XML), body=body)


async def ListMultipartUploads(context: Context) -> Reply:
    """Show the uploads under way in a bucket."""
    key_marker = context.parameter("key-marker") or ""
    id_marker = context.parameter("upload-id-marker") or ""
    prefix, delimiter = context.parameter("prefix") or "", context.parameter("delimiter") or ""
    limit = context.number("max-uploads", _MOST, 1, _MOST)
    after = (key_marker, id_marker or (_LAST_ID if key_marker else ""))
    found = context.storage.uploads.under_way(context.bucket.id, prefix, after)
    items = list(_rolled_up(found, prefix, delimiter, key_marker))
    truncated, items = len(items) > limit, items[:limit]
    last = items[-1] if truncated else None
    encoding, encode = encoder(context)
    body = render(
        "ListMultipartUploadsResult",
        encoding,
        element("Bucket", context.bucket.name),
        element("KeyMarker", encode(key_marker)),
        element("UploadIdMarker", id_marker),
        element(
            "NextKeyMarker", encode(last if isinstance(last, str) else last.key if last else "")
        ),
        element("NextUploadIdMarker", last.id if isinstance(last, UploadRecord) else ""),
        element("Prefix", encode(prefix)),
        element("Delimiter", encode(delimiter)),
        element("MaxUploads", limit),
        element("IsTruncated", "true" if truncated else "false"),
        *(_upload(item, encode) for item in items if isinstance(item, UploadRecord)),
        *(
            group("CommonPrefixes", element("Prefix", encode(item)))
            for item in items
            if isinstance(item, str)
        ),
    )
    return Reply(headers=dict(_XML), body=body)


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


def _upload(upload: UploadRecord, encode: Callable[[str], str]) -> str:
    return group(
        "Upload",
        element("Key", encode(upload.key)),
        element("UploadId", upload.id),
        element("StorageClass", upload.attributes.storage_class),
        element("Initiated", iso_time(upload.created_ms)),
    )
