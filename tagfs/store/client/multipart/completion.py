"""Uploads completed: parts put together, verified, and distinguished from what was there before."""

from collections.abc import Sequence
from dataclasses import replace

from tagfs.errors import (
    IntegrityError,
    Interrupted,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    ObjectChanged,
    Refused,
    TagfsError,
)
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import to_exception
from tagfs.store.client.multipart.uploads import GONE, part_request
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.server_time import server_time
from tagfs.store.client.tags.object_tags import ObjectTags
from tagfs.store.client.tags.open_uploads import OpenUploads
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Keep, ObjectInfo, ObjectType, Part, Upload
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.versions import Sent, is_version, is_what_was_sent
from tagfs.store.wire.checksums import combine_all, etag_of_parts
from tagfs.store.wire.headers import parse_crc64, render_new
from tagfs.store.wire.uploads import parse_completed, render_parts


class UploadCompletions:
    """CompleteMultipartUpload; see `MultipartUploads` for what the method promises."""

    def __init__(
        self,
        context: ClientContext,
        heads: ObjectHeads,
        tags: ObjectTags,
        uploads: OpenUploads,
        steps: WriteSteps,
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._locks = context.locks
        self._heads = heads
        self._tags = tags
        self._uploads = uploads
        self._acls = steps.acls
        self._annotations = steps.annotations
        self._transfer = steps.transfer
        self._conditional = steps.conditional
        self._outcomes = steps.outcomes

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        """Make the parts an object; see `MultipartUploads.complete_upload`."""
        self._api.check_key(upload.key)
        ordered = sorted(parts, key=lambda part: part.number)
        key = upload.key
        with self._locks.hold(key), self._annotations.keeping(key, upload.new) as kept:
            wanted = self._newer_tags(upload)
            kept.save()
            made = self._uploads.made(upload.upload_id) or self._complete(upload, ordered)
            # Should what is left to do fail, the caller's next try does only that.
            self._uploads.record_completed(upload.upload_id, made)
            kept.replaced = True
            if wanted is None:
                tags = upload.tags or NO_TAGS
                dialect, chosen = self._api.dialect, self._choices.storage_class
                begun_with = render_new(dialect, upload.new, tags, chosen)
                self._transfer.ensure(WriteKind.UPLOAD, upload.key, tags, begun_with)
            else:
                self._tags.put_tags(upload.key, wanted)
                detail = made.detail and replace(made.detail, tag_count=len(wanted))
                made = replace(made, detail=detail)
            self._acls.deliver(upload.key, upload.acl)
            self._annotations.deliver(kept, made)
            self._uploads.end(upload.key, upload.upload_id)
            return made

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
            present = self._transfer.with_defaults(
                self._tags.get_tags(upload.key), upload.new.defaults
            )
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
                found = self._heads.head(source.key)
            except NotFound as failure:
                raise ObjectChanged(f"{source.key!r} is gone: {failure}") from failure
            if not is_version(found, source):
                raise ObjectChanged(f"{source.key!r}: {found.etag} instead of {source.etag}")
        self._uploads.forget_sources(upload.upload_id)  # the next try may find what this one made

    def _complete(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        self._check_sources(upload)
        request = part_request(upload, "CompleteMultipartUpload", "POST")
        headers = self._conditional.precondition(
            "CompleteMultipartUpload", upload.key, exclusive=upload.new.exclusive
        )
        request = replace(
            request,
            headers={"content-type": "application/xml", **headers},
            body=render_parts(parts),
            server_time=server_time(0, len(parts)),
            verify_done=lambda: self._is_completed(upload, parts),
        )
        try:
            answer = self._conditional.send_guarded(request, self._send_completion)
        except (InvalidRequest, Refused) as failure:
            if upload.checksums:  # it may be about them: the next upload goes without
                self._features.distrust_checksums(str(failure))
            raise
        crcs = [part.crc64 for part in parts]
        expected = combine_all((part.crc64, part.size) for part in parts if part.crc64 is not None)
        reported = None not in crcs and self._api.dialect.checksum_header
        crc = expected if reported else None
        tags = upload.tags or NO_TAGS
        made = self._outcomes.describe_created(upload.key, answer, upload.new, tags)
        made = replace(
            made,
            size=sum(part.size for part in parts),
            type=ObjectType.MULTIPART if self._api.dialect.types_uploads else ObjectType.NORMAL,
            detail=made.detail and replace(made.detail, crc64=crc),
        )
        if answer.error is not None:
            made = replace(made, etag=self._sure_etag(parts))
            return self._resolve_upload(request, answer, made, len(parts))
        named = parse_completed(answer.body) if answer.headers else ""  # none: it was not heard
        etag = made.etag or named or self._etag_of(request, parts)
        return self._put_together(request, answer, replace(made, etag=etag))

    def _is_completed(self, upload: Upload, parts: Sequence[Part]) -> bool:
        """Say whether the object is surely what the upload was to make.

        To a completion that was done before, Ceph RGW 16 answers 500 for ever.
        """
        etag = etag_of_parts([part.etag for part in parts])
        if etag is None or self._features.md5_etags is False:
            return False
        try:
            found = self._heads.head(upload.key)
        except Interrupted:
            raise
        except TagfsError as failure:
            # Nor is it known if it may not be looked at; a second completion does no harm.
            logger.debug("%r is not seen to be completed: %s", upload.key, failure)
            return False
        # The object that is replaced may have the same content.
        return is_what_was_sent(found, Sent(etag=etag, metadata=upload.new.metadata))

    def _etag_of(self, request: Request, parts: Sequence[Part]) -> str:
        """Return the ETag of an object that was made of these parts: Ceph RGW 16 does not tell it.

        Raises:
            MalformedResponse: it does not follow from the parts.
        """
        etag = etag_of_parts([part.etag for part in parts])
        if etag is None or self._features.md5_etags is False:
            raise MalformedResponse(f"{request}: the answer has no ETag")
        return etag

    def _sure_etag(self, parts: Sequence[Part]) -> str:
        """Return the ETag that the object surely has, "" where servers have their own way."""
        sure = self._features.md5_etags and self._api.is_vouched_for
        return etag_of_parts([part.etag for part in parts]) or "" if sure else ""

    def _send_completion(self, request: Request) -> Response:
        return self._api.send(request, allow={GONE} | self._conditional.conflict_codes(request))

    def _put_together(self, request: Request, answer: Response, made: ObjectInfo) -> ObjectInfo:
        """Describe the object that a completed upload made, verified.

        Raises:
            IntegrityError
        """
        reported = parse_crc64(self._api.dialect, answer.headers)
        expected = made.detail.crc64 if made.detail else None
        if reported is not None and expected is not None and reported != expected:
            raise IntegrityError(
                f"{request}: the parts are {expected} and the object is {reported}"
            )
        detail = made.detail and replace(
            made.detail, crc64=expected if reported is None else reported
        )
        return replace(made, detail=detail)

    def _resolve_upload(
        self, request: Request, answer: Response, made: ObjectInfo, parts: int
    ) -> ObjectInfo:
        """Decide whether an upload that is gone was completed by the lost first attempt.

        Raises:
            NoSuchUpload, AlreadyExists: it was not, or that is not known.
        """
        if answer.code in self._conditional.conflict_codes(request):
            return self._outcomes.resolve_conflict(request, answer, made)
        if answer.may_have_happened:
            try:
                found = self._heads.head(made.key)
            except Interrupted:
                raise
            except TagfsError as failure:
                raise to_exception(request, answer) from failure
            if is_what_was_sent(found, _evidence(found, made, parts)):
                logger.info("%s: the answer was lost, but the object is there", request)
                return found
        raise to_exception(request, answer)


def _evidence(found: ObjectInfo, made: ObjectInfo, parts: int) -> Sent:
    """Return what tells a completed upload: its checksum, else how it was made."""
    crc = made.detail.crc64 if made.detail else None
    reported = found.detail.crc64 if found.detail else None
    if crc is None or reported is None:
        return Sent(size=made.size, parts=parts, etag=made.etag or None)
    return Sent(size=made.size, crc64=crc)
