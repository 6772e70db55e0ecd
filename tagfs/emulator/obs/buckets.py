"""Buckets of OBS: making, describing and enumerating them, and the probe of the SDKs."""

from tagfs.emulator.engine.attributes import STANDARD, shown_class
from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import POSIX, Context, owner
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import BucketRecord
from tagfs.emulator.time_formats import exact_time
from tagfs.emulator.xml_text import element, escape, group, parse, text_of

_VERSION = "3.0"
_MOST = 1000


async def ApiVersion(_: Context) -> Reply:
    """Tell the SDKs which signature to use; the real service says 404 of an unknown bucket."""
    return Reply(headers={"x-obs-api": _VERSION, "Content-Length": "0"})


async def PutBucket(context: Context) -> Reply:
    """Make a bucket, or a file system; one that is yours already is left as it is."""
    data = await read_document(context)
    if data and parse(data) is None:
        raise ServiceError("MalformedXML")
    name = context.call.bucket or ""
    asked = (
        context.own("storage-class")
        or context.header("x-default-storage-class")  # what the SDK says when it signs V2
        or STANDARD
    )
    if asked not in context.dialect.classes:
        raise ServiceError("InvalidArgument", "No such storage class.")
    is_posix = (context.own("fs-file-interface") or "").lower() == "enabled"
    if is_posix and asked in context.dialect.not_in_file_systems:
        raise ServiceError("FsNotSupport")
    if context.storage.buckets.get(name) is None:
        context.storage.buckets.create(
            name,
            context.now_ms,
            storage_class=context.dialect.classes[asked],
            acl=context.own("acl") or "private",
            kind=POSIX if is_posix else "OBJECT",
        )
    return Reply(headers={"Location": f"/{name}"})


async def HeadBucket(context: Context) -> Reply:
    """Describe a bucket in headers."""
    bucket, family = context.bucket, context.family
    name = shown_class(context, bucket.storage_class)
    headers = {
        f"{family}bucket-location": context.config.region,
        f"{family}bucket-region": context.config.region,
        f"{family}storage-class": name,
        f"{family}epid": "0",
        "x-obs-version": _VERSION,
        "Content-Length": "0",
    }
    if family == "x-amz-":
        headers["x-default-storage-class"] = name
    if bucket.kind == POSIX:
        headers["x-obs-fs-file-interface"] = "Enabled"
        headers["x-obs-bucket-type"] = POSIX
    return Reply(headers=headers)


async def GetBucketLocation(context: Context) -> Reply:
    """Tell the region; callers with x-amz-* headers get the document that S3 has for it."""
    _ = context.bucket  # or NoSuchBucket
    if context.family == "x-amz-":
        region = element("LocationConstraint", context.config.region)
        return context.document("CreateBucketConfiguration", region)
    return context.document("Location", escape(context.config.region))


async def GetBucketStorageInfo(context: Context) -> Reply:
    """Count a bucket's objects and bytes."""
    size, count, _ = context.storage.buckets.usage(context.bucket.id)
    return context.document(
        "GetBucketStorageInfoResult", element("Size", size), element("ObjectNumber", count)
    )


async def GetBucketStorageClass(context: Context) -> Reply:
    """Tell the default storage class."""
    name = shown_class(context, context.bucket.storage_class)
    if context.family == "x-amz-":
        return context.document("StoragePolicy", element("DefaultStorageClass", name))
    return context.document("StorageClass", name)


async def PutBucketStorageClass(context: Context) -> Reply:
    """Set the storage class of new objects."""
    root = parse(await read_document(context))
    name = None if root is None else root.text or text_of(root, "DefaultStorageClass")
    if name is None or name not in context.dialect.classes:
        raise ServiceError("MalformedXML")
    context.storage.buckets.set_class(context.bucket.id, context.dialect.classes[name])
    return Reply()


async def GetBucketQuota(context: Context) -> Reply:
    """Say that there is no quota."""
    _ = context.bucket  # or NoSuchBucket
    return context.document("Quota", element("StorageQuota", 0))


async def ListBuckets(context: Context) -> Reply:
    """Enumerate the buckets, perhaps those of one type."""
    kind = (context.own("bucket-type") or "").upper()
    kind = kind if kind in {"OBJECT", POSIX} else ""  # another value counts for nothing
    marker, limit = context.parameter("marker") or "", context.number("max-keys", _MOST, _MOST)
    found = [
        each
        for each in context.storage.buckets.all()
        if kind in {"", each.kind} and each.name > marker
    ]
    shown, truncated = found[:limit], len(found) > limit
    return context.document(
        "ListAllMyBucketsResult",
        owner(context),
        element("IsTruncated", "true" if truncated else "false"),
        element("Marker", marker),
        element("NextMarker", shown[-1].name) if truncated and shown else "",
        element("MaxKeys", limit),
        group("Buckets", *(_summary(context, bucket) for bucket in shown)),
    )


def _summary(context: Context, bucket: BucketRecord) -> str:
    return group(
        "Bucket",
        element("Name", bucket.name),
        element("CreationDate", exact_time(bucket.created_ms)),
        element("Location", context.config.region),
        element("BucketType", bucket.kind),
    )
