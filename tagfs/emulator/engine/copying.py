"""CopyObject: extents are shared, so a copy of any size is a row."""

from dataclasses import replace

from tagfs.emulator.engine.addressing import decode
from tagfs.emulator.engine.attributes import (
    guard_overwrite,
    read_class,
    read_meta,
    read_standard_headers,
    read_tags,
    refuse_archived,
)
from tagfs.emulator.engine.body_upload import SINGLE_LIMIT
from tagfs.emulator.engine.conditions import check_source
from tagfs.emulator.engine.context import Context, no_such_key
from tagfs.emulator.engine.directories import make_parents
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import read_acl
from tagfs.emulator.engine.uncopied import is_uncopied, read_uncopied
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import Attributes, BucketRecord, Kind, ObjectRecord
from tagfs.emulator.time_formats import exact_time
from tagfs.emulator.xml_text import element

SOURCE = "copy-source"


def find_source(context: Context) -> tuple[BucketRecord, ObjectRecord]:
    """Return the object that a copy is to be made of, judged by the copy-source conditions.

    Raises:
        ServiceError: there is none, or it is not the wanted one.
    """
    path = (context.own(SOURCE) or "").partition("?versionId=")[0]
    name, _, key = decode(path).removeprefix("/").partition("/")
    if not name or not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise ServiceError("InvalidArgument", message)
    bucket = context.bucket_named(name)
    record = context.storage.objects.get(bucket.id, key)
    if record is None:
        raise no_such_key(key)
    families = context.dialect.families if context.dialect.conditional_copies else ()
    for family in families:
        check_source(context.request.headers, record, f"{family}{SOURCE}-")
    return bucket, record


def quoted(context: Context, etag: str) -> str:
    """Return an ETag as the documents that answer copies have it."""
    return f'"{etag}"' if context.dialect.quotes_copies else etag


async def CopyObject(context: Context) -> Reply:
    """Copy an object, or a link as a link; a copy keeps the ETag whatever made it."""
    if context.request.body.length:
        raise ServiceError("MaxMessageLengthExceeded")
    bucket, source = find_source(context)
    guard_overwrite(context)
    refuse_archived(context, source)
    if source.size > SINGLE_LIMIT:
        message = (
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {SINGLE_LIMIT}"
        )
        raise ServiceError("InvalidRequest", message)
    if bucket.name == context.call.bucket and source.key == context.key:
        _refuse_idle(context)
    make_parents(context)
    record = replace(
        source,
        key=context.key,
        kind=Kind.NORMAL if source.kind is Kind.APPENDABLE else source.kind,
        mtime_ms=context.now_ms,
        attributes=_attributes(context, source),
        restored_from_ms=0,
        restored_until_ms=0,
    )
    context.storage.objects.share(context.bucket.id, record)
    return context.document(
        "CopyObjectResult",
        element("LastModified", exact_time(record.mtime_ms)),
        element("ETag", quoted(context, record.etag)),
    )


def _refuse_idle(context: Context) -> None:
    """Refuse a copy onto itself that changes nothing."""
    changes = ("storage-class", "website-redirect-location", "server-side-encryption")
    if _directive(context, "metadata", "COPY") == "COPY" and not any(map(context.own, changes)):
        raise ServiceError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.",
        )


def _attributes(context: Context, source: ObjectRecord) -> Attributes:
    kept = source.attributes
    headers = {name: text for name, text in kept.headers.items() if not is_uncopied(name)}
    meta, tags = kept.meta, kept.tags
    replaces = _directive(context, "metadata", "COPY") == "REPLACE"
    if replaces:
        headers = {"Content-Type": "binary/octet-stream", **read_standard_headers(context)}
        meta = read_meta(context)
    if replaces and not context.dialect.keeps_replaced_tags:
        tags = {}
    elif _directive(context, "tagging", context.dialect.tagging_directive) == "REPLACE":
        tags = read_tags(context)
    return Attributes(
        headers={**headers, **read_uncopied(context)},
        meta=meta,
        tags=tags,
        storage_class=read_class(context),
        acl=read_acl(context),
    )


def _directive(context: Context, name: str, default: str) -> str:
    value = (context.own(f"{name}-directive") or default).upper()
    if value not in {"COPY", "REPLACE"}:
        raise ServiceError("InvalidArgument", f"Unknown {name} directive.")
    return value
