"""Buckets of S3: making, describing and enumerating them."""

import re

from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context, owner
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.time_formats import exact_time
from tagfs.emulator.xml_text import element, escape, group, parse, text_of

_MOST = 10_000
_REGION = re.compile("EU|[a-z]+(-[a-z]+)+-[0-9]+")
_FIRST_REGION = "us-east-1"


async def PutBucket(context: Context) -> Reply:
    """Make a bucket; making it again is an error, but in the first region."""
    data = await read_document(context)
    root = parse(data) if data else None
    if data and root is None:
        raise ServiceError("MalformedXML")
    where = "" if root is None else text_of(root, "LocationConstraint") or ""
    if where and not _REGION.fullmatch(where):
        raise ServiceError("InvalidLocationConstraint", extra={"LocationConstraint": where})
    name = context.call.bucket or ""
    if context.storage.buckets.get(name) is not None and context.config.region != _FIRST_REGION:
        raise ServiceError("BucketAlreadyOwnedByYou", extra={"BucketName": name})
    context.storage.buckets.create(
        name, context.now_ms, storage_class="STANDARD", acl=context.own("acl") or "private"
    )
    return Reply(headers={"Location": f"/{name}"})


async def HeadBucket(context: Context) -> Reply:
    """Say that a bucket is there, and where."""
    _ = context.bucket  # or NoSuchBucket
    headers = {"x-amz-bucket-region": context.config.region, "x-amz-access-point-alias": "false"}
    return Reply(headers={**headers, "Content-Length": "0"})


async def GetBucketLocation(context: Context) -> Reply:
    """Tell the region, the first one by saying nothing."""
    _ = context.bucket  # or NoSuchBucket
    region = context.config.region
    return context.document("LocationConstraint", "" if region == _FIRST_REGION else escape(region))


async def ListBuckets(context: Context) -> Reply:
    """Enumerate the buckets."""
    prefix, token = context.parameter("prefix") or "", context.parameter("continuation-token")
    limit = context.number("max-buckets", _MOST, _MOST)
    found = [
        each
        for each in context.storage.buckets.all()
        if each.name.startswith(prefix) and each.name > (token or "")
    ]
    shown, more = found[:limit], len(found) > limit
    summaries = (
        group(
            "Bucket",
            element("Name", bucket.name),
            element("CreationDate", exact_time(bucket.created_ms)),
        )
        for bucket in shown
    )
    return context.document(
        "ListAllMyBucketsResult",
        owner(context),
        group("Buckets", *summaries),
        element("ContinuationToken", shown[-1].name) if more else "",
        element("Prefix", prefix) if prefix else "",
    )
