"""Multipart uploads: begun, filled with parts, thrown away.

What travels with an object (metadata, headers, tags) is sent when the upload begins: parts carry
none of it, copied ones neither.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

from tagfs.errors import (
    InvalidRequest,
    MalformedResponse,
    NoSuchUpload,
    NotFound,
    Refused,
    TagfsError,
)
from tagfs.store.acl import DEFAULT_ACL, Acl
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.tags.open_uploads import OpenUploads
from tagfs.store.client.trials.trials import Trials
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Keep, NewObject, Part, Source, Upload
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.wire.headers import parse_etag, render_new
from tagfs.store.wire.uploads import parse_parts, parse_upload_id

GONE: Final = "NoSuchUpload"
_ALGORITHM: Final = "checksum-algorithm"


def part_request(upload: Upload, operation: str, method: str, number: int | None = None) -> Request:
    """Return a request about an upload, or about one part of it."""
    query = {} if number is None else {"partNumber": str(number)}
    return Request(
        operation=operation,
        method=method,
        key=upload.key,
        query={**query, "uploadId": upload.upload_id},
        subresource="uploadId" if number is None else "partNumber",
    )


class MultipartUploads:
    """Uploads under way; see `tagfs.store.bucket.MultipartUploads` for what the methods promise."""

    def __init__(
        self, context: ClientContext, trials: Trials, uploads: OpenUploads, steps: WriteSteps
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._locks = context.locks
        self._pool = context.pool
        self._trials = trials
        self._uploads = uploads
        self._acls = steps.acls
        self._transfer = steps.transfer
        self._conditional = steps.conditional

    def start_upload(self, key: str, new: NewObject) -> Upload:
        """Begin an upload; see `MultipartUploads.start_upload`."""
        self._api.check_key(key)
        with self._locks.hold(key):
            acl = self._acls.begin_for(key, new)
            upload = self._start(key, new, self._begin_tags(key, new), acl)
            self._uploads.begin(key, upload.upload_id)
            return upload

    def _begin_tags(self, key: str, new: NewObject) -> Future[TagSet]:
        """Begin to ask for the tags to send; where nobody knows who may read them, ask first."""
        if new.tags is Keep.REPLACED and self._features.tags_readable:
            return self._pool.submit(self._transfer.tags_for, key, new)
        answered: Future[TagSet] = Future()
        answered.set_result(self._transfer.tags_for(key, new))
        return answered

    def _start(
        self, key: str, new: NewObject, asked_tags: Future[TagSet], asked_acl: Future[Acl]
    ) -> Upload:
        """Begin an upload while it is asked for what it shall keep; again if there is any of it.

        Tags and ACL travel with the beginning, so to wait for them costs a round trip; most objects
        have neither.
        """
        none_kept = self._transfer.with_defaults(NO_TAGS, new.defaults)
        tags = asked_tags.result() if asked_tags.done() else none_kept
        acl = asked_acl.result() if asked_acl.done() else DEFAULT_ACL
        upload = self._initiate(key, new, tags, acl)
        try:
            wanted = asked_tags.result(), asked_acl.result()
        except BaseException:
            self.abort_quietly(upload)
            raise
        if wanted == (tags, acl):
            return upload
        self.abort_quietly(upload)
        return self._initiate(key, new, *wanted)

    def _initiate(self, key: str, new: NewObject, tags: TagSet, acl: Acl) -> Upload:
        headers = render_new(self._api.dialect, new, tags, self._choices.storage_class)
        headers |= self._acls.headers(acl)
        if "InitiateMultipartUpload" in self._api.dialect.exclusive_operations:
            headers |= self._conditional.precondition(
                "InitiateMultipartUpload", key, exclusive=new.exclusive
            )
        request = Request(
            operation="InitiateMultipartUpload",
            method="POST",
            key=key,
            query={"uploads": ""},
            headers=headers,
            subresource="uploads",
        )
        answer = self._send_initiate(request)
        upload_id = self._api.parsed(request, answer, parse_upload_id)
        named = answer.headers.get(self._api.header(_ALGORITHM), "")
        checksums = bool(named) and named.upper() == self._api.dialect.part_checksum
        return Upload(
            key=key, upload_id=upload_id, new=new, tags=tags, acl=acl, checksums=checksums
        )

    def _send_initiate(self, request: Request) -> Response:
        """Begin an upload whose parts go with checksums, unless the service wants none.

        Who takes them says so in the answer; older servers ignore the header, some refuse it.
        """
        if self._features.part_checksums is False:
            return self._acls.send(request)
        name, algorithm = self._api.header(_ALGORITHM), self._api.dialect.part_checksum
        try:
            with_checksums = {**request.headers, name: algorithm}
            answer = self._acls.send(replace(request, headers=with_checksums))
        except (FeatureMissing, InvalidRequest, Refused) as failure:
            if self._features.part_checksums:
                raise
            answer = self._acls.send(request)
            self._features.distrust_checksums(str(failure))
            return answer
        if name not in answer.headers:
            self._features.distrust_checksums(f"{request}: the answer names no algorithm")
        return answer

    def upload_part(self, upload: Upload, number: int, source: Source) -> Part:
        """Send one part; see `MultipartUploads.upload_part`."""
        request = part_request(upload, "UploadPart", "PUT", number)
        if upload.checksums:
            name = self._api.header(f"checksum-{self._api.dialect.part_checksum.lower()}")
            request = replace(request, checksum=name, md5=not self._features.part_checksums)
        request = replace(request, body=source, proof_header="etag")
        try:
            answer = self._conditional.send_content(request)
        except (InvalidRequest, Refused) as failure:
            if upload.checksums:  # it may be about them: the next upload goes without
                self._features.distrust_checksums(str(failure))
            raise
        return Part(
            number=number,
            etag=parse_etag(answer.headers.get("etag", "")),
            size=source.size,
            crc64=answer.sent_crc64,
            checksum=answer.headers.get(request.checksum, "") if request.checksum else "",
        )

    def list_parts(self, upload: Upload) -> Sequence[Part]:
        """Return the parts that the service has; see `MultipartUploads.list_parts`."""
        parts: list[Part] = []
        marker: str | None = "0"
        while marker is not None:
            request = part_request(upload, "ListParts", "GET")
            query = {**request.query, "max-parts": "1000", "part-number-marker": marker}
            try:
                page = self._api.send_parsed(replace(request, query=query), parse_parts)
            except NotFound as failure:
                raise NoSuchUpload(str(failure)) from failure  # Ceph RGW says NoSuchKey
            if page.marker is not None and (page.marker == marker or not page.parts):
                raise MalformedResponse(f"{request}: goes on where it began")
            parts += page.parts
            marker = page.marker
        return parts

    def abort_upload(self, upload: Upload) -> None:
        """Throw an upload away; see `MultipartUploads.abort_upload`."""
        request = part_request(upload, "AbortMultipartUpload", "DELETE")
        if self._trials.ends_uploads(upload.key):
            self._api.send(request, allow={GONE})
        else:
            logger.warning("%s: it might delete the object, so the upload is left behind", request)
        self._uploads.end(upload.key, upload.upload_id)

    def abort_quietly(self, upload: Upload) -> None:
        """Throw an upload away; if that fails the log says that it stays."""
        try:
            self.abort_upload(upload)
        except TagfsError as failure:
            logger.warning("an upload of %r is left behind: %s", upload.key, failure)
