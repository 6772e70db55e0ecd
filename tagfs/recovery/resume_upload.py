"""Sending a staged file that was left: whole, in parts, or going on with parts already sent.

A part that the service has is kept if its MD5 is that of the bytes here; everything else is sent
again. Nothing is aborted when sending fails: the next attempt goes on from there.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import replace
from typing import assert_never

from tagfs.errors import IntegrityError, NoSuchUpload, ObjectChanged, TagfsError, Unsupported
from tagfs.fs.content.journal_entries import UploadStart
from tagfs.fs.content.part_plan import Segment
from tagfs.fs.content.staged_file import Fetch
from tagfs.fs.content.upload_plan import (
    Append,
    Put,
    SendParts,
    StartAppend,
    UploadPlan,
    UploadRules,
    plan_upload,
)
from tagfs.fs.content.uploader import amend
from tagfs.recovery.abandoned_file import StagedContent
from tagfs.store.bucket import Bucket
from tagfs.store.object_reads import ObjectReads
from tagfs.store.objects import Keep, NewObject, ObjectInfo, Part, Upload
from tagfs.store.tags import TagSet
from tagfs.store.versions import is_part, is_version

log = logging.getLogger(__name__)


class UploadResumer:
    """Sends staged files; `advance` gets the bytes that are done."""

    def __init__(self, bucket: Bucket, executor: Executor, advance: Callable[[int], None]) -> None:
        self._bucket = bucket
        self._executor = executor
        self._advance = advance

    def send(self, saved: StagedContent, base: ObjectInfo | None, new: NewObject) -> None:
        """Make the object what the staged file is; `base` is the version that it replaces.

        Raises:
            AlreadyExists, PositionMismatch, ObjectChanged: another was faster.
            TagfsError: the service failed.
        """
        plan = self._plan(saved, base)
        try:
            self._carry_out(plan, saved, base, new)
        except Unsupported:
            anew = self._plan(saved, base)  # the bucket is found to copy no parts
            if anew == plan:
                raise
            self._carry_out(anew, saved, base, new)

    def _plan(self, saved: StagedContent, base: ObjectInfo | None) -> UploadPlan:
        entry, bucket = saved.entry, self._bucket
        rules = UploadRules(bucket.limits, bucket.capabilities, entry.part_size)
        rules.check_size(entry.key, entry.size)
        return plan_upload(saved.file.shape(), base, rules)

    def _carry_out(
        self, plan: UploadPlan, saved: StagedContent, base: ObjectInfo | None, new: NewObject
    ) -> None:
        entry = saved.entry
        match plan:
            case Append(longer):
                self._bucket.append(longer, saved.source(longer.size))
            case StartAppend():
                self._bucket.start_append(entry.key, saved.source(), new)
            case Put():
                saved.fill(0, entry.size, _fetch_base(self._bucket, base))
                self._bucket.put(entry.key, saved.source(), new)
            case SendParts(segments):
                self._send_parts(saved, base, new, segments)
                return
            case _:
                assert_never(plan)
        self._advance(entry.size)

    def release(self, saved: StagedContent) -> None:
        """Give the parts back of an upload that will not be needed."""
        if saved.entry.upload_id is None:
            return
        upload = Upload(key=saved.key, upload_id=saved.entry.upload_id)
        try:
            self._bucket.abort_upload(upload)
        except TagfsError as error:
            log.warning("upload %s of %r keeps its parts: %s", upload.upload_id, upload.key, error)

    def _send_parts(
        self,
        saved: StagedContent,
        base: ObjectInfo | None,
        new: NewObject,
        segments: Sequence[Segment],
    ) -> None:
        fetch = _fetch_base(self._bucket, base)
        for segment in segments:
            if not segment.copied:
                saved.fill(segment.start, segment.end, fetch)
        upload, kept = self._resumed(saved, new, segments)
        if not kept:
            upload = self._begin(saved, new)
        parts = self._transfer(upload, saved, base, segments, kept)
        if base is not None and not is_version(self._bucket.head(saved.key), base):
            raise ObjectChanged(f"{saved.key}: replaced while it was finished")
        info = self._bucket.complete_upload(upload, parts)
        if saved.entry.begun is not None:
            amend(self._bucket, info, saved.entry.begun.sent(), new)
        saved.entry = replace(saved.entry, upload_id=None)  # it is no more

    def _begin(self, saved: StagedContent, new: NewObject) -> Upload:
        self.release(saved)
        upload = self._bucket.start_upload(saved.key, new)
        saved.note(replace(saved.entry, upload_id=upload.upload_id, begun=UploadStart.of(upload)))
        return upload

    def _resumed(
        self, saved: StagedContent, new: NewObject, segments: Sequence[Segment]
    ) -> tuple[Upload, Mapping[int, Part]]:
        """Return the upload that was begun, and the parts of it that hold what they should."""
        entry = saved.entry
        sent = entry.begun or UploadStart(metadata={}, headers={}, tags={})
        upload = Upload(
            key=entry.key,
            upload_id=entry.upload_id or "",
            new=replace(
                new,
                metadata=sent.metadata,
                headers=sent.headers,
                tags=Keep.REPLACED if new.tags is Keep.REPLACED else TagSet(sent.tags),
            ),
            tags=TagSet(sent.tags),
            checksums=sent.checksums,
        )
        if entry.upload_id is None or entry.begun is None:
            return upload, {}
        try:
            listed = {part.number: part for part in self._bucket.list_parts(upload)}
        except NoSuchUpload:
            return upload, {}
        kept = {}
        for number, segment in enumerate(segments, 1):
            theirs = listed.get(number)
            if segment.copied or theirs is None or theirs.size != segment.end - segment.start:
                continue
            ours = saved.part(number, segment.start, segment.end)
            # An upload that was begun with checksums is not completed without those of its parts.
            if is_part(theirs, ours) and bool(theirs.checksum) >= upload.checksums:
                kept[number] = replace(ours, etag=theirs.etag, checksum=theirs.checksum)
        if kept:
            log.info("%s: goes on with %d of %d parts", entry.key, len(kept), len(segments))
        return upload, kept

    def _transfer(
        self,
        upload: Upload,
        saved: StagedContent,
        base: ObjectInfo | None,
        segments: Sequence[Segment],
        kept: Mapping[int, Part],
    ) -> list[Part]:
        def send(number: int, segment: Segment) -> Part:
            start, end = segment.start, segment.end
            if number in kept:
                part = kept[number]
            elif not segment.copied:
                part = self._bucket.upload_part(upload, number, saved.source(start, end))
            elif base is not None:
                part = self._bucket.copy_part(upload, number, base, start, end - start)
            else:
                raise IntegrityError(f"{saved.key}: bytes {start}-{end} are nowhere")
            self._advance(end - start)
            return part

        futures: list[Future[Part]] = [
            self._executor.submit(send, number, segment)
            for number, segment in enumerate(segments, 1)
        ]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
            wait(futures)


def fetch_from(bucket: ObjectReads, key: str, etag: str) -> Fetch:
    """Return what fetches bytes of exactly this version of an object."""

    def fetch(start: int, length: int) -> bytes:
        return bucket.get(key, start, length, if_match=etag).data

    return fetch


def _fetch_base(bucket: ObjectReads, base: ObjectInfo | None) -> Fetch:
    if base is not None:
        return fetch_from(bucket, base.key, base.etag)

    def fail(start: int, length: int) -> bytes:
        raise IntegrityError(f"bytes {start}-{start + length} are nowhere")

    return fail
