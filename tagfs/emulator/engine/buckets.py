"""Buckets as a whole: what both services say of them in the same words."""

from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.xml_text import element, parse, text_of


async def DeleteBucket(context: Context) -> Reply:
    """Remove an empty bucket."""
    bucket = context.bucket
    if context.dialect.deletes_uploads and context.storage.buckets.holds_no_object(bucket.id):
        for upload in context.storage.uploads.under_way(bucket.id, "", ("", "")):
            context.storage.uploads.abort(upload)
    if not context.storage.buckets.is_empty(bucket.id):
        raise ServiceError("BucketNotEmpty", extra={"BucketName": bucket.name})
    context.storage.buckets.delete(bucket.id)
    return Reply(status=204)


async def GetBucketVersioning(context: Context) -> Reply:
    """Say whether versions are kept; nothing is said where they never were."""
    status = context.bucket.versioning
    shown = element("Status", status) if status else ""
    return context.document("VersioningConfiguration", shown)


async def PutBucketVersioning(context: Context) -> Reply:
    """Keep versions from now on, or no more; those that there are stay."""
    root = parse(await read_document(context))
    status = "" if root is None else text_of(root, "Status")
    if status not in {"Enabled", "Suspended"}:
        raise ServiceError("MalformedXML")
    if context.is_posix:
        raise ServiceError("FsNotSupport")
    context.storage.buckets.set_versioning(context.bucket.id, status)
    return Reply()
