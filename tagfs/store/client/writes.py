"""Objects made and replaced in one request each.

A write whose answer was lost is sent again, and the answer to that may be about the first: a key
that is "taken". What the service then has is compared with what was sent; nothing is guessed.
"""

from dataclasses import replace

from tagfs.errors import (
    AlreadyExists,
    FileTooLarge,
    Interrupted,
    InvalidRequest,
    NameTooLong,
    NotFound,
    Refused,
    TagfsError,
    Unsupported,
)
from tagfs.store.client.api import logger
from tagfs.store.client.deletes import ObjectDeletes
from tagfs.store.client.error_codes import FeatureMissing, to_exception
from tagfs.store.client.object_acls import Acls
from tagfs.store.client.tag_transfer import TagTransfer
from tagfs.store.client.trial_names import TRIAL, lost_answers_logged, unused_key
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.dialects.header_names import STORAGE_CLASS
from tagfs.store.http.messages import Request, Response
from tagfs.store.http_dates import parse_http_date
from tagfs.store.objects import Detail, NewObject, ObjectInfo, ObjectType, Source
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import parse_crc64, parse_etag, render_target

_TRIES = 3
_CLOCK_STEP_NS = 2_000_000_000  # Last-Modified is told in whole seconds, by another clock


class ObjectWrites(ObjectDeletes, TagTransfer, Acls):
    """The writing part of `Client`; see `Bucket` for what the methods promise."""

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object in one request; see `Bucket.put`."""
        self._check_key(key)
        if source.size > self.limits.max_put:
            raise FileTooLarge(f"{source.size} bytes in one PutObject of {key!r}")
        with self._locks.hold(key):
            asked = self._acl_ahead(key, new)
            tags = self._tags_for(key, new)
            acl = asked()
            headers = self._headers_for("PutObject", key, new, tags) | self._acl_headers(acl)
            request = Request(
                operation="PutObject",
                method="PUT",
                key=key,
                headers=headers,
                body=source,
                proof_header="etag",
            )
            answer = self._with_precondition(request, self._send_content)
            made = self._describe_created(key, answer, new, tags)
            made = replace(made, size=source.size)
            if answer.error is not None:
                made = self._resolve_conflict(request, answer, made)
            self._ensure_tags(WriteKind.PUT, key, tags)
            self._deliver_acl(key, acl)
            return made

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a link in one request; see `Bucket.put_symlink`."""
        self._check_key(key)
        size = len(target.encode())
        if not target:
            raise InvalidRequest(f"a link {key!r} to nowhere")
        if size > self.limits.max_key:
            raise NameTooLong(f"the target of {key!r} has {size} bytes")
        if self.dialect.plain_targets and target != target.strip(" "):
            # A header that is not encoded loses them on the way back.
            raise Unsupported(f"a link {key!r} whose target begins or ends with a blank")
        with self._locks.hold(key), self._requires("symlinks"):
            if not self._links_tried:
                self._probe_links(key)
            asked = self._acl_ahead(key, new)
            tags = self._tags_for(key, new)
            acl = asked()
            headers = self._headers_for("PutSymlink", key, new, tags) | self._acl_headers(acl)
            request = self._link_request(key, target, headers)
            answer = self._with_precondition(request, self._send)
            made = self._describe_created(key, answer, new, tags)
            detail = made.detail and replace(made.detail, target=target, crc64=None)
            made = replace(made, size=size, type=ObjectType.SYMLINK, detail=detail)
            if answer.error is not None:
                made = self._resolve_conflict(request, answer, made)
            self._ensure_tags(WriteKind.SYMLINK, key, tags)
            self._deliver_acl(key, acl)
            return made

    def _shows_no_tags(self, key: str) -> bool:
        """Say so if there is no object, or a count of 0.

        A count that is not told tells nothing: services hide it from who may not read tags.
        """
        try:
            found = self.head(key)
        except NotFound:
            return True
        except TagfsError:
            return False
        return found.detail is not None and found.detail.tag_count == 0

    def _link_request(self, key: str, target: str, headers: dict[str, str]) -> Request:
        return Request(
            operation="PutSymlink",
            method="PUT",
            key=key,
            query={"symlink": ""},
            headers={
                **headers,
                self._header("symlink-target"): render_target(self.dialect, target),
            },
            subresource="symlink",
        )

    def _probe_links(self, key: str) -> None:
        """Find out on a key of its own, beside `key`, whether the bucket knows links at all.

        A service that does not would take PutSymlink for a PutObject of nothing.

        Raises:
            FeatureMissing
        """
        trial = unused_key(key)
        try:
            with lost_answers_logged(trial):
                self._call(self._link_request(trial, TRIAL, {}))
        except (InvalidRequest, Refused) as failure:
            raise FeatureMissing(str(failure)) from failure
        try:
            if self._head_link(trial) is None:
                raise FeatureMissing("PutSymlink makes no link")
        finally:
            self._delete_probe(trial)
        self._links_tried = True

    def _delete_probe(self, trial: str) -> None:
        """Delete what was made on trial; if that fails the log says what stays."""
        try:
            self.delete(trial)
        except Interrupted:
            raise
        except TagfsError as failure:
            logger.warning("%r, an object made on trial, stays behind: %s", trial, failure)

    def _describe_created(
        self, key: str, answer: Response, new: NewObject, tags: TagSet
    ) -> ObjectInfo:
        """Describe an object as the answer to its creation and what was sent tell; size 0."""
        headers = {"content-type": self.dialect.content_type} | {
            name.lower(): value for name, value in new.headers.items()
        }
        if self.storage_class and self.storage_class not in self.dialect.archived:
            headers.setdefault(STORAGE_CLASS, self.storage_class)
        crc = parse_crc64(self.dialect, answer.headers)
        if crc is None and self.dialect.checksum_header:
            crc = answer.sent_crc64
        return ObjectInfo(
            key=key,
            size=0,
            etag=parse_etag(answer.headers.get("etag", "")),
            last_modified_ns=self._date(answer),
            storage_class=headers.get(STORAGE_CLASS, self.dialect.default_storage_class),
            detail=Detail(
                metadata={name.lower(): value for name, value in new.metadata.items()},
                headers=headers,
                tag_count=len(tags),
                crc64=crc,
                version_id=answer.headers.get(self._header("version-id")),
            ),
        )

    def _date(self, answer: Response) -> int:
        """Return when the service answered, nanoseconds since the epoch."""
        text = answer.headers.get("date")
        if text:
            return parse_http_date(text)
        return int(self.transport.now()) * 1_000_000_000

    def _resolve_conflict(self, request: Request, answer: Response, made: ObjectInfo) -> ObjectInfo:
        """Decide whose object an exclusive write found: that of its own lost first attempt?

        Return how it is described now.

        Raises:
            AlreadyExists: it is somebody else's, or it cannot be told apart from that.
        """
        failure = to_exception(request, answer)
        if answer.code in self.dialect.taken_codes:
            failure = AlreadyExists(str(failure))
        if not answer.may_have_happened or made.detail is None:
            raise failure
        found = self.head(made.key, expected=made.type)
        same = (
            found.detail is not None
            and (found.size, found.type) == (made.size, made.type)
            and found.detail.metadata == made.detail.metadata
            and found.detail.target == made.detail.target
            and (made.detail.crc64 is None or found.detail.crc64 == made.detail.crc64)
            # Of a copy nothing was sent; without a checksum only its source's ETag tells.
            and (not made.etag or made.detail.crc64 is not None or found.etag == made.etag)
            and (answer.sent_md5 is None or not self._md5_etags or found.etag == answer.sent_md5)
            and found.last_modified_ns >= answer.started_ns - _CLOCK_STEP_NS
        )
        if not same:
            raise failure
        logger.info("%s: the answer was lost, but the object is there as it was sent", request)
        return found
