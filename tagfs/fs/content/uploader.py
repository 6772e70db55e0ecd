"""How a staged file becomes an object: the requests that `upload_plan` has chosen are sent.

A small file is one PutObject. A large new one is a multipart upload whose parts are sent while it
is still being written; a part written again is sent again under its number. A changed large
object is put together by the service from its own unchanged ranges (UploadPartCopy) and the parts
that changed. An appendable object that only grew is extended by its new bytes alone.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import assert_never

from tagfs.errors import IntegrityError, TagfsError, Unsupported
from tagfs.fs.content.part_plan import Segment
from tagfs.fs.content.staged_file import FETCH_BLOCK, Fetch, StagedFile, StagedSource
from tagfs.fs.content.upload_plan import (
    Append,
    Put,
    SendParts,
    StartAppend,
    UploadPlan,
    UploadRules,
    goes_on,
    plan_upload,
)
from tagfs.fs.content.upload_target import UploadTarget
from tagfs.store.bucket import Bucket
from tagfs.store.objects import NewObject, ObjectInfo, Part, Upload

log = logging.getLogger(__name__)


FETCHED_AHEAD = 4
"""Pieces, of FETCH_BLOCK bytes at most, that are fetched while the upload of an edit is begun."""


@dataclass(slots=True)
class StreamingUpload:
    """A multipart upload that goes on while its file is still being written."""

    upload: Upload
    parts: dict[int, Future[Part]]
    stale: set[int]

    @property
    def sent(self) -> int:
        """Number of the last part that was sent."""
        return len(self.parts)


class Uploader:
    """Uploads one staged file, again after every change. Its owner's lock is held around calls."""

    def __init__(
        self,
        bucket: Bucket,
        executor: Executor,
        part_size: int,
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._bucket = bucket
        self._on_begin = on_begin  # called for every upload that was begun, before its first part
        self._executor = executor
        self._part_size = part_size
        self._stream: StreamingUpload | None = None
        self.begun = NewObject()  # what travels with the upload that was begun last
        self._completed: ObjectInfo | None = None  # by an upload that is not amended yet
        self.created_key = ""  # key of an object that was made here, though what followed failed

    @property
    def upload(self) -> Upload | None:
        """The multipart upload that is under way, for the journal."""
        return self._stream.upload if self._stream else None

    def invalidate(self, start: int, end: int) -> None:
        """Note that `[start, end)` is other than it was: parts sent of it are to be sent again."""
        self._completed = None
        stream = self._stream
        if stream is not None and start < self._rules().bounds(stream.sent)[1]:
            stream.stale.update(
                n for n in stream.parts if _overlap(self._rules().bounds(n), (start, end))
            )

    def is_due(self, staged: StagedFile) -> bool:
        """Say whether a file has grown enough for another part to be sent now."""
        if staged.base_size or staged.size < 2 * self._part_size:
            return False
        rules = self._rules()
        if staged.size < 2 * rules.first_part:
            return False
        return staged.size > rules.bounds(self._stream.sent + 1 if self._stream else 1)[1]

    def send_complete_parts(self, staged: StagedFile, destination: UploadTarget) -> None:
        """Send the parts of a new large file that are complete while it is still being written."""
        number = self._stream.sent + 1 if self._stream else 1
        low, high = self._rules().bounds(number)
        # One byte more than the part shows that it is not the last one, whose size is not known.
        while staged.size > high and staged.local.covers(low, high):
            stream = self._stream or self._begin(destination.key, destination.streamed)
            stream.parts[number] = self._send(stream.upload, staged, number, low, high)
            number += 1
            low, high = self._rules().bounds(number)

    def finish(self, staged: StagedFile, to: UploadTarget, fetch: Fetch) -> ObjectInfo:
        """Make the service's object what the staged file is; return what it became.

        Raises:
            AlreadyExists: `to.new.exclusive`, and the key is taken.
        """
        self._rules().check_size(to.key, staged.size)
        if self._stream is not None:
            if not self._stream_fits(self._stream, staged, to.key):
                self.abandon()
            else:
                self._completed = self._finish_stream(staged, self._stream)
                self.created_key = to.key
        if self._completed is not None and self._completed.key == to.key:
            info = amend(self._bucket, self._completed, self.begun, to.streamed)
            self._completed = None
            return info
        plan = self._plan(staged, to)
        try:
            return self._carry_out(plan, staged, to, fetch)
        except Unsupported:
            # The bucket is found to copy no parts, or the service to tell too little of them.
            anew = self._plan(staged, to)
            if anew == plan and not isinstance(plan, SendParts):
                raise
            return self._carry_out(anew, staged, to, fetch)

    def _rules(self) -> UploadRules:
        return UploadRules(self._bucket.limits, self._bucket.capabilities, self._part_size)

    def _plan(self, staged: StagedFile, to: UploadTarget) -> UploadPlan:
        base = staged.origin or to.base
        return plan_upload(staged.shape(), base, self._rules(), appendable=to.appendable)

    def _carry_out(
        self, plan: UploadPlan, staged: StagedFile, to: UploadTarget, fetch: Fetch
    ) -> ObjectInfo:
        match plan:
            case Append(base):
                source = StagedSource(staged.fd, base.size, staged.size - base.size)
                return self._bucket.append(base, source)
            case StartAppend():
                source = StagedSource(staged.fd, 0, staged.size)
                return self._bucket.start_append(to.key, source, to.new)
            case Put():
                staged.fill(0, staged.size, fetch)
                return self._bucket.put(to.key, StagedSource(staged.fd, 0, staged.size), to.new)
            case SendParts():
                return self._send_parts(plan, staged, to, fetch)
            case _:
                assert_never(plan)

    def abandon(self) -> None:
        """Throw away an upload that was begun, if there is one."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        for future in stream.parts.values():
            future.cancel()
        try:
            self._bucket.abort_upload(stream.upload)
        except TagfsError as error:
            log.warning(
                "%s: upload %s could not be aborted and keeps its parts: %s",
                stream.upload.key,
                stream.upload.upload_id,
                error,
            )

    def _begin(self, key: str, new: NewObject) -> StreamingUpload:
        self._stream = StreamingUpload(self._bucket.start_upload(key, new), {}, set())
        self.begun = new
        self._on_begin()
        return self._stream

    def _send(
        self, upload: Upload, staged: StagedFile, number: int, start: int, end: int
    ) -> Future[Part]:
        source = StagedSource(staged.fd, start, end - start)
        return self._executor.submit(self._bucket.upload_part, upload, number, source)

    def _stream_fits(self, stream: StreamingUpload, staged: StagedFile, key: str) -> bool:
        """Say whether the upload that was begun can still become this file."""
        return stream.upload.key == key and goes_on(staged.shape(), stream.sent, self._rules())

    def _finish_stream(self, staged: StagedFile, stream: StreamingUpload) -> ObjectInfo:
        for number in sorted(stream.stale):
            stream.parts[number].cancel()
            stream.parts[number] = self._resend(stream, staged, number)
        stream.stale.clear()
        number = stream.sent + 1
        low, high = self._rules().bounds(number)
        while low < staged.size:
            end = min(high, staged.size)
            stream.parts[number] = self._send(stream.upload, staged, number, low, end)
            number += 1
            low, high = self._rules().bounds(number)
        return self._complete(stream.upload, stream.parts)

    def _resend(self, stream: StreamingUpload, staged: StagedFile, number: int) -> Future[Part]:
        """Send a part once more, after the first sending is over: the later one must win."""
        earlier = stream.parts[number]
        if not earlier.cancelled():
            earlier.exception()
        low, high = self._rules().bounds(number)
        return self._send(stream.upload, staged, number, low, min(high, staged.size))

    def _send_parts(
        self, plan: SendParts, staged: StagedFile, to: UploadTarget, fetch: Fetch
    ) -> ObjectInfo:
        segments, base = plan.segments, staged.origin or to.base
        sent = [segment for segment in segments if not segment.copied]
        # What is missing of the parts to be sent is on its way while the upload is begun.
        gaps = [gap for segment in sent for gap in staged.missing(segment.start, segment.end)]
        ahead = {
            low: self._executor.submit(fetch, low, high - low)
            for low, high in gaps[:FETCHED_AHEAD]
            if high - low <= FETCH_BLOCK
        }

        def arrive(low: int, length: int) -> bytes:
            return ahead.pop(low).result() if low in ahead else fetch(low, length)

        def copy(number: int, part: Segment) -> Part:
            if base is None:
                raise IntegrityError(f"{to.key}: bytes {part.start}-{part.end} are nowhere")
            length = part.end - part.start
            return self._bucket.copy_part(upload, number, base, part.start, length)

        upload = self._begin(to.key, to.new).upload
        parts: dict[int, Future[Part]] = {}
        try:
            for number, part in enumerate(segments, 1):
                if part.copied:
                    parts[number] = self._executor.submit(copy, number, part)
            for number, part in enumerate(segments, 1):
                if not part.copied:
                    staged.fill(part.start, part.end, arrive)
                    parts[number] = self._send(upload, staged, number, part.start, part.end)
        except BaseException:
            self._abort(parts)
            raise
        return self._complete(upload, parts)

    def _complete(self, upload: Upload, futures: dict[int, Future[Part]]) -> ObjectInfo:
        try:
            parts = [futures[number].result() for number in sorted(futures)]
            info = self._bucket.complete_upload(upload, parts)
        except BaseException:
            self._abort(futures)
            raise
        self._stream = None
        return info

    def _abort(self, futures: dict[int, Future[Part]]) -> None:
        """Begin no other part, and throw the upload away."""
        for future in futures.values():
            future.cancel()
        self.abandon()


def amend(bucket: Bucket, info: ObjectInfo, begun: NewObject, new: NewObject) -> ObjectInfo:
    """Bring tags and metadata up to what was set after an upload had begun; return the object.

    What travels with a multipart upload is fixed when it begins, which is while the file is
    still being written; `cp -a` sets times and tags after that, just before it closes.
    """
    most = bucket.object_tag_rules.max_tags
    tags = new.all_tags(most)
    if tags is not None and tags != begun.all_tags(most):
        bucket.put_tags(info.key, tags)
    if (new.metadata, new.headers) != (begun.metadata, begun.headers):
        return bucket.set_metadata(info, new.metadata, new.headers)
    return info


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]
