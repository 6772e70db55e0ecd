"""CopyObject: extents are shared, so a copy of any size is a row."""

from dataclasses import replace

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.addressing import decode, is_key
from tagfs.emulator.oss.attributes import (
    is_encryption,
    read_acl,
    read_class,
    read_encryption,
    read_meta,
    read_standard_headers,
    read_tags,
    refuse_archived,
    refuse_overwrite,
    wants_exclusive,
)
from tagfs.emulator.oss.conditions import check_conditions
from tagfs.emulator.oss.context import Context, no_such_key
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.oss.intake import SINGLE_LIMIT, too_large
from tagfs.emulator.storage.records import Attributes, BucketRecord, Kind, ObjectRecord
from tagfs.emulator.time_formats import iso_time
from tagfs.emulator.xml_text import element, render

SOURCE = "x-oss-copy-source"


def find_source(context: Context) -> tuple[BucketRecord, ObjectRecord]:
    """Return the object that a copy is to be made of, judged by the copy-source conditions.

    Raises:
        ServiceError: there is none, or it is not the wanted one.
    """
    path = (context.header(SOURCE) or "").partition("?versionId=")[0]
    name, _, rest = decode(path).removeprefix("/").partition("/")
    if not name or not is_key(rest):
        raise ServiceError("InvalidArgument", "Copy source must mention the source bucket and key.")
    bucket = context.bucket_named(name)
    record = context.storage.objects.get(bucket.id, rest)
    if record is None:
        raise no_such_key(rest)
    check_conditions(context.request.headers, record, record.mtime_ms, f"{SOURCE}-")
    return bucket, record


async def CopyObject(context: Context) -> Reply:
    """Copy an object, or a link as a link; onto itself it only changes what describes it."""
    exclusive = wants_exclusive(context)
    bucket, source = find_source(context)
    refuse_overwrite(context, exclusive=exclusive)
    refuse_archived(context, source)
    is_self = bucket.name == context.call.bucket and source.key == context.key
    attributes = _attributes(context, source, is_self=is_self)
    same_class = attributes.storage_class == source.attributes.storage_class
    if source.size > SINGLE_LIMIT and not (bucket.name == context.call.bucket and same_class):
        raise too_large()
    record = replace(
        source,
        key=context.key,
        kind=_kind(source, is_self=is_self),
        mtime_ms=context.now_ms,
        attributes=attributes,
        restored_from_ms=0,
        restored_until_ms=0,
    )
    context.storage.objects.share(context.bucket.id, record)
    body = render(
        "CopyObjectResult",
        element("ETag", f'"{record.etag}"'),
        element("LastModified", iso_time(record.mtime_ms)),
    )
    headers = {"Content-Type": "application/xml", "ETag": f'"{record.etag}"'}
    if record.crc64 is not None:
        headers["x-oss-hash-crc64ecma"] = str(record.crc64)
    return Reply(headers=headers, body=body)


def _kind(source: ObjectRecord, *, is_self: bool) -> Kind:
    if source.kind is Kind.APPENDABLE and not is_self:
        return Kind.NORMAL
    return source.kind


def _attributes(context: Context, source: ObjectRecord, *, is_self: bool) -> Attributes:
    kept = source.attributes
    headers = {name: text for name, text in kept.headers.items() if not is_encryption(name)}
    meta, tags = kept.meta, kept.tags
    # CopyObject page: onto itself, the metadata in the request is taken whatever the directive.
    if _directive(context, "metadata") == "REPLACE" or is_self:
        headers, meta = read_standard_headers(context), read_meta(context)
    if _directive(context, "tagging") == "REPLACE":
        tags = read_tags(context)
    return Attributes(
        headers={**headers, **read_encryption(context)},
        meta=meta,
        tags=tags,
        storage_class=read_class(context, kept.storage_class if is_self else "")
        if context.header("x-oss-storage-class") or is_self
        else context.bucket.storage_class,
        acl=read_acl(context),
    )


def _directive(context: Context, name: str) -> str:
    value = (context.header(f"x-oss-{name}-directive") or "COPY").upper()
    if value not in {"COPY", "REPLACE"}:
        raise ServiceError(
            "InvalidArgument", f"The x-oss-{name}-directive is neither COPY nor REPLACE."
        )
    return value
