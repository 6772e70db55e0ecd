"""Object and bucket tagging: PUT, GET and DELETE of `?tagging`."""

from tagfs.emulator.engine.attributes import version_header
from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.tags import TagRules, parse_document, render_tags
from tagfs.emulator.messages import Reply


async def PutObjectTagging(context: Context) -> Reply:
    """Replace an object's tag set; a link's own, not its target's. OBS answers 200, as S3 does."""
    _refuse_without_tagging(context)
    tags = await _read(context, context.dialect.object_tags)
    return Reply(headers=_set(context, tags))


async def GetObjectTagging(context: Context) -> Reply:
    """Show an object's tag set; services differ in what they say of an empty one."""
    _refuse_without_tagging(context)
    if "deny_tags" in context.request.modes:
        raise ServiceError("AccessDenied")
    tags = context.demand().attributes.tags
    if not tags and context.dialect.untagged == "404":
        raise ServiceError("NoSuchTagSet")
    if not tags and context.dialect.untagged == "empty":
        return Reply()
    return context.document("Tagging", render_tags(tags))


async def DeleteObjectTagging(context: Context) -> Reply:
    """Remove an object's tag set; 204 even if there is none."""
    _refuse_without_tagging(context)
    return Reply(status=204, headers=_set(context, {}))


async def PutBucketTags(context: Context) -> Reply:
    """Replace a bucket's tag set."""
    tags = await _read(context, context.dialect.bucket_tags)
    context.storage.buckets.set_tags(context.bucket.id, tags)
    return Reply(status=context.dialect.bucket_tagged)


async def GetBucketTags(context: Context) -> Reply:
    """Show a bucket's tag set."""
    tags = context.bucket.tags
    if not tags and context.dialect.untagged_bucket == "404":
        raise ServiceError("NoSuchTagSet", extra={"BucketName": context.bucket.name})
    return context.document("Tagging", render_tags(tags))


async def DeleteBucketTags(context: Context) -> Reply:
    """Remove a bucket's tag set, or the tags that are named."""
    named = (context.parameter("tagging") or "").split(",")
    left: dict[str, str] = {}
    if context.dialect.deletes_named_tags and named != [""]:
        left = {key: value for key, value in context.bucket.tags.items() if key not in named}
    context.storage.buckets.set_tags(context.bucket.id, left)
    return Reply(status=204)


def _set(context: Context, tags: dict[str, str]) -> dict[str, str]:
    record = context.demand()
    moved = context.now_ms if context.dialect.tagging_modifies else None
    context.storage.objects.set_tags(context.bucket.id, record, tags, moved)
    return version_header(context, record)


def _refuse_without_tagging(context: Context) -> None:
    if context.is_posix:
        raise ServiceError("FsNotSupport")
    if not context.dialect.object_tagging:
        raise ServiceError("MethodNotAllowed", "Object tagging is not enabled.")


async def _read(context: Context, rules: TagRules) -> dict[str, str]:
    data = await read_document(context, integrity=context.dialect.tagging_needs_digest)
    return parse_document(data, rules)
