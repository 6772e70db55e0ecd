"""Object and bucket tagging: PUT, GET and DELETE of `?tagging`."""

import hashlib

from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.oss.intake import check_md5
from tagfs.emulator.oss.tags import (
    BUCKET_RULES,
    OBJECT_RULES,
    Rules,
    parse_document,
    render_document,
)

_XML = {"Content-Type": "application/xml"}


async def PutObjectTagging(context: Context) -> Reply:
    """Replace an object's tag set; a link's own, not its target's."""
    tags = await _read(context, OBJECT_RULES)
    record = context.demand()
    context.storage.objects.set_tags(context.bucket.id, record.key, tags)
    return Reply()


async def GetObjectTagging(context: Context) -> Reply:
    """Show an object's tag set; an empty one is no error."""
    if "deny_tags" in context.request.modes:
        raise ServiceError("AccessDenied", "You have no right to read the tags of this object.")
    return Reply(headers=dict(_XML), body=render_document(context.demand().attributes.tags))


async def DeleteObjectTagging(context: Context) -> Reply:
    """Remove an object's tag set."""
    record = context.demand()
    context.storage.objects.set_tags(context.bucket.id, record.key, {})
    return Reply(status=204)


async def PutBucketTags(context: Context) -> Reply:
    """Replace a bucket's tag set."""
    tags = await _read(context, BUCKET_RULES)
    context.storage.buckets.set_tags(context.bucket.id, tags)
    return Reply()


async def GetBucketTags(context: Context) -> Reply:
    """Show a bucket's tag set."""
    return Reply(headers=dict(_XML), body=render_document(context.bucket.tags))


async def DeleteBucketTags(context: Context) -> Reply:
    """Remove a bucket's tags: those named in the value of the parameter, or all."""
    bucket = context.bucket
    named = (context.parameter("tagging") or "").split(",")
    left = {key: value for key, value in bucket.tags.items() if key not in named}
    context.storage.buckets.set_tags(bucket.id, left if named != [""] else {})
    return Reply(status=204)


async def _read(context: Context, rules: Rules) -> dict[str, str]:
    data = await context.xml_body()
    check_md5(context.request, hashlib.md5(data).hexdigest())
    return parse_document(data, rules)
