"""Buckets as a whole: what both services say of them in the same words."""

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply


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
    """Say that versioning was never switched on."""
    _ = context.bucket  # or NoSuchBucket
    return context.document("VersioningConfiguration")
