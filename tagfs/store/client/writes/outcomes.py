"""What a write has made: described from its answer, and looked for where the answer was lost.

A write whose answer was lost is sent again, and the answer to that may be about the first: a key
that is "taken". What the service then has is compared with what was sent; nothing is guessed.
"""

from contextlib import suppress

from tagfs.errors import AlreadyExists, MalformedResponse
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import to_exception
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.dialects.header_names import STORAGE_CLASS
from tagfs.store.http.messages import Request, Response
from tagfs.store.http_dates import parse_http_date
from tagfs.store.objects import Detail, NewObject, ObjectInfo
from tagfs.store.tags import TagSet
from tagfs.store.versions import Sent, is_what_was_sent
from tagfs.store.wire.headers import parse_crc64, parse_etag


class Outcomes:
    """Says what became of a write."""

    def __init__(self, context: ClientContext, heads: ObjectHeads) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._heads = heads

    def describe_created(
        self, key: str, answer: Response, new: NewObject, tags: TagSet, size: int = 0
    ) -> ObjectInfo:
        """Describe an object of `size` bytes as its creation and the answer to that tell."""
        headers = {"content-type": self._api.dialect.content_type} | {
            name.lower(): value for name, value in new.headers.items()
        }
        chosen = self._choices.storage_class
        if chosen and chosen not in self._api.dialect.archived:
            headers.setdefault(STORAGE_CLASS, chosen)
        crc = parse_crc64(self._api.dialect, answer.headers)
        if crc is None and self._api.dialect.checksum_header:
            crc = answer.sent_crc64
        version = answer.headers.get(self._api.header("version-id"))
        if version and self._api.dialect.versions_replace:
            self._features.note_versions()
        return ObjectInfo(
            key=key,
            size=size,
            etag=parse_etag(answer.headers.get("etag", "")),
            last_modified_ns=self.moment(answer),
            storage_class=headers.get(STORAGE_CLASS, self._api.dialect.default_storage_class),
            detail=Detail(
                metadata={name.lower(): value for name, value in new.metadata.items()},
                headers=headers,
                tag_count=len(tags),
                crc64=crc,
                version_id=version,
            ),
        )

    def moment(self, answer: Response) -> int:
        """Return when the service answered, nanoseconds since the epoch.

        A date that cannot be read is no reason to report a write as failed that was done.
        """
        with suppress(MalformedResponse):
            return parse_http_date(answer.headers.get("date", ""))
        return int(self._api.transport.now()) * 1_000_000_000

    def resolve_conflict(self, request: Request, answer: Response, made: ObjectInfo) -> ObjectInfo:
        """Decide whose object an exclusive write found: that of its own lost first attempt?

        Return how it is described now.

        Raises:
            AlreadyExists: it is another's, or may be.
        """
        failure = to_exception(request, answer)
        if answer.code in self._api.dialect.taken_codes:
            failure = AlreadyExists(str(failure))
        if not answer.may_have_happened or made.detail is None:
            raise failure
        found = self._heads.head(made.key, expected=made.type)
        if found.detail is None or not is_what_was_sent(found, self._evidence(answer, made)):
            raise failure
        logger.info("%s: the answer was lost, but the object is there as it was sent", request)
        return found

    def _evidence(self, answer: Response, made: ObjectInfo) -> Sent:
        detail = made.detail or Detail()
        # Of a copy nothing was sent; without a checksum only its source's ETag tells.
        etag = made.etag if detail.crc64 is None else ""
        md5 = answer.sent_md5 if self._features.md5_etags else None
        return Sent(
            size=made.size,
            type=made.type,
            etag=md5 or etag or None,
            crc64=detail.crc64,
            metadata=detail.metadata,
            target=detail.target,
            not_before_ns=answer.started_ns,
        )
