"""Object and bucket ACLs: GET and PUT of `?acl`, and who owns what is uploaded."""

from tagfs.emulator.engine.body_upload import read_document
from tagfs.emulator.engine.context import Context, owner
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.grants import HEADERS, parse_grants, read_acl, render_grants, store
from tagfs.emulator.messages import Reply
from tagfs.emulator.xml_text import element, group, parse


async def GetBucketAcl(context: Context) -> Reply:
    """Show a bucket's ACL."""
    return _reply(context, context.bucket.acl)


async def PutBucketAcl(context: Context) -> Reply:
    """Set a bucket's ACL."""
    acl = await _asked(context)
    context.storage.buckets.set_acl(context.bucket.id, acl)
    return Reply()


async def GetObjectAcl(context: Context) -> Reply:
    """Show an object's ACL; where ACLs are off, it is the owner's."""
    return _reply(context, context.demand().attributes.acl)


async def PutObjectAcl(context: Context) -> Reply:
    """Set an object's ACL by a canned word, grants in headers, or a document."""
    acl = await _asked(context)
    context.storage.objects.set_acl(context.bucket.id, context.demand(), acl)
    return Reply()


async def GetBucketOwnershipControls(context: Context) -> Reply:
    """Tell whether ACLs are off; of an old bucket nothing is known, and they are on."""
    _ = context.bucket  # or NoSuchBucket
    if context.dialect.acls:
        raise ServiceError(
            "OwnershipControlsNotFoundError", extra={"BucketName": context.bucket.name}
        )
    rule = group("Rule", element("ObjectOwnership", "BucketOwnerEnforced"))
    return context.document("OwnershipControls", rule)


async def _asked(context: Context) -> str:
    data = await read_document(context)
    names = {context.family + context.dialect.acl_header, *(context.family + h for h in HEADERS)}
    if not data and not context.dialect.bare_acls and not any(map(context.header, names)):
        raise ServiceError("MissingSecurityHeader", "Your request was missing a required header")
    return store(context, parse_grants(parse(data))) if data else read_acl(context)


def _reply(context: Context, acl: str) -> Reply:
    delivered = element("Delivered", "false") if context.family == "x-obs-" else ""
    shown = acl if context.dialect.acls else "private"
    return context.document(
        "AccessControlPolicy", owner(context), delivered, render_grants(context, shown)
    )
