"""Looking at a bucket: listings, descriptions and content."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final, NamedTuple

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    BadCredentials,
    IntegrityError,
    MalformedResponse,
    NotFound,
    ObjectChanged,
    TagfsError,
)
from tagfs.store.client.api import Api, logger
from tagfs.store.client.content_range import find_extent
from tagfs.store.client.error_codes import to_exception
from tagfs.store.dialects.dialect import ListKeys
from tagfs.store.http.messages import Request
from tagfs.store.objects import Content, Lookup, ObjectInfo, ObjectType, Page
from tagfs.store.wire.checksums import crc64
from tagfs.store.wire.headers import parse_etag, parse_md5, parse_object, parse_target
from tagfs.store.wire.xml import parse_listing

PAGE: Final = 1000
"""Entries; services give no more at once."""

_BAD_REQUEST = 400
_RANGE_NOT_SATISFIABLE = 416
# What HEAD and GET answer where a link's target cannot be followed; the link is there.
_LINK_CODES = frozenset({"SymlinkTargetNotExist", "InvalidTargetType"})
_TRIES = 3


class _Checksums(NamedTuple):
    """Checksums of a whole object, as far as an answer has them; the MD5 in hex."""

    crc64: int | None = None
    md5: str | None = None


_NO_CHECKSUMS = _Checksums()


def _keys(page: Page) -> Iterator[str]:
    yield from page.prefixes
    for info in page.objects:
        yield info.key


class ObjectReads(Api):
    """The looking half of `Client`; see `Bucket` for what the methods promise."""

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = PAGE
    ) -> Page:
        """Return one page of a listing; see `Bucket.list`."""
        query = {"prefix": prefix, "max-keys": str(limit)}
        if delimiter:
            query["delimiter"] = delimiter
        if self.dialect.list_version != 1:
            query["list-type"] = str(self.dialect.list_version)
        if token is not None:
            query["marker" if self.dialect.list_version == 1 else "continuation-token"] = token
        page = self._list(query)
        self._lists = True
        if page.token is not None and page.token == token:
            raise self._log_and_return(
                MalformedResponse(f"listing {prefix!r} goes on where it began")
            )
        foreign = [key for key in _keys(page) if not key.startswith(prefix)]
        if foreign:  # its name would be cut out of another one
            raise self._log_and_return(
                MalformedResponse(f"listing {prefix!r} has {foreign[0]!r} in it")
            )
        return page

    def _list(self, query: dict[str, str]) -> Page:
        encoded = {**query, "encoding-type": "url"}
        if self.dialect.list_keys is ListKeys.ENCODED:
            return self._request_parsed(self._list_request(encoded), self._parse_listing)
        try:
            return self._parse_listing(self._call(self._list_request(query)).body)
        except MalformedResponse as malformed:
            logger.info(
                "a listing that XML cannot carry is asked for again, encoded: %s", malformed
            )
        page = self._request_parsed(self._list_request(encoded), self._parse_listing)
        if page.token is None:
            return page
        # Whether the marker of such a listing is encoded differs; the last entry is a marker too.
        keys = [*(info.key for info in page.objects[-1:]), *page.prefixes[-1:]]
        return replace(page, token=max(keys))

    def _list_request(self, query: dict[str, str]) -> Request:
        return Request(operation="ListObjects", method="GET", query=query, subresource="list")

    def _parse_listing(self, body: bytes) -> Page:
        return parse_listing(
            body,
            plus_is_blank=self.dialect.plus_is_blank,
            default_class=self.dialect.default_storage_class,
        )

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of a directory, the next fetched meanwhile; see `Bucket.scan`."""
        page = self.list(prefix)
        tokens = set()
        while page.token is not None:
            if page.token in tokens:
                raise self._log_and_return(
                    MalformedResponse(f"listing {prefix!r} goes round in circles")
                )
            tokens.add(page.token)
            following = self._threads.submit(self.list, prefix, token=page.token)
            yield page
            page = following.result()
        yield page

    def lookup(self, key: str, *, max_age: float | None = None) -> Lookup:  # noqa: ARG002 contract
        """Say what is at a key, by HEAD and LIST at the same time; see `Bucket.lookup`."""
        self._check_key(key)
        below = self._threads.submit(self.list, key + "/", delimiter="", limit=1)
        denied: AccessDenied | None = None
        info = None
        try:
            info = self.head(key)
        except NotFound:
            pass
        except AccessDenied as error:
            denied = error
        first = self._first_below(below, info)
        if denied is not None:
            info = self._find_listed(key, denied) if first is None else None
        marker = first if first is not None and first.key == key + "/" else None
        return Lookup(info, is_prefix=first is not None, marker=marker)

    def _first_below(self, below: Future[Page], info: ObjectInfo | None) -> ObjectInfo | None:
        """Return the first key of a directory; none if there is a file, and no right to list."""
        try:
            return next(iter(below.result().objects), None)
        except BadCredentials:
            raise
        except AccessDenied:
            if info is None:
                raise
            return None

    def _find_listed(self, key: str, denied: AccessDenied) -> ObjectInfo | None:
        """Return what a listing shows of an object that may not be looked at itself.

        Raises:
            BadCredentials: the key pair itself was refused.
            AccessDenied: nor may it be listed.
        """
        if isinstance(denied, BadCredentials):
            raise denied
        first = next(iter(self.list(key, delimiter="", limit=1).objects), None)
        return first if first is not None and first.key == key else None

    def head(
        self,
        key: str,
        *,
        expected: ObjectType | None = None,
        max_age: float | None = None,  # noqa: ARG002 contract
    ) -> ObjectInfo:
        """Describe one object, a link itself; see `Bucket.head`."""
        self._check_key(key)
        as_link = expected is ObjectType.SYMLINK and self._capabilities.symlinks
        for _ in range(_TRIES):
            info = self._head_link(key) if as_link else self._head_object(key)
            if info is not None:
                return info
            as_link = not as_link
        raise self._log_and_return(ObjectChanged(f"{key!r} turns from link to file and back"))

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects by a HEAD each, all at once; see `Bucket.head_many`."""
        for key in keys:
            self._check_key(key)
        answers = self.transport.request_all([_head_request(key) for key in keys])
        found: dict[str, ObjectInfo] = {}
        for key, answer in zip(keys, answers, strict=True):
            if answer is None or answer.error is not None:
                continue
            try:
                info = self._parsed(key, answer.headers)
            except MalformedResponse:
                continue
            if info.type is not ObjectType.SYMLINK or not self._capabilities.symlinks:
                found[key] = info
        return found

    def known(self, key: str, *, max_age: float | None = None) -> ObjectInfo | None:  # noqa: ARG002
        """Remember nothing; see `Bucket.known`."""
        return None

    def known_keys(self, prefix: str, *, max_age: float | None = None) -> Sequence[str] | None:  # noqa: ARG002
        """Remember nothing; see `Bucket.known_keys`."""
        return None

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return bytes of an object, verified if it is the whole; see `Bucket.get`."""
        self._check_key(key)
        if length is not None and length <= 0:
            return self._empty_range(key, start, if_match)
        failure: TagfsError = IntegrityError(f"{key!r} cannot be read: its checksum is wrong")
        for _ in range(_TRIES):
            try:
                content, told = self._get_once(key, start, length, if_match)
            except MalformedResponse as malformed:
                failure = malformed
            else:
                if self._matches(content, told):
                    return content
            logger.info("GetObject of %r: what came is not what was sent; reading it again", key)
        raise self._log_and_return(failure)

    def expect_empty(self, prefix: str) -> None:
        """Remember nothing; see `Bucket.expect_empty`."""

    def forget(self, prefix: str = "") -> None:
        """Remember nothing; see `Bucket.forget`."""

    def _matches(self, content: Content, told: _Checksums) -> bool:
        if told.crc64 is not None:
            return crc64(content.data) == told.crc64
        if told.md5 is None or self._md5_etags is False:
            return True
        same = hashlib.md5(content.data, usedforsecurity=False).hexdigest() == told.md5
        self._md5_etags = self._md5_etags or same or None
        return same

    def _check_free(self, key: str) -> None:
        """Raise if something is at `key`: the guard of exclusive writes without a header for it.

        Raises:
            AlreadyExists
        """
        try:
            self.head(key)
        except NotFound:
            return
        except AccessDenied as denied:
            if self._find_listed(key, denied) is None:
                return
        raise AlreadyExists(f"{key!r} is there")

    def _parsed(
        self, key: str, headers: Mapping[str, str], *, size: int | None = None
    ) -> ObjectInfo:
        """Read the answer to HEAD or GET; raises as `parse_object`."""
        info = parse_object(self.dialect, key, headers, size)
        kept = info.detail.headers if info.detail else {}
        for name in self.dialect.uncopied:
            self._sees_uncopied |= kept.get(name, "") not in {"", self.dialect.usual_encryption}
        return info

    def _head_object(self, key: str) -> ObjectInfo | None:
        """HEAD; None for a link, which HEAD would follow."""
        request = _head_request(key)
        links = self._capabilities.symlinks
        # A HEAD's answer may lack the code; which status a link's target earns it is not certain.
        allowed = {*_LINK_CODES, *(self.dialect.not_a_link & {_BAD_REQUEST})} if links else set()
        answer = self._call(request, allow=allowed)
        if answer.error is None:
            info = self._parsed(key, answer.headers)
            return None if links and info.type is ObjectType.SYMLINK else info
        if answer.code not in _LINK_CODES and self._head_link(key) is None:
            raise self._log_and_return(to_exception(request, answer))
        return None

    def _head_link(self, key: str) -> ObjectInfo | None:
        """GET ?symlink; None for an object that is no link."""
        request = Request(
            operation="GetSymlink",
            method="GET",
            key=key,
            query={"symlink": ""},
            subresource="symlink",
        )
        answer = self._call(request, allow=self.dialect.not_a_link)
        name = self._header("symlink-target")
        if answer.error is not None or name not in answer.headers:
            return None
        target = parse_target(answer.headers[name])
        info = self._parsed(key, answer.headers, size=len(target.encode()))
        detail = info.detail and replace(info.detail, target=target, crc64=None)
        self._links_tried = True
        return replace(info, type=ObjectType.SYMLINK, detail=detail)

    def _get_once(
        self, key: str, start: int, length: int | None, if_match: str | None
    ) -> tuple[Content, _Checksums]:
        """Return content, and the checksums that it should have as far as they are told."""
        headers = dict(self.dialect.get_headers)
        if start or length is not None:
            last = "" if length is None else start + length - 1
            headers["range"] = f"bytes={start}-{last}"
        if if_match is not None:
            headers["if-match"] = f'"{if_match}"'
        request = Request(
            operation="GetObject",
            method="GET",
            key=key,
            headers=headers,
            max_answer=self.limits.max_object if length is None else length,
            expected=length or 0,
            content=True,
            proof_header="etag",
        )
        answer = self._call(request, allow={_RANGE_NOT_SATISFIABLE})
        if answer.status == _RANGE_NOT_SATISFIABLE:
            return self._past_the_end(key, start, if_match), _NO_CHECKSUMS
        total, is_told = find_extent(answer, start, length)
        info = self._parsed(key, answer.headers, size=total)
        if if_match is not None and info.etag != parse_etag(if_match):
            raise ObjectChanged(f"{request}: {info.etag} instead of {if_match}")
        if not is_told:
            self._check_whole(info)
        content = Content(info, start, answer.body)
        # Content read through a link comes without its checksum, or with the link's; what was
        # appended has an ETag of its own.
        whole = len(answer.body) == total and info.type is not ObjectType.SYMLINK
        if not whole:
            return content, _NO_CHECKSUMS
        appended = info.type is ObjectType.APPENDABLE
        md5 = None if appended else parse_md5(self.dialect, answer.headers)
        return content, _Checksums(info.detail.crc64 if info.detail else None, md5)

    def _check_whole(self, info: ObjectInfo) -> None:
        """Look whether a body that came for a range, with no word of one, is the whole object.

        Raises:
            MalformedResponse: it is not, or the object is another one by now.
        """
        found = self._head_object(info.key) or self.head(info.key, expected=ObjectType.SYMLINK)
        is_link = ObjectType.SYMLINK in (info.type, found.type)  # each has a size of its own
        if not is_link and (found.size, found.etag) != (info.size, info.etag):
            raise MalformedResponse(f"{info.size} bytes of {info.key!r}, which has {found.size}")

    def _empty_range(self, key: str, start: int, if_match: str | None) -> Content:
        """Return no bytes of an object: none were asked for."""
        info = self._head_object(key) or self.head(key, expected=ObjectType.SYMLINK)
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


def _head_request(key: str) -> Request:
    return Request(operation="HeadObject", method="HEAD", key=key, proof_header="etag")
