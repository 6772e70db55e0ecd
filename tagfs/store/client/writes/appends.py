"""Appendable objects: made, and extended at their end.

An append is not idempotent: sent again after a lost answer, it finds another length. The bytes
that the service has from the old end on then tell whether the lost one took effect.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tagfs.errors import (
    AlreadyExists,
    FileTooLarge,
    IntegrityError,
    PositionMismatch,
)
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.reads.content import ObjectContent
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.writes.steps import WriteSteps
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import NOTHING, Keep, NewObject, ObjectInfo, ObjectType, Source
from tagfs.store.tags import NO_TAGS
from tagfs.store.wire.checksums import combine, crc64
from tagfs.store.wire.headers import parse_crc64, parse_etag, render_new

_MISPLACED: Final = "PositionNotEqualToLength"
_NOT_APPENDABLE: Final = "ObjectNotAppendable"
_BLOCK = 8 * 1024**2  # bytes read at once when an append is compared


class ObjectAppends:
    """AppendObject; see `ObjectWrites` for what the methods promise."""

    def __init__(
        self,
        context: ClientContext,
        heads: ObjectHeads,
        content: ObjectContent,
        steps: WriteSteps,
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._locks = context.locks
        self._heads = heads
        self._content = content
        self._acls = steps.acls
        self._transfer = steps.transfer
        self._outcomes = steps.outcomes

    def append(self, info: ObjectInfo, source: Source) -> ObjectInfo:
        """Extend an appendable object; see `ObjectWrites.append`."""
        self._api.check_key(info.key)
        if not source.size:
            return info
        self._check_append(info.key, info.size + source.size)
        with self._locks.hold(info.key), self._features.require("append"):
            request = self._append_request(info.key, info.size, source)
            answer = self._api.send(request, allow={_MISPLACED})
            if answer.error is None:
                return self._extended(request, answer, info, source.size)
            length = self._length(info.key, answer)
            long_enough = answer.may_have_happened and length >= info.size + source.size
            if long_enough and self._holds(info.key, info.size, source.size, answer.sent_crc64):
                logger.info("%s: the answer was lost, but the bytes are there", request)
                return self._heads.head(info.key, expected=info.type)
            raise PositionMismatch(f"{request}: {answer}; its length is {length}", length)

    def start_append(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create an appendable object; see `ObjectWrites.start_append`."""
        self._api.check_key(key)
        self._check_append(key, source.size)
        with self._locks.hold(key), self._features.require("append"):
            # There is no header that forbids to extend an empty object, whose tags and metadata
            # would stay as they are.
            self._heads.check_free(key)
            none_kept = replace(new, tags=NO_TAGS) if new.tags is Keep.REPLACED else new
            tags = self._transfer.tags_for(key, none_kept)
            acl = self._acls.begin_for(key, replace(new, exclusive=True)).result()
            headers = render_new(self._api.dialect, new, tags, self._choices.storage_class)
            headers |= self._acls.headers(acl)
            request = self._append_request(key, 0, source, headers)
            answer = self._acls.send(request, allow={_MISPLACED, _NOT_APPENDABLE})
            made = replace(
                self._outcomes.describe_created(key, answer, new, tags),
                size=source.size,
                type=ObjectType.APPENDABLE,
            )
            if answer.error is None:
                made = self._verified(request, answer, made)
            elif answer.code == _MISPLACED:
                try:
                    made = self._outcomes.resolve_conflict(request, answer, made)
                except PositionMismatch as failure:
                    raise AlreadyExists(str(failure)) from failure
            else:
                raise AlreadyExists(f"{request}: {answer}")
            self._transfer.ensure(WriteKind.APPEND, key, tags, headers)
            self._acls.deliver(key, acl)
            return made

    def _check_append(self, key: str, size: int) -> None:
        # The manual's limit for all appends together is that of one PutObject.
        if size > self._api.limits.max_put:
            raise FileTooLarge(f"{size} bytes in {key!r}, which was made by appending")

    def _append_request(
        self, key: str, position: int, source: Source, headers: Mapping[str, str] = NOTHING
    ) -> Request:
        return Request(
            operation="AppendObject",
            method="POST",
            key=key,
            query={"append": "", "position": str(position)},
            headers=headers,
            body=source,
            subresource="append",
            proof_header="etag",
            # Only the length of an append shows afterwards, where there is no checksum of it.
            md5_first=self._api.dialect.checksum_header is None,
        )

    def _extended(
        self, request: Request, answer: Response, info: ObjectInfo, size: int
    ) -> ObjectInfo:
        """Describe an object after an append of `size` bytes."""
        before = info.detail.crc64 if info.detail else None
        whole = parse_crc64(self._api.dialect, answer.headers)
        if before is not None and answer.sent_crc64 is not None:
            expected = combine(before, answer.sent_crc64, size)
            whole = self._compared(request, whole, expected)
        return replace(
            info,
            size=info.size + size,
            etag=parse_etag(answer.headers.get("etag", "")),
            last_modified_ns=self._outcomes.moment(answer),
            detail=info.detail and replace(info.detail, crc64=whole),
        )

    def _verified(self, request: Request, answer: Response, made: ObjectInfo) -> ObjectInfo:
        if answer.sent_crc64 is not None:
            whole = parse_crc64(self._api.dialect, answer.headers)
            self._compared(request, whole, answer.sent_crc64)
        return made

    def _compared(self, request: Request, reported: int | None, expected: int) -> int:
        """Return the checksum of what the service has; what was appended cannot be taken back."""
        if reported is not None and reported != expected:
            raise IntegrityError(f"{request}: the service got something else")
        return expected

    def _length(self, key: str, answer: Response) -> int:
        """Return the length at which an append would be accepted."""
        reported = answer.headers.get(self._api.header("next-append-position"), "")
        return int(reported) if reported.isdecimal() else self._heads.head(key).size

    def _holds(self, key: str, start: int, size: int, expected: int | None) -> bool:
        """Tell whether an object has these bytes at `start`."""
        value = 0
        for offset in range(start, start + size, _BLOCK):
            length = min(_BLOCK, start + size - offset)
            value = crc64(self._content.get(key, offset, length).data, value)
        return value == expected
