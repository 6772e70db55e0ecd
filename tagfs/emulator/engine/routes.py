"""Which operation a request is: by method, by what it addresses, and by its sub-resource.

Operations are called as in the reference of OSS, so that the request logs of all services can be
read alike: DeleteMultipleObjects is what S3 calls DeleteObjects, InitiateMultipartUpload is its
CreateMultipartUpload. The tables here hold what all services have.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tagfs.emulator.engine import (
    acl,
    buckets,
    copying,
    list_objects,
    list_uploads,
    multipart,
    objects,
    restoring,
    tagging,
    upload_part_copy,
)
from tagfs.emulator.engine.addressing import Target
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.messages import Reply, Request

Handler = Callable[[Context], Awaitable[Reply]]
Table = Mapping[tuple[str, str | None], Handler]


class Route(NamedTuple):
    """One operation."""

    handler: Handler
    subresource: str | None
    copy: bool = False

    @property
    def operation(self) -> str:
        """Return the name in the request log."""
        return self.handler.__name__


async def NotOffered(context: Context) -> Reply:
    """Refuse what no operation is, or none that is emulated."""
    if context.call.subresource in context.dialect.not_emulated:
        message = f"The emulator does not offer ?{context.call.subresource}."
        raise ServiceError("NotImplemented", message)
    raise ServiceError("MethodNotAllowed", extra={"Method": context.request.method})


OBJECT: Table = {
    ("PUT", None): objects.PutObject,
    ("GET", None): objects.GetObject,
    ("HEAD", None): objects.HeadObject,
    ("DELETE", None): objects.DeleteObject,
    ("PUT", "tagging"): tagging.PutObjectTagging,
    ("GET", "tagging"): tagging.GetObjectTagging,
    ("DELETE", "tagging"): tagging.DeleteObjectTagging,
    ("PUT", "acl"): acl.PutObjectAcl,
    ("GET", "acl"): acl.GetObjectAcl,
    ("POST", "restore"): restoring.RestoreObject,
    ("POST", "uploads"): multipart.InitiateMultipartUpload,
    ("PUT", "partNumber"): multipart.UploadPart,
    ("POST", "uploadId"): multipart.CompleteMultipartUpload,
    ("DELETE", "uploadId"): multipart.AbortMultipartUpload,
    ("GET", "uploadId"): list_uploads.ListParts,
}
BUCKET: Table = {
    ("DELETE", None): buckets.DeleteBucket,
    ("PUT", "tagging"): tagging.PutBucketTags,
    ("GET", "tagging"): tagging.GetBucketTags,
    ("DELETE", "tagging"): tagging.DeleteBucketTags,
    ("GET", "uploads"): list_uploads.ListMultipartUploads,
    ("POST", "delete"): objects.DeleteMultipleObjects,
    ("GET", "acl"): acl.GetBucketAcl,
    ("PUT", "acl"): acl.PutBucketAcl,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """The operations of one service.

    `probe` answers HEAD ?apiversion of the service itself; `sources` name a copy's source.
    """

    service: Handler
    probe: Handler | None = None
    objects: Table
    buckets: Table
    sources: tuple[str, ...]

    def find(self, request: Request, target: Target, not_emulated: frozenset[str]) -> Route:
        """Return the operation that a request asks for."""
        if target.bucket is None:
            if self.probe and request.method == "HEAD" and "apiversion" in request.query:
                return Route(self.probe, "apiversion")
            return Route(self.service if request.method == "GET" else NotOffered, "buckets")
        if target.key is None:
            return self._of_bucket(request, not_emulated)
        return self._of_object(request, not_emulated)

    def _of_bucket(self, request: Request, not_emulated: frozenset[str]) -> Route:
        mark = _mark(request, self.buckets, not_emulated)
        if request.method == "GET" and mark is None:
            version_2 = request.query.get("list-type") == "2"
            return Route(
                list_objects.ListObjectsV2 if version_2 else list_objects.ListObjects, "list"
            )
        return Route(self.buckets.get((request.method, mark), NotOffered), mark)

    def _of_object(self, request: Request, not_emulated: frozenset[str]) -> Route:
        mark = _mark(request, self.objects, not_emulated)
        if request.method == "PUT" and any(name in request.headers for name in self.sources):
            if mark is None:
                return Route(copying.CopyObject, "copy", copy=True)
            if mark == "partNumber":
                return Route(upload_part_copy.UploadPartCopy, mark, copy=True)
        return Route(self.objects.get((request.method, mark), NotOffered), mark)


def _mark(request: Request, table: Table, not_emulated: frozenset[str]) -> str | None:
    """Return the sub-resource; `partNumber` comes with an `uploadId` and means more."""
    if not request.query:
        return None
    if "partNumber" in request.query and request.method == "PUT":
        return "partNumber"
    marks = {mark for _, mark in table if mark} | not_emulated
    return next((name for name in request.query if name in marks), None)
