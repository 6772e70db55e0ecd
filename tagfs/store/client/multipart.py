"""Multipart uploads, and copies of objects that are too large for one request.

What travels with an object (metadata, headers, tags) is sent when the upload begins: parts carry
none of it, copied ones neither.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import replace
from typing import Final

from tagfs.errors import (
    IntegrityError,
    MalformedResponse,
    NoSuchUpload,
    NotFound,
    ObjectChanged,
    TagfsError,
)
from tagfs.store.acl import DEFAULT_ACL, Acl
from tagfs.store.client.api import logger
from tagfs.store.client.appends import ObjectAppends
from tagfs.store.client.error_codes import FeatureMissing, to_exception
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Keep, NewObject, ObjectInfo, ObjectType, Part, Source, Upload
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.wire.checksums import combine_all, etag_of_parts
from tagfs.store.wire.headers import parse_crc64, parse_etag, render_new
from tagfs.store.wire.xml import (
    Copied,
    parse_completed,
    parse_copied,
    parse_parts,
    parse_upload_id,
    render_parts,
)

MAX_SERVER_TIME: Final = 300.0
"""Seconds to wait for an answer while the service puts parts together or copies, at most."""
_COPY_RATE: Final = 16 * 1024**2  # bytes a second that a service surely copies
_PART_SECONDS: Final = 0.03  # AWS puts 10,000 parts together in minutes

_GONE = "NoSuchUpload"
_NO_VERSION: Final = '"00000000000000000000000000000000"'  # an ETag that no content has


def server_time(size: int, parts: int = 0) -> float:
    """Return the seconds that a service may need to copy bytes or to put parts together.

    In proportion: a small copy that is not answered must not hang a program for minutes.
    """
    return min(MAX_SERVER_TIME, size / _COPY_RATE + parts * _PART_SECONDS)


class MultipartUploads(ObjectAppends):
    """The multipart part of `Client`; see `Bucket` for what the methods promise."""

    def start_upload(self, key: str, new: NewObject) -> Upload:
        """Begin an upload; see `Bucket.start_upload`."""
        self._check_key(key)
        with self._locks.hold(key):
            acl = self._acl_ahead(key, new)
            if new.tags is Keep.REPLACED and self._tags_readable:
                upload = self._start_optimistically(key, new, acl)
            else:
                tags = self._tags_for(key, new)
                upload = self._initiate(key, new, tags, acl())
            self._uploads.begin(key, upload.upload_id)
            return upload

    def _start_optimistically(
        self, key: str, new: NewObject, asked_acl: Callable[[], Acl]
    ) -> Upload:
        """Begin an upload without tags while it is asked for those to keep; again if there are any.

        They travel with the beginning, so to wait for them costs a round trip; most have none. So
        it is with an ACL.
        """
        asked = self._threads.submit(self._tags_to_keep, key)
        first = DEFAULT_ACL if new.acl is Keep.REPLACED else asked_acl()
        upload = self._initiate(key, new, NO_TAGS, first)
        try:
            tags, acl = asked.result(), asked_acl()
        except BaseException:
            self._abort_quietly(upload)
            raise
        if not tags and acl == first:
            return upload
        self._abort_quietly(upload)
        return self._initiate(key, new, tags, acl)

    def _initiate(self, key: str, new: NewObject, tags: TagSet, acl: Acl) -> Upload:
        headers = render_new(self.dialect, new, tags, self.storage_class)
        headers |= self._acl_headers(acl)
        if "InitiateMultipartUpload" in self.dialect.exclusive_operations:
            headers |= self._precondition("InitiateMultipartUpload", key, exclusive=new.exclusive)
        request = Request(
            operation="InitiateMultipartUpload",
            method="POST",
            key=key,
            query={"uploads": ""},
            headers=headers,
            subresource="uploads",
        )
        upload_id = self._request_parsed(request, parse_upload_id)
        return Upload(key=key, upload_id=upload_id, new=new, tags=tags, acl=acl)

    def upload_part(self, upload: Upload, number: int, source: Source) -> Part:
        """Send one part; see `Bucket.upload_part`."""
        request = self._part_request(upload, "UploadPart", "PUT", number)
        answer = self._send_content(replace(request, body=source, proof_header="etag"))
        etag = parse_etag(answer.headers.get("etag", ""))
        return Part(number=number, etag=etag, size=source.size, crc64=answer.sent_crc64)

    def copy_part(
        self, upload: Upload, number: int, source: ObjectInfo, start: int, length: int
    ) -> Part:
        """Let the service take one part from another object; see `Bucket.copy_part`."""
        headers = self._copy_source(source)
        headers[self._header("copy-source-range")] = f"bytes={start}-{start + length - 1}"
        request = self._part_request(upload, "UploadPartCopy", "PUT", number)
        request = replace(request, headers=headers, server_time=server_time(length))
        with self._requires("part_copies"):
            trial = self._try_condition(request)
            try:
                copied = self._copy_once(request)
            finally:
                wait([trial] if trial is not None else [])
            if trial is not None:
                trial.result()
        if not self._checks_copied:
            self._uploads.record_copy_source(upload.upload_id, source)
        return Part(number=number, etag=copied.etag, size=length)

    def _copy_once(self, request: Request) -> Copied:
        """Have one part copied.

        Raises:
            FeatureMissing: the source is ignored, so that the part is empty: rclone's server does
            so.
        """
        answer = self._call(request)
        if not answer.body.strip():
            raise FeatureMissing(f"{request}: nothing was copied, and nothing said of it")
        try:
            copied = parse_copied(answer.body)
        except MalformedResponse as failure:
            raise self._log_and_return(MalformedResponse(f"{request}: {failure}")) from None
        if not copied.etag:
            raise self._log_and_return(MalformedResponse(f"{request}: the answer has no ETag"))
        return copied

    def _try_condition(self, request: Request) -> Future[None] | None:
        """Find out once, by a condition that cannot hold, whether copies of parts heed theirs.

        Beside the first copies, so that it takes no time. Where it is ignored the part is made
        twice, and is the same unless the source changed meanwhile, which then is looked for.
        """
        condition = self._header("copy-source-if-match")
        if self._checks_copied is not None or condition not in request.headers:
            return None
        headers = {**request.headers, condition: _NO_VERSION}
        with self._trial:
            if self._trying is None or self._trying.done():  # none, or one that told nothing
                trial = replace(request, headers=headers)
                self._trying = self._threads_apart.submit(self._try_heeding, trial)
            return self._trying

    def _try_heeding(self, trial: Request) -> None:
        try:
            self._copy_once(trial)
        except ObjectChanged:
            self._checks_copied = True
        else:
            self._checks_copied = False
            logger.info("%s: the condition on its source is ignored", trial)

    def list_parts(self, upload: Upload) -> Sequence[Part]:
        """Return the parts that the service has; see `Bucket.list_parts`."""
        parts: list[Part] = []
        marker: str | None = "0"
        while marker is not None:
            request = self._part_request(upload, "ListParts", "GET")
            query = {**request.query, "max-parts": "1000", "part-number-marker": marker}
            try:
                page = self._request_parsed(replace(request, query=query), parse_parts)
            except NotFound as failure:
                raise NoSuchUpload(str(failure)) from failure  # Ceph RGW says NoSuchKey
            if page.marker is not None and (page.marker == marker or not page.parts):
                raise self._log_and_return(MalformedResponse(f"{request}: goes on where it began"))
            parts += page.parts
            marker = page.marker
        return parts

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        """Make the parts an object; see `Bucket.complete_upload`."""
        self._check_key(upload.key)
        ordered = sorted(parts, key=lambda part: part.number)
        with self._locks.hold(upload.key):
            wanted = self._newer_tags(upload)
            made = self._uploads.made(upload.upload_id) or self._complete(upload, ordered)
            # Should what is left to do fail, the caller's next try does only that.
            self._uploads.record_completed(upload.upload_id, made)
            if wanted is None:
                self._ensure_tags(WriteKind.UPLOAD, upload.key, upload.tags or NO_TAGS)
            else:
                self.put_tags(upload.key, wanted)
                detail = made.detail and replace(made.detail, tag_count=len(wanted))
                made = replace(made, detail=detail)
            self._deliver_acl(upload.key, upload.acl)
            self._uploads.end(upload.key, upload.upload_id)
            return made

    def abort_upload(self, upload: Upload) -> None:
        """Throw an upload away; see `Bucket.abort_upload`."""
        request = self._part_request(upload, "AbortMultipartUpload", "DELETE")
        if self._ends_uploads(upload.key):
            self._call(request, allow={_GONE})
        else:
            logger.warning("%s: it might delete the object, so the upload is left behind", request)
        self._uploads.end(upload.key, upload.upload_id)

    def _newer_tags(self, upload: Upload) -> TagSet | None:
        """Return the tags to set after completion; None if those sent at the beginning hold."""
        edited = self._uploads.edited(upload.key, upload.upload_id)
        known = None if edited == upload.tags else edited
        if upload.new.tags is not Keep.REPLACED or self._uploads.is_recent(upload.upload_id):
            return known
        if self._uploads.made(upload.upload_id) is not None:
            return known  # there are only the tags that were sent at the beginning
        # Others may have edited them as well, and after a crash only the service knows of edits.
        try:
            present = self.get_tags(upload.key)
        except NotFound:
            return None
        except TagfsError as failure:
            logger.warning("edits of tags since the upload began stay unknown: %s", failure)
            return known
        self._uploads.record_tag_edit(upload.key, present)
        return None if present == (upload.tags or NO_TAGS) else present

    def _check_sources(self, upload: Upload) -> None:
        """Look whether what parts were copied from is still the version that was meant.

        Parts of two versions must not become one object where copies ignore their condition.

        Raises:
            ObjectChanged
        """
        for source in self._uploads.sources(upload.upload_id):
            try:
                etag = self.head(source.key).etag
            except NotFound as failure:
                raise ObjectChanged(f"{source.key!r} is gone: {failure}") from failure
            if etag != source.etag:
                raise ObjectChanged(f"{source.key!r}: {etag} instead of {source.etag}")
        self._uploads.forget_sources(upload.upload_id)  # the next try may find what this one made

    def _complete(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        self._check_sources(upload)
        request = self._part_request(upload, "CompleteMultipartUpload", "POST")
        headers = self._precondition(
            "CompleteMultipartUpload", upload.key, exclusive=upload.new.exclusive
        )
        request = replace(
            request,
            headers={"content-type": "application/xml", **headers},
            body=render_parts(parts),
            server_time=server_time(0, len(parts)),
            verify_done=lambda: self._is_completed(upload, parts),
        )
        answer = self._with_precondition(request, self._send_completion)
        crcs = [part.crc64 for part in parts]
        expected = combine_all((part.crc64, part.size) for part in parts if part.crc64 is not None)
        expected_crc = None if None in crcs else expected
        made = self._describe_created(upload.key, answer, upload.new, upload.tags or NO_TAGS)
        made = replace(
            made,
            size=sum(part.size for part in parts),
            type=ObjectType.MULTIPART if self.dialect.types_uploads else ObjectType.NORMAL,
            detail=made.detail
            and replace(made.detail, crc64=expected_crc if self.dialect.checksum_header else None),
        )
        if answer.error is not None:
            return self._resolve_upload(request, answer, made, len(parts))
        told = parse_completed(answer.body) if answer.headers else ""  # none: it was not heard
        etag = made.etag or told or self._etag_of(request, parts)
        return self._put_together(request, answer, replace(made, etag=etag))

    def _is_completed(self, upload: Upload, parts: Sequence[Part]) -> bool:
        """Say whether the object is surely what the upload was to make.

        To a completion that was done before, Ceph RGW 16 answers 500 for ever.
        """
        etag = etag_of_parts([part.etag for part in parts])
        if etag is None or self._md5_etags is False:
            return False
        try:
            found = self.head(upload.key)
        except NotFound:
            return False
        metadata = {name.lower(): value for name, value in upload.new.metadata.items()}
        # The object that is replaced may have the same content.
        return found.etag == etag and bool(found.detail and found.detail.metadata == metadata)

    def _etag_of(self, request: Request, parts: Sequence[Part]) -> str:
        """Return the ETag of an object that was made of these parts: Ceph RGW 16 does not tell it.

        Raises:
            MalformedResponse: it does not follow from the parts.
        """
        etag = etag_of_parts([part.etag for part in parts])
        if etag is None or self._md5_etags is False:
            raise self._log_and_return(MalformedResponse(f"{request}: the answer has no ETag"))
        return etag

    def _send_completion(self, request: Request) -> Response:
        return self._call(request, allow={_GONE} | self._conflict_codes(request))

    def _put_together(self, request: Request, answer: Response, made: ObjectInfo) -> ObjectInfo:
        """Describe the object that a completed upload made, verified.

        Raises:
            IntegrityError
        """
        told = parse_crc64(self.dialect, answer.headers)
        expected = made.detail.crc64 if made.detail else None
        if told is not None and expected is not None and told != expected:
            raise self._log_and_return(
                IntegrityError(f"{request}: the parts are {expected} and the object is {told}")
            )
        detail = made.detail and replace(made.detail, crc64=expected if told is None else told)
        return replace(made, detail=detail)

    def _resolve_upload(
        self, request: Request, answer: Response, made: ObjectInfo, parts: int
    ) -> ObjectInfo:
        """Decide whether an upload that is gone was completed by the lost first attempt.

        Raises:
            NoSuchUpload, AlreadyExists: it was not, or it cannot be told.
        """
        if answer.code in self._conflict_codes(request):
            return self._resolve_conflict(request, answer, made)
        if answer.may_have_happened:
            try:
                found = self.head(made.key)
            except NotFound:
                raise to_exception(request, answer) from None
            expected = made.detail.crc64 if made.detail else None
            told = found.detail.crc64 if found.detail else None
            if found.size == made.size and (
                expected == told
                if expected is not None and told is not None
                else found.etag.endswith(f"-{parts}")
            ):
                logger.info("%s: the answer was lost, but the object is there", request)
                return found
        raise self._log_and_return(to_exception(request, answer))

    def _part_request(
        self, upload: Upload, operation: str, method: str, number: int | None = None
    ) -> Request:
        query = {} if number is None else {"partNumber": str(number)}
        return Request(
            operation=operation,
            method=method,
            key=upload.key,
            query={**query, "uploadId": upload.upload_id},
            subresource="uploadId" if number is None else "partNumber",
        )

    def _copy_by_parts(self, source: ObjectInfo, key: str, new: NewObject) -> ObjectInfo:
        """Copy an object in parts, in parallel; `new` holds all that shall travel with it.

        Leaves no upload behind when it fails.
        """
        upload = self.start_upload(key, new)
        try:
            return self.complete_upload(upload, self._copy_parts(source, upload))
        except BaseException:
            self._abort_quietly(upload)
            raise

    def _copy_parts(self, source: ObjectInfo, upload: Upload) -> list[Part]:
        size = min(
            max(self.dialect.copy_part, -(-source.size // self.limits.max_parts)),
            self.limits.max_copy_part,
        )
        starts = range(0, source.size, size)
        running = [
            self._threads.submit(
                self.copy_part, upload, number, source, start, min(size, source.size - start)
            )
            for number, start in enumerate(starts, 1)
        ]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            for task in running:
                task.cancel()
        # Parts that arrive after an abort would be kept, and charged for, without an upload.
        wait(running)
        return [task.result() for task in running if not task.cancelled()]

    def _abort_quietly(self, upload: Upload) -> None:
        try:
            self.abort_upload(upload)
        except TagfsError as failure:
            logger.warning("an upload of %r is left behind: %s", upload.key, failure)
