"""What S3 servers of others do otherwise, as they were measured: all off by default.

Chosen by `--option NAME=VALUE`:

directories=keys|seaweedfs|minio|files|refused
                       real directories behind the keys that end in "/". seaweedfs: markers keep
                       neither metadata nor tags, a copy of one is 404, tagging one 500, and one
                       with something below it is not deleted, though the answer says so; what has
                       something below it looks as if it had one. minio:
                       answers about markers have no ETag, a copy onto another key is 500, and
                       DeleteObjects never deletes one, though it says so. files: as rclone's: the
                       marker of "d/" is the file "d", below which nothing can be. refused: 400
tagging=full|none|no_delete
                       none: as OpenStack Swift: GET ?tagging is an empty set even of what is not
                       there, everything else about tags 501. no_delete: as s3rver: DELETE
                       ?tagging is 501, and tags in headers are dropped
part_copies=on|off     off: UploadPartCopy is 501
metadata=kept|dropped  dropped: user metadata is taken and forgotten
checksums=on|off|refused|uncopied
                       off: x-amz-checksum-* are not looked at, as by servers older than 2022;
                       refused: an upload that is begun with an algorithm is 501;
                       uncopied: of parts that are copied no checksum is told
listing=plain|minio|rustfs|cut|yandex|yandex_cut
                       metadata=true is ignored; or answered as by these, with headers and tags of
                       each object; yandex: list-type=ext-v1 is answered, with user metadata; cut:
                       with three letters of each value
access=off|on|cut      HEAD and GET with x-amz-tagging-directive: ACCESS are answered with the tags,
                       as by MinIO; cut: with three letters of them
etags=md5|none|other   none: no answer tells an ETag; other: they are hexadecimal, and no MD5
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal

from tagfs.emulator.engine import list_objects
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.routes import Route
from tagfs.emulator.messages import Reply
from tagfs.emulator.s3 import detailed_listing
from tagfs.emulator.s3.ceph import TENTACLE, VERSIONS
from tagfs.emulator.s3.real_directories import RealDirectories
from tagfs.emulator.s3.refused_headers import refuse

KNOWN: Final = {
    "directories": ("keys", "seaweedfs", "minio", "files", "refused"),
    "tagging": ("full", "none", "no_delete"),
    "part_copies": ("on", "off"),
    "metadata": ("kept", "dropped"),
    "checksums": ("on", "off", "refused", "uncopied"),
    "etags": ("md5", "none", "other"),
    "listing": detailed_listing.KNOWN,
    "access": ("off", "on", "cut"),
}
KEPT_MARKERS: Final[Mapping[str, Literal["", "occupied", "bulk"]]] = {
    "keys": "",
    "seaweedfs": "occupied",
    "minio": "bulk",
    "files": "",
    "refused": "",
}
"""Which markers are not deleted by whom."""

_TAG_WRITES: Final = frozenset(
    {
        "PutObjectTagging",
        "DeleteObjectTagging",
        "PutBucketTags",
        "GetBucketTags",
        "DeleteBucketTags",
    }
)
_OF_CONTENT: Final = frozenset({"PutObject", "InitiateMultipartUpload", "UploadPart"})
_ETAG: Final = re.compile(rb"<ETag>[^<]*</ETag>")


class _Without(Mapping[str, str]):
    """Headers without those whose names begin in a certain way."""

    def __init__(self, headers: Mapping[str, str], ignored: tuple[str, ...]) -> None:
        self._headers = headers
        self._ignored = ignored

    def __getitem__(self, name: str) -> str:
        if name.lower().startswith(self._ignored):
            raise KeyError(name)
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._headers if not name.lower().startswith(self._ignored))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def maker(chosen: Mapping[str, str]) -> str:
    """Return what the service calls itself: only the plain one is Amazon's."""
    return "AmazonS3" if all(chosen[name] == KNOWN[name][0] for name in KNOWN) else "Foreign"


class Foreign:
    """How a service answers whose makers are others."""

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._directories = RealDirectories(chosen["directories"])
        self._tagging = chosen["tagging"]
        self._part_copies = chosen["part_copies"] == "on"
        self._checksums = chosen["checksums"]
        self._version = VERSIONS[chosen["mimic"]]
        if self._version < TENTACLE:
            self._checksums = "off"
        self._keeps_metadata = chosen["metadata"] == "kept"
        self._reports_etags = chosen["etags"] != "none"
        self._listing = chosen["listing"]
        self._access = chosen["access"]

    async def answer(self, route: Route, context: Context) -> Reply:
        """Carry a request out, or refuse it, as that server does."""
        operation = route.operation
        if operation == "GetObjectTagging" and self._tagging == "none":
            return context.document("Tagging", "<TagSet></TagSet>")
        refuse(operation, context, self._version)
        self._refuse(operation, context)
        is_marker = self._directories.is_marker(context)
        if is_marker:
            self._directories.refuse(context)
            if reply := self._directories.answer_itself(context):
                return reply
        handler = route.handler
        if operation == "ListObjects" and detailed_listing.is_extended(context, self._listing):
            handler = list_objects.ListObjectsV2
        reply = await handler(self._directories.place(self._drop(context)))
        if self._access != "off" and operation in {"HeadObject", "GetObject"}:
            reply.headers |= detailed_listing.tags_in_headers(context, cut=self._access == "cut")
        if not self._reports_etags or (is_marker and self._directories.drops_etags):
            reply.headers.pop("ETag", None)
        if not self._reports_etags and reply.headers.get("Content-Type") == "application/xml":
            reply.body = _ETAG.sub(b"", reply.body)
        return reply

    def _refuse(self, operation: str, context: Context) -> None:
        if self._tagging == "none":
            if operation in _TAG_WRITES:
                raise ServiceError("NotImplemented", "The requested resource is not implemented")
            if context.own("tagging") is not None:
                raise ServiceError("NotImplemented", "Object tagging is not supported.")
        if self._tagging == "no_delete" and operation == "DeleteObjectTagging":
            raise ServiceError("NotImplemented")
        if self._checksums == "refused" and context.own("checksum-algorithm") is not None:
            raise ServiceError("NotImplemented", "x-amz-checksum-algorithm is not implemented")
        if operation == "UploadPartCopy" and not self._part_copies:
            raise ServiceError("NotImplemented")

    def _drop(self, context: Context) -> Context:
        """Take away from a request what such a server does not look at."""
        ignored: tuple[str, ...] = ()
        drops = (
            self._directories.drops_metadata
            and self._directories.is_marker(context)
            and context.call.operation == "PutObject"
        )
        if drops or not self._keeps_metadata:
            ignored += ("x-amz-meta-",)
        if drops or self._tagging == "no_delete":
            ignored += ("x-amz-tagging",)
        if self._checksums == "off" and context.call.operation in _OF_CONTENT:
            ignored += ("x-amz-checksum-", "x-amz-sdk-checksum-")
        if not ignored:
            return context
        headers = _Without(context.request.headers, ignored)
        return replace(context, request=replace(context.request, headers=headers))
