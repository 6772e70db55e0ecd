"""Buckets of OSS: making, describing and enumerating them, and the ACLs, which are words."""

import re

from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context, owner
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import read_acl
from tagfs.emulator.messages import Reply
from tagfs.emulator.oss.dialect import CLASSES, OBJECT_ACLS
from tagfs.emulator.storage.records import BucketRecord
from tagfs.emulator.xml_text import element, group, parse, text_of

_ACLS = OBJECT_ACLS - {"default"}
_PAIR = re.compile(r'"([^"]*)":"([^"]*)"')
_DEFAULT, _MOST = 100, 1000


def _location(context: Context) -> str:
    return f"oss-{context.config.region}"


async def PutBucket(context: Context) -> Reply:
    """Make a bucket; one that is yours already is left as it is."""
    name = context.call.bucket or ""
    data = await read_document(context)
    storage_class = "Standard"
    if data:
        root = parse(data)
        if root is None:
            raise ServiceError("MalformedXML")
        storage_class = text_of(root, "StorageClass") or storage_class
    if storage_class not in CLASSES:
        raise ServiceError("InvalidArgument", "No such storage class.")
    if context.storage.buckets.get(name) is None:
        bucket = context.storage.buckets.create(
            name, context.now_ms, storage_class=storage_class, acl=_acl(context) or "private"
        )
        _tag_new(context, bucket)
    return Reply(headers={"Location": f"/{name}"})


def _tag_new(context: Context, bucket: BucketRecord) -> None:
    header = context.header("x-oss-bucket-tagging")
    if header:
        words = (word.partition("=") for word in header.split("&"))
        tags = context.dialect.bucket_tags.check([(key, value) for key, _, value in words])
        context.storage.buckets.set_tags(bucket.id, tags)


async def GetBucketInfo(context: Context) -> Reply:
    """Describe a bucket."""
    bucket = context.bucket
    return context.document(
        "BucketInfo",
        group(
            "Bucket",
            _summary(context, bucket),
            element("DataRedundancyType", "LRS"),
            element("AccessMonitor", "Disabled"),
            element("TransferAcceleration", "Disabled"),
            element("CrossRegionReplication", "Disabled"),
            element("BlockPublicAccess", "true"),
            element("Comment", ""),
            element("ResourceGroupId", "rg-default-id"),
            owner(context),
            group("AccessControlList", element("Grant", bucket.acl)),
            group("ServerSideEncryptionRule", element("SSEAlgorithm", "None")),
            group("BucketPolicy", element("LogBucket", ""), element("LogPrefix", "")),
            element("Versioning", bucket.versioning) if bucket.versioning else "",
        ),
    )


def _summary(context: Context, bucket: BucketRecord) -> str:
    location = _location(context)
    return "".join(
        (
            element("CreationDate", context.time(bucket.created_ms)),
            element("ExtranetEndpoint", f"{location}.aliyuncs.com"),
            element("IntranetEndpoint", f"{location}-internal.aliyuncs.com"),
            element("Location", location),
            element("Name", bucket.name),
            element("Region", context.config.region),
            element("StorageClass", bucket.storage_class),
        )
    )


async def GetBucketLocation(context: Context) -> Reply:
    """Tell the region."""
    _ = context.bucket  # or NoSuchBucket
    return context.document("LocationConstraint", _location(context))


async def GetBucketStat(context: Context) -> Reply:
    """Count a bucket's objects and bytes; the real service does so hours later."""
    size, count, uploads = context.storage.buckets.usage(context.bucket.id)
    fields = {
        "Storage": size,
        "ObjectCount": count,
        "MultipartUploadCount": uploads,
        "LiveChannelCount": 0,
        "LastModifiedTime": 0,
        "StandardStorage": size,
        "StandardObjectCount": count,
    }
    names = ("InfrequentAccess", "Archive", "ColdArchive", "DeepColdArchive")
    for name in names:
        fields |= {f"{name}Storage": 0, f"{name}RealStorage": 0, f"{name}ObjectCount": 0}
    fields |= {"MultipartPartCount": 0, "DeleteMarkerCount": 0}
    return context.document("BucketStat", *(element(name, value) for name, value in fields.items()))


def _acl(context: Context) -> str | None:
    acl = context.header("x-oss-acl")
    if acl is not None and acl not in _ACLS:
        raise ServiceError("InvalidArgument", "No such bucket ACL.")
    return acl


def _acl_reply(context: Context, acl: str) -> Reply:
    grant = group("AccessControlList", element("Grant", acl))
    return context.document("AccessControlPolicy", owner(context), grant)


async def GetBucketAcl(context: Context) -> Reply:
    """Show a bucket's ACL."""
    return _acl_reply(context, context.bucket.acl)


async def PutBucketAcl(context: Context) -> Reply:
    """Set a bucket's ACL."""
    context.storage.buckets.set_acl(context.bucket.id, _acl(context) or "private")
    return Reply()


async def GetObjectAcl(context: Context) -> Reply:
    """Show an object's ACL."""
    return _acl_reply(context, context.demand().attributes.acl)


async def PutObjectAcl(context: Context) -> Reply:
    """Set an object's ACL."""
    acl = read_acl(context)
    context.storage.objects.set_acl(context.bucket.id, context.demand(), acl)
    return Reply()


async def ListBuckets(context: Context) -> Reply:
    """Enumerate the buckets, all of them or those that bear a tag."""
    prefix, marker = context.parameter("prefix") or "", context.parameter("marker") or ""
    limit = context.number("max-keys", _DEFAULT, _MOST)
    found = [
        bucket
        for bucket in context.storage.buckets.all()
        if bucket.name.startswith(prefix) and bucket.name > marker and _has_tag(context, bucket)
    ]
    shown, truncated = found[:limit], len(found) > limit
    return context.document(
        "ListAllMyBucketsResult",
        owner(context),
        element("Prefix", prefix),
        element("Marker", marker),
        element("MaxKeys", limit),
        element("IsTruncated", "true" if truncated else "false"),
        element("NextMarker", shown[-1].name if truncated else ""),
        group("Buckets", *(group("Bucket", _summary(context, bucket)) for bucket in shown)),
    )


def _has_tag(context: Context, bucket: BucketRecord) -> bool:
    wanted = _PAIR.findall(context.parameter("tagging") or "")
    if not all(bucket.tags.get(key) == value for key, value in wanted):
        return False
    key, value = context.parameter("tag-key"), context.parameter("tag-value")
    if not key:
        return True
    return key in bucket.tags and value in {None, "", bucket.tags[key]}
