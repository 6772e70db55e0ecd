"""Content of objects, verified where the service tells a checksum of the whole."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tagfs.errors import IntegrityError, MalformedResponse, ObjectChanged, TagfsError
from tagfs.store.client.api import logger
from tagfs.store.client.context import TRIES, ClientContext
from tagfs.store.client.reads.content_range import find_extent
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Content, ObjectInfo, ObjectType
from tagfs.store.wire.checksums import crc64
from tagfs.store.wire.headers import parse_etag, parse_md5

_RANGE_NOT_SATISFIABLE = 416
_STORED_ENCODING: Final = "x-goog-stored-content-encoding"


class _Checksums(NamedTuple):
    """Checksums of a whole object, as far as an answer has them; the MD5 in hex."""

    crc64: int | None = None
    md5: str | None = None


_NO_CHECKSUMS = _Checksums()


class ObjectContent:
    """Bytes of objects; see `ObjectReads` for what the method promises."""

    def __init__(self, context: ClientContext, heads: ObjectHeads) -> None:
        self._api = context.api
        self._features = context.features
        self._heads = heads
        self._transcodes = False  # compressed content was decompressed on the way

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return bytes of an object, verified if it is the whole; see `ObjectReads.get`."""
        self._api.check_key(key)
        if length is not None and length <= 0:
            return self._empty_range(key, start, if_match)
        failure: TagfsError = IntegrityError(f"{key!r} cannot be read: its checksum is wrong")
        compressed = self._transcodes
        came: list[Content] = []
        for _ in range(TRIES):
            try:
                content, reported = self._get_once(
                    key, start, length, if_match, compressed=compressed
                )
            except MalformedResponse as malformed:
                failure = malformed
            else:
                if self._matches(content, reported):
                    return content
                came.append(content)
            logger.info("GetObject of %r: what came is not what was sent; reading it again", key)
            compressed = self._is_compressed(key)
        if len(came) == TRIES and self._is_no_md5(came):
            self._features.distrust_etags(f"that of {key!r} is not the MD5 of what comes")
            return came[0]
        raise failure

    def get_many(self, sizes: Mapping[str, int]) -> Mapping[str, Content]:
        """Return the content of several small objects; see `ObjectReads.get_many`."""
        for key in sizes:
            self._api.check_key(key)
        requests = [
            self._request(key, 0, max(size, 1), compressed=self._transcodes)
            for key, size in sizes.items()
        ]
        found: dict[str, Content] = {}
        for request, answer in zip(requests, self._api.request_all(requests), strict=True):
            content = self._plain_content(request, answer) if answer is not None else None
            if content is not None and content.info.size == sizes[content.info.key]:
                found[content.info.key] = content
        return found

    def _plain_content(self, request: Request, answer: Response) -> Content | None:
        """Return the whole object that an answer has; None if it may be anything else."""
        if answer.error is not None:
            return None
        try:
            content, is_known = self._content(request, answer, 0, request.expected)
        except MalformedResponse:
            return None
        is_link = content.info.type is ObjectType.SYMLINK
        is_right = is_known and self._matches(content, self._checksums(content, answer))
        return content if is_right and not is_link else None

    def _is_compressed(self, key: str) -> bool:
        """Tell whether content is stored compressed: then the service may have decompressed it.

        GCS does so for who does not say that he takes gzip. What is not stored so must not be asked
        for like that, because others would compress it on the way.
        """
        try:
            detail = self._heads.head_itself(key).detail
        except TagfsError as failure:
            logger.debug("how %r is stored stays unknown: %s", key, failure)
            return False
        compressed = "gzip" in (detail.headers.get("content-encoding", "") if detail else "")
        if compressed and not self._transcodes:
            self._transcodes = True
            logger.info("content that is stored compressed is asked for as it is (%r)", key)
        return compressed

    def _is_no_md5(self, came: Sequence[Content]) -> bool:
        """Tell whether it is the ETag that is no checksum: the same came each time.

        Not where an ETag was one before, nor from a service whose ETags are known to be.
        """
        unknown = self._features.md5_etags is None and not self._api.is_vouched_for
        return unknown and all(content.data == came[0].data for content in came)

    def _matches(self, content: Content, reported: _Checksums) -> bool:
        if reported.crc64 is not None:
            return crc64(content.data) == reported.crc64
        if reported.md5 is None or self._features.md5_etags is False:
            return True
        same = hashlib.md5(content.data, usedforsecurity=False).hexdigest() == reported.md5
        if same:
            self._features.trust_etags()
        return same

    def _get_once(
        self, key: str, start: int, length: int | None, if_match: str | None, *, compressed: bool
    ) -> tuple[Content, _Checksums]:
        """Return content, and the checksums that it should have as far as they are sent."""
        request = self._request(key, start, length, if_match, compressed=compressed)
        answer = self._api.send(request, allow={_RANGE_NOT_SATISFIABLE})
        if answer.status == _RANGE_NOT_SATISFIABLE:
            return self._past_the_end(key, start, if_match), _NO_CHECKSUMS
        content, is_known = self._content(request, answer, start, length)
        info = content.info
        if if_match is not None and info.etag != parse_etag(if_match):
            raise ObjectChanged(f"{request}: {info.etag} instead of {if_match}")
        if not is_known:
            self._check_whole(info)
        return content, self._checksums(content, answer)

    def _request(
        self,
        key: str,
        start: int,
        length: int | None,
        if_match: str | None = None,
        *,
        compressed: bool,
    ) -> Request:
        headers = {**self._api.dialect.get_headers, **self._heads.tags_demand()}
        if compressed:
            headers["accept-encoding"] = "gzip"
        if start or length is not None:
            last = "" if length is None else start + length - 1
            headers["range"] = f"bytes={start}-{last}"
        if if_match is not None:
            headers["if-match"] = f'"{if_match}"'
        return Request(
            operation="GetObject",
            method="GET",
            key=key,
            headers=headers,
            max_answer=self._api.limits.max_object if length is None else length,
            expected=length or 0,
            content=True,
            proof_header="etag",
        )

    def _content(
        self, request: Request, answer: Response, start: int, length: int | None
    ) -> tuple[Content, bool]:
        """Return what an answer has, and whether it says what that is of the object.

        Raises:
            MalformedResponse: it is not what was asked for.
        """
        stored = answer.headers.get(_STORED_ENCODING, "")
        if stored not in {"", "identity", answer.headers.get("content-encoding", "")}:
            raise MalformedResponse(f"{request}: was decompressed on the way")
        total, is_known = find_extent(answer, start, length)
        info = self._heads.describe(request.key or "", answer.headers, size=total)
        return Content(info, start, answer.body), is_known

    def _checksums(self, content: Content, answer: Response) -> _Checksums:
        """Return the checksums that content should have, as far as they are sent."""
        info = content.info
        # Content read through a link comes without its checksum, or with the link's; what was
        # appended has an ETag of its own.
        whole = len(answer.body) == info.size and info.type is not ObjectType.SYMLINK
        if not whole:
            return _NO_CHECKSUMS
        appended = info.type is ObjectType.APPENDABLE
        md5 = None if appended else parse_md5(self._api.dialect, answer.headers)
        return _Checksums(info.detail.crc64 if info.detail else None, md5)

    def _check_whole(self, info: ObjectInfo) -> None:
        """Look whether a body that came for a range, with no word of one, is the whole object.

        Raises:
            MalformedResponse: it is not, or the object is another one by now.
        """
        found = self._heads.head_itself(info.key)
        is_link = ObjectType.SYMLINK in (info.type, found.type)  # each has a size of its own
        if not is_link and (found.size, found.etag) != (info.size, info.etag):
            raise MalformedResponse(f"{info.size} bytes of {info.key!r}, which has {found.size}")

    def _empty_range(self, key: str, start: int, if_match: str | None) -> Content:
        """Return no bytes of an object: none were asked for."""
        info = self._heads.head_itself(key)
        if if_match is not None and info.etag != parse_etag(if_match):
            raise ObjectChanged(f"{key!r}: {info.etag} instead of {if_match}")
        return Content(info, start, b"")

    def _past_the_end(self, key: str, start: int, if_match: str | None) -> Content:
        """Return no bytes of an object, as `start` is past its end.

        Raises:
            MalformedResponse: it is not.
        """
        content = self._empty_range(key, start, if_match)
        if content.info.type is not ObjectType.SYMLINK and start < content.info.size:
            raise MalformedResponse(
                f"no bytes of {key!r} from {start} on, which has {content.info.size}"
            )
        return content
