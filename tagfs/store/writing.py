"""Objects made, replaced and deleted in one request each.

A write whose answer was lost is sent again, and the answer to that may be about the first: a key
that is "taken". What the service then has is compared with what was sent; nothing is guessed.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from tagfs.errors import (
    FileTooLarge,
    IntegrityError,
    Interrupted,
    InvalidRequest,
    NameTooLong,
    TagfsError,
    Unsupported,
)
from tagfs.store.bucket import Detail, NewObject, ObjectInfo, ObjectType, Source
from tagfs.store.calls import logger
from tagfs.store.exchange import Request, Response
from tagfs.store.failures import find_failure
from tagfs.store.headers import parse_crc64, parse_etag, parse_http_date, render_new
from tagfs.store.reading import Reading
from tagfs.store.tagging import Tagging
from tagfs.store.tags import TagSet
from tagfs.store.wire import is_representable, parse_deleted, render_delete

TAKEN: Final = frozenset({"FileAlreadyExists", "ObjectAlreadyExists"})
"""What an exclusive write answers where the key is taken."""

_TRIES = 3
_CLOCK_STEP_NS = 2_000_000_000  # Last-Modified is told in whole seconds, by another clock


class Writing(Reading, Tagging):
    """The writing part of `Client`; see `Bucket` for what the methods promise."""

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object in one request; see `Bucket.put`."""
        self._check_key(key)
        if source.size > self.limits.max_put:
            raise FileTooLarge(f"{source.size} bytes in one PutObject of {key!r}")
        with self._locks.hold(key):
            tags = self._tags_for(key, new)
            request = Request(
                operation="PutObject",
                method="PUT",
                key=key,
                headers=render_new(self.dialect, new, tags, self.storage_class),
                body=source,
            )
            answer = self._send_content(request)
            made = self._made(key, answer, new, tags)
            made = replace(made, size=source.size)
            if answer.code in TAKEN:
                return self._settle(request, answer, made)
            return made

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a link in one request; see `Bucket.put_symlink`."""
        self._check_key(key)
        size = len(target.encode())
        if not target:
            raise InvalidRequest(f"a link {key!r} to nowhere")
        if size > self.limits.max_key:
            raise NameTooLong(f"the target of {key!r} has {size} bytes")
        with self._locks.hold(key), self._needs("symlinks"):
            tags = self._tags_for(key, new)
            headers = render_new(self.dialect, new, tags, self.storage_class)
            headers[self._header("symlink-target")] = quote(target, safe="")
            request = Request(
                operation="PutSymlink",
                method="PUT",
                key=key,
                query={"symlink": ""},
                headers=headers,
                subresource="symlink",
            )
            answer = self._call(request, allow=TAKEN)
            made = self._made(key, answer, new, tags)
            detail = made.detail and replace(made.detail, target=target, crc64=None)
            made = replace(made, size=size, type=ObjectType.SYMLINK, detail=detail)
            if answer.code in TAKEN:
                return self._settle(request, answer, made)
            return made

    def delete(self, key: str) -> None:
        """Delete one object; see `Bucket.delete`."""
        self._check_key(key)
        request = Request(operation="DeleteObject", method="DELETE", key=key)
        self._call(request, allow={"NoSuchKey"})

    def delete_many(self, keys: Sequence[str]) -> dict[str, str]:
        """Delete objects in batches; see `Bucket.delete_many`."""
        # What XML cannot carry (control characters) goes in URLs, one by one.
        failed = self._delete_singly([key for key in keys if not is_representable(key)])
        batched = [key for key in keys if is_representable(key)]
        for start in range(0, len(batched), self.limits.delete_batch):
            batch = batched[start : start + self.limits.delete_batch]
            try:
                failed.update(self._delete_batch(batch))
            except Unsupported:
                failed.update(self._delete_singly(batch))
            except Interrupted:
                raise
            except TagfsError as failure:
                if start == 0 and not failed:
                    raise  # nothing was deleted, so the failure itself can be told
                failed.update(dict.fromkeys(batch, str(failure)))
        return failed

    def _delete_batch(self, keys: Sequence[str]) -> dict[str, str]:
        request = Request(
            operation="DeleteMultipleObjects",
            method="POST",
            query={"delete": "", "encoding-type": "url"},
            headers={"content-type": "application/xml"},
            body=render_delete(keys),
            subresource="delete",
        )
        parse = functools.partial(parse_deleted, plus_is_blank=self.dialect.plus_is_blank)
        failed = self._ask(request, parse)
        for key, reason in failed.items():
            logger.warning("DeleteMultipleObjects of %r: %s", key, reason)
        return failed

    def _delete_singly(self, keys: Sequence[str]) -> dict[str, str]:
        failed = {}
        begun = [(key, self._threads.submit(self.delete, key)) for key in keys]
        for key, outcome in begun:
            try:
                outcome.result()
            except Interrupted:
                raise
            except TagfsError as failure:
                failed[key] = str(failure)
        return failed

    def _send_content(self, request: Request) -> Response:
        """Send content until the service has what was sent.

        An answer of `TAKEN` is left to the caller.

        Raises:
            IntegrityError
        """
        for _ in range(_TRIES):
            answer = self._call(request, allow=TAKEN)
            received = parse_crc64(self.dialect, answer.headers)
            if answer.error is not None or received in {None, answer.sent_crc64}:
                return answer
            # The key is ours now: what is wrong at it may be replaced.
            request = replace(request, headers=self._without_exclusive(request))
            logger.info("%s: garbled on the way; sending it again", request)
        raise self._warn(IntegrityError(f"{request}: the service keeps getting something else"))

    def _without_exclusive(self, request: Request) -> dict[str, str]:
        name = self.dialect.exclusive[0] if self.dialect.exclusive else None
        return {key: value for key, value in request.headers.items() if key != name}

    def _made(self, key: str, answer: Response, new: NewObject, tags: TagSet) -> ObjectInfo:
        """Describe an object as the answer to its creation and what was sent tell; size 0."""
        headers = {"content-type": self.dialect.content_type} | {
            name.lower(): value for name, value in new.headers.items()
        }
        crc = parse_crc64(self.dialect, answer.headers)
        return ObjectInfo(
            key=key,
            size=0,
            etag=parse_etag(answer.headers.get("etag", "")),
            last_modified_ns=self._date(answer),
            storage_class=self.storage_class or self.dialect.default_storage_class,
            detail=Detail(
                metadata={name.lower(): value for name, value in new.metadata.items()},
                headers=headers,
                tag_count=len(tags),
                crc64=answer.sent_crc64 if crc is None else crc,
                version_id=answer.headers.get(self._header("version-id")),
            ),
        )

    def _date(self, answer: Response) -> int:
        """Return when the service answered, nanoseconds since the epoch."""
        text = answer.headers.get("date")
        if text:
            return parse_http_date(text)
        return int(self.transport.now()) * 1_000_000_000

    def _settle(self, request: Request, answer: Response, made: ObjectInfo) -> ObjectInfo:
        """Decide whose object an exclusive write found: that of its own lost first attempt?

        Return how it is described now.

        Raises:
            AlreadyExists: it is somebody else's, or it cannot be told apart from that.
        """
        failure = find_failure(request, answer)
        if not answer.uncertain or made.detail is None:
            raise failure
        found = self.head(made.key, expected=made.type)
        same = (
            found.detail is not None
            and (found.size, found.type) == (made.size, made.type)
            and found.detail.metadata == made.detail.metadata
            and found.detail.target == made.detail.target
            and (made.detail.crc64 is None or found.detail.crc64 == made.detail.crc64)
            and found.last_modified_ns >= answer.started_ns - _CLOCK_STEP_NS
        )
        if not same:
            raise failure
        logger.info("%s: the answer was lost, but the object is there as it was sent", request)
        return found
