"""CopyObject: extents are shared, so a copy of any size is a row."""

from dataclasses import replace

from tagfs.emulator.engine.addressing import decode, is_text
from tagfs.emulator.engine.attributes import (
    answer_headers,
    checksums,
    read_class,
    read_headers,
    read_meta,
    read_tags,
    refuse_archived,
    version_header,
)
from tagfs.emulator.engine.body_upload import SINGLE_LIMIT
from tagfs.emulator.engine.conditions import (
    check_source,
    guard_overwrite,
    guard_version,
    wants_exclusive,
)
from tagfs.emulator.engine.context import Context, no_such_key
from tagfs.emulator.engine.customer_keys import check_key
from tagfs.emulator.engine.directories import make_parents
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import read_acl
from tagfs.emulator.engine.uncopied import is_uncopied, read_uncopied
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import Attributes, BucketRecord, Kind, ObjectRecord
from tagfs.emulator.xml_text import element

SOURCE = "copy-source"


def find_source(context: Context) -> tuple[BucketRecord, ObjectRecord]:
    """Return the object that a copy is to be made of, judged by the copy-source conditions.

    Raises:
        ServiceError: there is none, or it is not the wanted one.
    """
    path, _, version = (context.own(SOURCE) or "").partition("?versionId=")
    name, _, key = decode(path).removeprefix("/").partition("/")
    if not name or not key or not is_text(key):
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise ServiceError("InvalidArgument", message)
    bucket = context.bucket_named(name)
    record = context.find_version(bucket, key, version)
    if record is None:
        raise no_such_key(key)
    check_key(context, record.attributes.headers, f"{SOURCE}-")
    families = context.dialect.families if context.dialect.copies.conditional else ()
    for family in families:
        check_source(context, record, f"{family}{SOURCE}-")
    return bucket, record


def quoted(context: Context, etag: str) -> str:
    """Return an ETag as the documents that answer copies have it."""
    return f'"{etag}"' if context.dialect.copies.quotes_etag else etag


async def CopyObject(context: Context) -> Reply:
    """Copy an object, or a link as a link; a copy keeps the ETag whatever made it."""
    rules = context.dialect.copies
    if rules.refuses_body and context.request.body.length:
        raise ServiceError("MaxMessageLengthExceeded")
    wants_exclusive(context)
    bucket, source = find_source(context)
    guard_overwrite(context)
    if rules.guards_target:
        guard_version(context)
    refuse_archived(context, source)
    is_self = bucket.name == context.call.bucket and source.key == context.key
    if is_self and bucket.versioning:
        current = context.storage.objects.get(bucket.id, source.key)
        is_self = current is not None and current.version == source.version
    if is_self and not rules.edits_in_place:
        _refuse_idle(context)
    edits = is_self and rules.edits_in_place
    attributes = _attributes(context, source, edits=edits)
    _check_size(context, bucket, source, attributes)
    make_parents(context)
    record = replace(
        source,
        key=context.key,
        kind=source.kind if edits or source.kind is not Kind.APPENDABLE else Kind.NORMAL,
        mtime_ms=context.now_ms,
        attributes=attributes,
        restored_from_ms=0,
        restored_until_ms=0,
    )
    takes = rules.annotations and _directive(context, "object-annotation", "COPY") != "EXCLUDE"
    if takes:
        _check_annotations(context, bucket, source)
    record = context.storage.objects.share(context.bucket.id, record)
    if takes:
        kept = context.storage.annotations
        kept.copy(bucket.id, source, context.bucket.id, record)
    reply = context.document(
        "CopyObjectResult",
        element("LastModified", context.time(record.mtime_ms)),
        element("ETag", quoted(context, record.etag)),
    )
    reply.headers |= answer_headers(context, record)
    reply.headers |= version_header(context, source, name="copy-source-version-id")
    return reply


def _check_annotations(context: Context, bucket: BucketRecord, source: ObjectRecord) -> None:
    """Refuse to copy annotations for whom they are not."""
    names = context.storage.annotations.names(bucket.id, source)
    if names and "deny_annotations" in context.request.modes:
        raise ServiceError("AccessDenied")


def _check_size(
    context: Context, bucket: BucketRecord, source: ObjectRecord, attributes: Attributes
) -> None:
    rules = context.dialect.copies
    stays = bucket.name == context.call.bucket
    stays = stays and attributes.storage_class == source.attributes.storage_class
    if source.size > SINGLE_LIMIT and not (rules.any_size and stays):
        raise ServiceError(*rules.too_large)


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


def _attributes(context: Context, source: ObjectRecord, *, edits: bool) -> Attributes:
    kept, rules = source.attributes, context.dialect.copies
    headers = {name: text for name, text in kept.headers.items() if not is_uncopied(name)}
    meta, tags = kept.meta, kept.tags
    replaces = _directive(context, "metadata", "COPY") == "REPLACE"
    if replaces or edits:
        headers = {**read_headers(context), **checksums(kept.headers)}
        meta = _kept_meta(rules.keeps_meta, kept.meta) | read_meta(context)
        if rules.keeps_type and not context.header("Content-Type"):
            headers["Content-Type"] = kept.headers["Content-Type"]
    if not rules.tagging_directive:
        tags = {} if replaces else tags
    elif _directive(context, "tagging", rules.tags) == "REPLACE":
        tags = read_tags(context)
    return Attributes(
        headers={**headers, **read_uncopied(context)},
        meta=meta,
        tags=tags,
        storage_class=read_class(context, kept.storage_class if edits else ""),
        acl=read_acl(context),
    )


def _kept_meta(prefix: str, meta: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in meta.items() if prefix and name.startswith(prefix)}


def _directive(context: Context, name: str, default: str) -> str:
    value = (context.own(f"{name}-directive") or default).upper()
    if value not in ({"COPY", "EXCLUDE"} if "annotation" in name else {"COPY", "REPLACE"}):
        message = f"The {name} directive is neither COPY nor REPLACE."
        raise ServiceError("InvalidArgument", message)
    return value
