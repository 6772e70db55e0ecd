"""Buckets as a whole: what both services say of them in the same words."""

from tagfs.emulator.amz.context import Context, owner
from tagfs.emulator.amz.errors import Refusal
from tagfs.emulator.exchange import Reply
from tagfs.emulator.markup import element, group

_SCHEMA = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


async def DeleteBucket(context: Context) -> Reply:
    """Remove an empty bucket."""
    bucket = context.bucket
    if not context.storage.buckets.is_empty(bucket.id):
        raise Refusal("BucketNotEmpty", extra={"BucketName": bucket.name})
    context.storage.buckets.delete(bucket.id)
    return Reply(status=204)


async def GetBucketVersioning(context: Context) -> Reply:
    """Say that versioning was never switched on."""
    _ = context.bucket  # or NoSuchBucket
    return context.document("VersioningConfiguration")


async def GetBucketAcl(context: Context) -> Reply:
    """Show a bucket's ACL."""
    return _acl(context, context.bucket.acl)


async def PutBucketAcl(context: Context) -> Reply:
    """Set a bucket's canned ACL; grants one by one are accepted and forgotten."""
    context.storage.buckets.set_acl(context.bucket.id, context.own("acl") or "private")
    return Reply()


async def GetObjectAcl(context: Context) -> Reply:
    """Show an object's ACL."""
    return _acl(context, context.demand().attributes.acl)


async def PutObjectAcl(context: Context) -> Reply:
    """Set an object's canned ACL; grants one by one are accepted and forgotten."""
    acl = context.own("acl") or "private"
    context.storage.objects.set_acl(context.bucket.id, context.demand().key, acl)
    return Reply()


def _acl(context: Context, canned: str) -> Reply:
    identity = owner(context).removeprefix("<Owner>").removesuffix("</Owner>")
    grants = [_grant(_grantee("CanonicalUser", identity), "FULL_CONTROL")]
    if canned.startswith("public-read"):
        everyone = element("URI", "http://acs.amazonaws.com/groups/global/AllUsers")
        names = ["READ", "WRITE"] if canned == "public-read-write" else ["READ"]
        grants += [_grant(_grantee("Group", everyone), name) for name in names]
    return context.document(
        "AccessControlPolicy", owner(context), group("AccessControlList", *grants)
    )


def _grantee(kind: str, inner: str) -> str:
    return f'<Grantee {_SCHEMA} xsi:type="{kind}">{inner}</Grantee>'


def _grant(grantee: str, permission: str) -> str:
    return group("Grant", grantee, element("Permission", permission))
