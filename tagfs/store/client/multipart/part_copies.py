"""Parts that the service copies from another object, and large objects copied by them."""

import threading
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import replace
from typing import Final

from tagfs.errors import MalformedResponse, ObjectChanged, Unsupported
from tagfs.store.client.annotations.transfer import AnnotationTransfer
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.multipart.completion import UploadCompletions
from tagfs.store.client.multipart.uploads import MultipartUploads, part_request
from tagfs.store.client.server_time import server_time
from tagfs.store.client.tags.open_uploads import OpenUploads
from tagfs.store.http.messages import Request
from tagfs.store.objects import NewObject, ObjectInfo, Part, Upload
from tagfs.store.wire.uploads import Copied, parse_copied

_NO_VERSION: Final = '"00000000000000000000000000000000"'  # an ETag that no content has


class PartCopies:
    """UploadPartCopy; see `MultipartUploads` for what `copy_part` promises."""

    def __init__(
        self,
        context: ClientContext,
        multipart: MultipartUploads,
        completion: UploadCompletions,
        uploads: OpenUploads,
        annotations: AnnotationTransfer,
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._pool = context.pool
        self._trial_pool = context.trial_pool
        self._multipart = multipart
        self._completion = completion
        self._uploads = uploads
        self._annotations = annotations
        # Whether copies of parts heed a condition on their source; None while nobody knows.
        self._checks_copied: bool | None = True if context.api.dialect.checks_copied else None
        self._trial = threading.Lock()
        self._trying: Future[None] | None = None

    def copy_part(
        self, upload: Upload, number: int, source: ObjectInfo, start: int, length: int
    ) -> Part:
        """Let the service take one part from another object; see `MultipartUploads.copy_part`."""
        self._annotations.ask_ahead(upload.key, upload.new)  # else it is a round trip of its own
        headers = self._api.copy_source(source)
        headers[self._api.header("copy-source-range")] = f"bytes={start}-{start + length - 1}"
        request = part_request(upload, "UploadPartCopy", "PUT", number)
        request = replace(request, headers=headers, server_time=server_time(length))
        with self._features.require("part_copies"):
            trial = self._try_condition(request)
            try:
                copied = self._copy_once(request)
            finally:
                wait([trial] if trial is not None else [])
            if trial is not None:
                trial.result()
        if not self._checks_copied:
            self._uploads.record_copy_source(upload.upload_id, source)
        if upload.checksums and not copied.checksum:
            # Whoever wants to be told one of each part in the end could not be told this one.
            reason = f"{request}: the answer has no checksum"
            self._features.distrust_checksums(reason)
            raise Unsupported(f"{reason}, with which the upload was begun")
        return Part(number=number, etag=copied.etag, size=length, checksum=copied.checksum)

    def _copy_once(self, request: Request) -> Copied:
        """Have one part copied.

        Raises:
            FeatureMissing: the source is ignored, so that the part is empty: rclone's server does
            so.
        """
        answer = self._api.send(request)
        if not answer.body.strip():
            raise FeatureMissing(f"{request}: nothing was copied, and nothing said of it")
        try:
            copied = parse_copied(answer.body)
        except MalformedResponse as failure:
            raise MalformedResponse(f"{request}: {failure}") from None
        if not copied.etag:
            raise MalformedResponse(f"{request}: the answer has no ETag")
        return copied

    def _try_condition(self, request: Request) -> Future[None] | None:
        """Find out once, by a condition that cannot hold, whether copies of parts heed theirs.

        Beside the first copies, so that it takes no time. Where it is ignored the part is made
        twice, and is the same unless the source changed meanwhile, which then is looked for.
        """
        condition = self._api.header("copy-source-if-match")
        if self._checks_copied is not None or condition not in request.headers:
            return None
        headers = {**request.headers, condition: _NO_VERSION}
        with self._trial:
            if self._trying is None or self._trying.done():  # none, or one that proved nothing
                trial = replace(request, headers=headers)
                self._trying = self._trial_pool.submit(self._try_heeding, trial)
            return self._trying

    def _try_heeding(self, trial: Request) -> None:
        try:
            self._copy_once(trial)
        except ObjectChanged:
            self._checks_copied = True
        else:
            self._checks_copied = False
            logger.info("%s: the condition on its source is ignored", trial)

    def copy_by_parts(self, source: ObjectInfo, key: str, new: NewObject) -> ObjectInfo:
        """Copy an object in parts, in parallel; `new` holds all that shall travel with it.

        Leaves no upload behind when it fails.
        """
        upload = self._multipart.start_upload(key, new)
        try:
            return self._completion.complete_upload(upload, self._copy_parts(source, upload))
        except BaseException as failure:
            self._multipart.abort_quietly(upload)
            found_out = upload.checksums and self._features.part_checksums is False
            if not (found_out and isinstance(failure, Unsupported)):
                raise
        return self.copy_by_parts(source, key, new)  # it is begun without checksums now

    def _copy_parts(self, source: ObjectInfo, upload: Upload) -> list[Part]:
        size = min(
            max(self._api.dialect.copy_part, -(-source.size // self._api.limits.max_parts)),
            self._api.limits.max_copy_part,
        )
        starts = range(0, source.size, size)
        running = [
            self._pool.submit(
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
