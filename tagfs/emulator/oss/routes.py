"""Which operation a request is: by method, by what it addresses, and by its sub-resource.

The names are those of the API reference; the sub-resource is what the request log shows.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tagfs.emulator.messages import Reply, Request
from tagfs.emulator.oss import (
    appending,
    buckets,
    copying,
    listing,
    multipart,
    objects,
    partcopy,
    restoring,
    symlinks,
    tagging,
    uploadlists,
)
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError

Handler = Callable[[Context], Awaitable[Reply]]


class Route(NamedTuple):
    """One operation."""

    handler: Handler
    subresource: str | None
    copy: bool = False

    @property
    def operation(self) -> str:
        """Return the name in the API reference."""
        return self.handler.__name__


async def NotOffered(context: Context) -> Reply:
    """Refuse what no operation is, or none that is emulated."""
    if context.call.subresource in _NOT_EMULATED:
        message = f"The emulator does not offer ?{context.call.subresource}."
        raise ServiceError("NotImplemented", message)
    raise ServiceError("MethodNotAllowed", extra={"Method": context.request.method})


_OBJECT_MARKS = (
    "partNumber",
    "uploadId",
    "uploads",
    "append",
    "symlink",
    "tagging",
    "acl",
    "objectMeta",
    "restore",
)
_BUCKET_MARKS = ("tagging", "uploads", "delete", "bucketInfo", "location", "stat", "acl")
# Without these, DELETE /?lifecycle would be DeleteBucket.
_NOT_EMULATED = (
    "versions",
    "versioning",
    "lifecycle",
    "policy",
    "cors",
    "website",
    "logging",
    "referer",
    "encryption",
    "replication",
    "inventory",
    "worm",
    "requestPayment",
    "transferAcceleration",
    "accessmonitor",
    "resourceGroup",
    "publicAccessBlock",
    "cname",
    "metaQuery",
    "x-oss-process",
    "x-oss-dir",
    "x-oss-rename",
    "x-oss-delete",
    "seal",
    "callback",
)
_OBJECT: dict[tuple[str, str | None], Handler] = {
    ("PUT", None): objects.PutObject,
    ("GET", None): objects.GetObject,
    ("HEAD", None): objects.HeadObject,
    ("DELETE", None): objects.DeleteObject,
    ("HEAD", "objectMeta"): objects.GetObjectMeta,
    ("GET", "objectMeta"): objects.GetObjectMeta,
    ("POST", "append"): appending.AppendObject,
    ("PUT", "symlink"): symlinks.PutSymlink,
    ("GET", "symlink"): symlinks.GetSymlink,
    ("PUT", "tagging"): tagging.PutObjectTagging,
    ("GET", "tagging"): tagging.GetObjectTagging,
    ("DELETE", "tagging"): tagging.DeleteObjectTagging,
    ("PUT", "acl"): buckets.PutObjectAcl,
    ("GET", "acl"): buckets.GetObjectAcl,
    ("POST", "restore"): restoring.RestoreObject,
    ("POST", "uploads"): multipart.InitiateMultipartUpload,
    ("PUT", "partNumber"): multipart.UploadPart,
    ("POST", "uploadId"): multipart.CompleteMultipartUpload,
    ("DELETE", "uploadId"): multipart.AbortMultipartUpload,
    ("GET", "uploadId"): uploadlists.ListParts,
}
_BUCKET: dict[tuple[str, str | None], Handler] = {
    ("PUT", None): buckets.PutBucket,
    ("DELETE", None): buckets.DeleteBucket,
    ("PUT", "tagging"): tagging.PutBucketTags,
    ("GET", "tagging"): tagging.GetBucketTags,
    ("DELETE", "tagging"): tagging.DeleteBucketTags,
    ("GET", "uploads"): uploadlists.ListMultipartUploads,
    ("POST", "delete"): objects.DeleteMultipleObjects,
    ("GET", "bucketInfo"): buckets.GetBucketInfo,
    ("GET", "location"): buckets.GetBucketLocation,
    ("GET", "stat"): buckets.GetBucketStat,
    ("GET", "acl"): buckets.GetBucketAcl,
    ("PUT", "acl"): buckets.PutBucketAcl,
}


def find_route(request: Request, bucket: str | None, key: str | None) -> Route:
    """Return the operation that a request asks for."""
    if bucket is None:
        handler = buckets.ListBuckets if request.method == "GET" else NotOffered
        return Route(handler, "buckets")
    if key is None:
        return _bucket_route(request)
    return _object_route(request)


def _bucket_route(request: Request) -> Route:
    mark = _mark(request, _BUCKET_MARKS)
    if request.method == "GET" and mark is None:
        version_2 = request.query.get("list-type") == "2"
        return Route(listing.ListObjectsV2 if version_2 else listing.ListObjects, "list")
    return Route(_BUCKET.get((request.method, mark), NotOffered), mark)


def _object_route(request: Request) -> Route:
    mark = _mark(request, _OBJECT_MARKS)
    if request.method == "PUT" and copying.SOURCE in request.headers:
        if mark is None:
            return Route(copying.CopyObject, "copy", copy=True)
        if mark == "partNumber":
            return Route(partcopy.UploadPartCopy, mark, copy=True)
    return Route(_OBJECT.get((request.method, mark), NotOffered), mark)


def _mark(request: Request, marks: tuple[str, ...]) -> str | None:
    if not request.query:
        return None
    return next((mark for mark in (*marks, *_NOT_EMULATED) if mark in request.query), None)
