"""What S3 Control has for buckets: their tags, one by one; and ABAC, which leaves these to it.

From the service models of botocore 1.44 (s3control; s3 PutBucketAbac). What PutBucketTagging is
refused with is documented nowhere; here it is MethodNotAllowed.
"""

from tagfs.emulator.engine.addressing import Target, decode
from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.routes import NotOffered, Route, Table
from tagfs.emulator.engine.tagging import GetBucketTags
from tagfs.emulator.messages import Reply, Request
from tagfs.emulator.xml_text import element, group, parse, text_of

ACCOUNT = "123456789012"
_PATH = "/v20180820/tags/"
_ARN = "arn:aws:s3:::"


def find(request: Request) -> tuple[Target, Route] | None:
    """Return what a request to S3 Control is for; None if it is none."""
    if not request.path.startswith(_PATH):
        return None
    name = decode(request.path.removeprefix(_PATH)).removeprefix(_ARN)
    handlers = {"POST": TagResource, "DELETE": UntagResource, "GET": ListTagsForResource}
    return Target(name, None, virtual=False), Route(
        handlers.get(request.method, NotOffered), "tags"
    )


async def TagResource(context: Context) -> Reply:
    """Add tags, or change them; all others stay."""
    _check_account(context)
    root = parse(await read_document(context))
    if root is None:
        raise ServiceError("MalformedXML")
    given = {text_of(each, "Key"): text_of(each, "Value") for each in root.iter("Tag")}
    tags = {key: value or "" for key, value in given.items() if key}
    merged = {**context.bucket.tags, **tags}
    context.dialect.bucket_tags.check(list(merged.items()))
    context.storage.buckets.set_tags(context.bucket.id, merged)
    return Reply(status=204)


async def UntagResource(context: Context) -> Reply:
    """Remove the tags of some keys."""
    _check_account(context)
    gone = {value for name, value in context.request.pairs if name == "tagKeys"}
    left = {key: value for key, value in context.bucket.tags.items() if key not in gone}
    context.storage.buckets.set_tags(context.bucket.id, left)
    return Reply(status=204)


async def ListTagsForResource(context: Context) -> Reply:
    """Show all tags."""
    _check_account(context)
    pairs = (
        group("Tag", element("Key", key), element("Value", value))
        for key, value in context.bucket.tags.items()
    )
    return context.document("ListTagsForResourceResult", group("Tags", *pairs))


async def GetBucketAbac(context: Context) -> Reply:
    """Say whether tags decide who may do what."""
    _ = context.bucket  # or NoSuchBucket
    return context.document("AbacStatus", element("Status", "Disabled"))


async def GetEnabledAbac(context: Context) -> Reply:
    """Say that they do."""
    _ = context.bucket  # or NoSuchBucket
    return context.document("AbacStatus", element("Status", "Enabled"))


async def RefusedTags(context: Context) -> Reply:
    """Refuse to change tags that decide who may do what."""
    raise ServiceError("MethodNotAllowed", extra={"Method": context.request.method})


ENABLED: Table = {
    ("GET", "abac"): GetEnabledAbac,
    ("GET", "tagging"): GetBucketTags,
    ("PUT", "tagging"): RefusedTags,
    ("DELETE", "tagging"): RefusedTags,
}


def _check_account(context: Context) -> None:
    if context.header("x-amz-account-id") != ACCOUNT:
        raise ServiceError("AccessDenied", "That is another account's.")
