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
    list_versions,
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
    """Refuse what is no operation."""
    raise ServiceError("MethodNotAllowed", extra={"Method": context.request.method})


async def NotEmulated(context: Context) -> Reply:
    """Refuse an operation of the service that the emulator has not, or a name that it never heard.

    To take DELETE /?lifecycle for DeleteBucket would be success where nothing succeeded.
    """
    message = f"The emulator does not offer ?{context.call.subresource}."
    raise ServiceError("NotImplemented", message)


# What plain operations may have, even without a value; a sub-resource rarely has one.
_PARAMETERS = frozenset(
    """
    continuation-token delimiter encoding-type fetch-owner key-marker list-type marker max-keys
    max-parts max-uploads part-number-marker prefix start-after upload-id-marker versionId
    version-id-marker
    security-token x-oss-security-token x-obs-security-token X-Amz-Security-Token
    """.split()
)
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
    ("GET", "versions"): list_versions.ListObjectVersions,
    ("GET", "versioning"): buckets.GetBucketVersioning,
    ("PUT", "versioning"): buckets.PutBucketVersioning,
    ("GET", "acl"): acl.GetBucketAcl,
    ("PUT", "acl"): acl.PutBucketAcl,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """The operations of one service.

    Attributes:
        service: what a GET of the service itself is.
        probe: what a HEAD ?apiversion of the service itself is.
        objects: the operations on objects.
        buckets: the operations on buckets.
        sources: the headers that name a copy's source.
        not_emulated: sub-resources that the service has and the emulator has not. Those without a
            value need not be named: what is not known is an error.
        ignored: sub-resources that a variant of the service takes for nothing.
    """

    service: Handler
    probe: Handler | None = None
    objects: Table
    buckets: Table
    sources: tuple[str, ...]
    not_emulated: frozenset[str]
    ignored: frozenset[str] = frozenset()

    def find(self, request: Request, target: Target) -> Route:
        """Return the operation that a request asks for."""
        if target.bucket is None:
            if self.probe and request.method == "HEAD" and "apiversion" in request.query:
                return Route(self.probe, "apiversion")
            return Route(self.service if request.method == "GET" else NotOffered, "buckets")
        if target.key is None:
            return self._of_bucket(request)
        return self._of_object(request)

    def _of_bucket(self, request: Request) -> Route:
        mark = self._mark(request, self.buckets)
        if request.method == "GET" and mark is None:
            if request.query.get("list-type") == "2":
                return Route(list_objects.ListObjectsV2, "list")
            return Route(list_objects.ListObjects, "list")
        return _route(self.buckets, request, mark)

    def _of_object(self, request: Request) -> Route:
        mark = self._mark(request, self.objects)
        if request.method == "PUT" and any(name in request.headers for name in self.sources):
            if mark is None:
                return Route(copying.CopyObject, "copy", copy=True)
            if mark == "partNumber":
                return Route(upload_part_copy.UploadPartCopy, mark, copy=True)
        return _route(self.objects, request, mark)

    def _mark(self, request: Request, table: Table) -> str | None:
        """Return the sub-resource; `partNumber` comes with an `uploadId` and means more."""
        if not request.query:
            return None
        if "partNumber" in request.query and request.method == "PUT":
            return "partNumber"
        marks = {mark for _, mark in table if mark} | self.not_emulated
        known = next((name for name in request.query if name in marks), None)
        return known or next(filter(self._is_unknown, request.query.items()), (None,))[0]

    def _is_unknown(self, pair: tuple[str, str]) -> bool:
        name, value = pair
        is_plain = name in _PARAMETERS or name in self.ignored or name.startswith("response-")
        return not value and not is_plain


def _route(table: Table, request: Request, mark: str | None) -> Route:
    finer = f"{mark}&comp={request.query.get('comp')}"  # OSS has families of operations
    handler = table.get((request.method, finer)) or table.get((request.method, mark))
    if handler is None:
        is_known = mark is None or any(mark == each for _, each in table)
        handler = NotOffered if is_known else NotEmulated
    return Route(handler, mark)
