"""`PUT ?metadata`: what describes an object is edited without a copy (reference, section 8)."""

from dataclasses import replace

from tagfs.emulator.engine.attributes import (
    read_class,
    read_meta,
    read_standard_headers,
    read_tags,
    refuse_archived,
)
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.uncopied import is_uncopied
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import Attributes, ObjectRecord


async def SetObjectMetadata(context: Context) -> Reply:
    """Replace an object's metadata.

    Not documented, and chosen here: tags stay unless the request has some, Last-Modified moves.
    """
    record = context.demand()
    attributes = _edited(context, record)
    objects = context.storage.objects
    objects.update(
        context.bucket.id, replace(record, attributes=attributes, mtime_ms=context.now_ms)
    )
    headers = {f"{context.family}meta-{name}": text for name, text in attributes.meta.items()}
    return Reply(headers={**read_standard_headers(context), **headers})


def _edited(context: Context, record: ObjectRecord) -> Attributes:
    old, directive = record.attributes, (context.own("metadata-directive") or "").upper()
    if directive not in {"REPLACE", "REPLACE_NEW"}:
        raise ServiceError("InvalidArgument", "The metadata directive is neither of both.")
    asked = context.own("storage-class")
    if asked and directive != "REPLACE_NEW":
        raise ServiceError("InvalidRequest", "Changing the storage class needs REPLACE_NEW.")
    if asked and context.is_posix and context.key.endswith("/"):
        raise ServiceError("FsNotSupport")
    if asked:
        refuse_archived(context, record)
    headers = {name: text for name, text in old.headers.items() if is_uncopied(name)}
    headers |= read_standard_headers(context)
    if directive == "REPLACE_NEW":
        headers = {**old.headers, **headers}
    tags = read_tags(context) if context.own("tagging") is not None else old.tags
    return replace(
        old,
        headers=headers,
        meta=read_meta(context),
        tags=tags,
        storage_class=read_class(context) if asked else old.storage_class,
    )
