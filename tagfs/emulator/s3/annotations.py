"""Annotations of objects (S3, June 2026): named texts beside an object, changed without it.

From the service model of botocore 1.44: up to 1,000 names of up to 1 MiB of UTF-8 each. They belong
to one version of an object: what is written over it has none, and a copy has its source's unless
its directive says EXCLUDE.
"""

import hashlib
import re

from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.conditions import matches
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date
from tagfs.emulator.xml_text import element, group

_NAME = re.compile(r"(?!aws|s3)[A-Za-z0-9_.-]+")
_LONGEST_NAME, _LONGEST, _MOST = 512, 1024 * 1024, 1000


async def PutObjectAnnotation(context: Context) -> Reply:
    """Add an annotation, or replace it."""
    record, name = _named(context)
    data = await read_document(context)
    try:
        data.decode()
    except UnicodeDecodeError:
        raise ServiceError("UnsupportedMediaType") from None
    if not 0 < len(data) <= _LONGEST:
        raise ServiceError("InvalidRequest", "The annotation has 1 byte to 1 MiB.")
    kept = context.storage.annotations
    present = kept.names(context.bucket.id, record)
    if name not in present and len(present) >= _MOST:
        raise ServiceError("AnnotationLimitExceeded")
    kept.put(context.bucket.id, record, name, data, context.now_ms)
    return Reply(headers={"ETag": _etag(data)})


async def GetObjectAnnotation(context: Context) -> Reply:
    """Show an annotation, or list all of them."""
    if context.parameter("annotationName") is None:
        return _list(context)
    record, name = _named(context)
    found = context.storage.annotations.get(context.bucket.id, record, name)
    if found is None:
        raise ServiceError("NoSuchAnnotation")
    data, mtime_ms = found
    moment = http_date(mtime_ms // MILLISECONDS)
    return Reply(headers={"ETag": _etag(data), "Last-Modified": moment}, body=data)


async def DeleteObjectAnnotation(context: Context) -> Reply:
    """Remove an annotation; a missing one is removed as well as any."""
    record, name = _named(context)
    context.storage.annotations.delete(context.bucket.id, record, name)
    return Reply(status=204)


def _list(context: Context) -> Reply:
    _refuse_denied(context)
    record = context.demand()
    prefix = context.parameter("annotation-prefix") or ""
    after = context.parameter("continuation-token") or ""
    most = context.number("max-annotation-results", _MOST, _MOST)
    kept = context.storage.annotations
    names = [name for name in kept.names(context.bucket.id, record) if name.startswith(prefix)]
    rest = [name for name in names if name > after]
    shown = [_entry(context, record, name) for name in rest[:most]]
    more = element("NextContinuationToken", rest[most - 1]) if len(rest) > most else ""
    return context.document(
        "ListObjectAnnotationsOutput",
        element("Bucket", context.bucket.name),
        element("Key", record.key),
        element("AnnotationCount", str(len(shown))),
        group("Annotations", *shown),
        more,
    )


def _entry(context: Context, record: ObjectRecord, name: str) -> str:
    data, mtime_ms = context.storage.annotations.get(context.bucket.id, record, name) or (b"", 0)
    return group(
        "AnnotationEntry",
        element("AnnotationName", name),
        element("LastModified", context.time(mtime_ms)),
        element("ETag", _etag(data)),
        element("Size", str(len(data))),
    )


def _refuse_denied(context: Context) -> None:
    if "deny_annotations" in context.request.modes:
        raise ServiceError("AccessDenied")


def _named(context: Context) -> tuple[ObjectRecord, str]:
    _refuse_denied(context)
    name = context.parameter("annotationName") or ""
    if len(name.encode()) > _LONGEST_NAME:
        raise ServiceError("AnnotationNameTooLong")
    if not _NAME.fullmatch(name):
        raise ServiceError("InvalidAnnotationName")
    record = context.demand()
    wanted = context.header("x-amz-object-if-match")
    if wanted is not None and not matches(wanted, record.etag):
        raise ServiceError("PreconditionFailed", extra={"Condition": "If-Match"})
    return record, name


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'
