"""What is at one key: an object, a link itself, a directory, nothing."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    BadCredentials,
    MalformedResponse,
    NotFound,
    ObjectChanged,
)
from tagfs.store.client.context import TRIES, ClientContext
from tagfs.store.client.error_codes import to_exception
from tagfs.store.client.reads.listing import ObjectListing
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Lookup, ObjectInfo, ObjectType, Page
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import parse_object, parse_target
from tagfs.store.wire.listed_details import read_tags

BESIDE: Final = 100
"""Entries of a directory that come with the answer to what it is: to see it whole, if it is small,
costs no request, and hardly more time than to see that it is there."""

_UNSEEN: Final = Page((), (), "unseen")
_BAD_REQUEST = 400
# What HEAD and GET answer where a link's target cannot be followed; the link is there.
_LINK_CODES = frozenset({"SymlinkTargetNotExist", "InvalidTargetType"})


class ObjectHeads:
    """Descriptions of objects; see `ObjectReads` for what the methods promise."""

    def __init__(self, context: ClientContext, listing: ObjectListing) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._pool = context.pool
        self._listing = listing
        self._is_refused_some = False  # a lookup may not all that it takes

    def lookup(self, key: str) -> Lookup:
        """Say what is at a key, by HEAD and LIST at the same time; see `ObjectReads.lookup`."""
        self._api.check_key(key)
        head, below = self._ask_both(key)
        denied: AccessDenied | None = None
        info = None
        try:
            info = head()
        except NotFound:
            pass
        except AccessDenied as error:
            self._is_refused_some = True
            denied = None if self._is_taken_for_absent(error) else error
        page = self._page_below(below, info, key + "/")
        is_prefix = bool(page.objects or page.prefixes)
        if denied is not None:
            info = None if is_prefix else self._listing.find_instead(key, denied)
        marker = next((each for each in page.objects[:1] if each.key == key + "/"), None)
        is_whole = is_prefix and page.token is None and not self._scans_are_detailed()
        listing = page if is_whole else None
        return Lookup(info, is_prefix=is_prefix, marker=marker, listing=listing)

    def _scans_are_detailed(self) -> bool:
        """Say whether who reads a directory is told more of it than by a plain listing."""
        return self._features.detailed_scans and not self._api.is_vouched_for

    def _ask_both(self, key: str) -> tuple[Callable[[], ObjectInfo], Callable[[], Page]]:
        """Ask for an object, and for a directory of its name, at the same time.

        Both are sent by this thread: another one would cost as much processor time as a request.
        What is refused would be sent twice then, so where something was, it takes two threads.
        """
        ask_below = functools.partial(self._listing.list, key + "/", limit=BESIDE)
        if self._is_refused_some:
            below = self._pool.submit(ask_below)
            return functools.partial(self.head, key), below.result
        requests = self._request(key), self._listing.request(key + "/", limit=BESIDE)
        described, listed = self._api.request_all(requests)

        def head() -> ObjectInfo:
            if described is None:
                return self.head(key)
            found = self._described(requests[0], described)
            return found or self.head(key, expected=ObjectType.SYMLINK)

        def list_below() -> Page:
            if listed is None:
                return ask_below()
            return self._listing.answered(requests[1], listed, key + "/") or ask_below()

        return head, list_below

    def _page_below(self, below: Callable[[], Page], info: ObjectInfo | None, prefix: str) -> Page:
        """Return what is in a directory; nothing if there is a file, and no right to list."""
        try:
            page = below()
        except BadCredentials:
            raise
        except AccessDenied:
            self._is_refused_some = True
            if info is not None:
                return _UNSEEN
            if not self._features.unlistable:
                raise
            marker = self._marker(prefix)
            return replace(_UNSEEN, objects=() if marker is None else (marker,))
        if page.token is not None and not page.objects and not page.prefixes:
            first = self._listing.list(prefix, delimiter="", limit=1)
            return replace(_UNSEEN, objects=first.objects)
        return page

    def _marker(self, key: str) -> ObjectInfo | None:
        """Return the marker of a directory where nothing else can show that there is one."""
        try:
            return self.head(key)
        except NotFound:
            return None
        except AccessDenied as denied:
            if self._is_taken_for_absent(denied):
                return None
            raise

    def _is_taken_for_absent(self, denied: AccessDenied) -> bool:
        """Say whether a refusal to look at a key means that nothing is there.

        S3 says 403 of what is not there to whoever may not list. Who chose so makes new files, each
        on condition that its key is free.
        """
        chosen = self._choices.unlisted_absent and self._features.unlistable
        return chosen and not isinstance(denied, BadCredentials)

    def head(self, key: str, *, expected: ObjectType | None = None) -> ObjectInfo:
        """Describe one object, a link itself; see `ObjectReads.head`."""
        self._api.check_key(key)
        as_link = expected is ObjectType.SYMLINK and self._features.capabilities.symlinks
        for _ in range(TRIES):
            info = self.head_link(key) if as_link else self._head_object(key)
            if info is not None:
                return info
            as_link = not as_link
        raise ObjectChanged(f"{key!r} turns from link to file and back")

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects by a HEAD each, all at once; see `ObjectReads.head_many`."""
        for key in keys:
            self._api.check_key(key)
        answers = self._api.request_all([self._request(key) for key in keys])
        found: dict[str, ObjectInfo] = {}
        for key, answer in zip(keys, answers, strict=True):
            if answer is None or answer.error is not None:
                continue
            try:
                info = self.describe(key, answer.headers)
            except MalformedResponse:
                continue
            if info.type is not ObjectType.SYMLINK or not self._features.capabilities.symlinks:
                found[key] = info
        return found

    def check_free(self, key: str) -> None:
        """Raise if something is at `key`: the guard of exclusive writes without a header for it.

        Raises:
            AlreadyExists
        """
        try:
            self.head(key)
        except NotFound:
            return
        except AccessDenied as denied:
            if self._listing.find_instead(key, denied) is None:
                return
        raise AlreadyExists(f"{key!r} is there")

    def describe(
        self, key: str, headers: Mapping[str, str], *, size: int | None = None
    ) -> ObjectInfo:
        """Read the answer to HEAD or GET; raises as `parse_object`."""
        info = parse_object(self._api.dialect, key, headers, size)
        if info.detail and self._features.tags_in_heads:
            info = info.with_detail(replace(info.detail, tags=self._tags(info, headers)))
        kept = info.detail.headers if info.detail else {}
        for name in self._api.dialect.uncopied:
            if kept.get(name, "") not in {"", self._api.dialect.usual_encryption}:
                self._features.note_uncopied()
        return info

    def head_itself(self, key: str) -> ObjectInfo:
        """Describe an object that may be a link, which costs a request more then."""
        return self._head_object(key) or self.head(key, expected=ObjectType.SYMLINK)

    def _head_object(self, key: str) -> ObjectInfo | None:
        """HEAD; None for a link, which HEAD would follow."""
        request = self._request(key)
        return self._described(request, self._api.request(request))

    def _described(self, request: Request, answer: Response) -> ObjectInfo | None:
        """Read the answer to a HEAD; raises as `head`. None for a link."""
        key = request.key or ""
        links = self._features.capabilities.symlinks
        # A HEAD's answer may lack the code; which status a link's target earns it is not certain.
        no_link = self._api.dialect.not_a_link & {_BAD_REQUEST}
        allowed = {*_LINK_CODES, *no_link} if links else set()
        self._api.checked(request, answer, allow=allowed)
        if answer.error is None:
            info = self.describe(key, answer.headers)
            return None if links and info.type is ObjectType.SYMLINK else info
        if answer.code not in _LINK_CODES and self.head_link(key) is None:
            raise to_exception(request, answer)
        return None

    def head_link(self, key: str) -> ObjectInfo | None:
        """GET ?symlink; None for an object that is no link."""
        request = Request(
            operation="GetSymlink",
            method="GET",
            key=key,
            query={"symlink": ""},
            subresource="symlink",
        )
        answer = self._api.send(request, allow=self._api.dialect.not_a_link)
        name = self._api.header("symlink-target")
        if answer.error is not None or name not in answer.headers:
            return None
        target = parse_target(answer.headers[name])
        info = self.describe(key, answer.headers, size=len(target.encode()))
        detail = info.detail and replace(info.detail, target=target, crc64=None)
        self._features.note_links()
        return replace(info, type=ObjectType.SYMLINK, detail=detail)

    # Tags with the answers, as MinIO has them

    def tags_demand(self) -> dict[str, str]:
        """Return the header that asks for tags, where the server is known to answer it rightly."""
        return self._demand() if self._features.tags_in_heads else {}

    def tags_by_head(self, key: str) -> TagSet | None:
        """Return what a HEAD that asks for tags is answered; raises as `head`."""
        answer = self._api.send(self._request(key, self._demand()))
        return self._tags(self.describe(key, answer.headers), answer.headers)

    def _demand(self) -> dict[str, str]:
        return {self._api.header("tagging-directive"): "ACCESS"}

    def _request(self, key: str, demand: Mapping[str, str] | None = None) -> Request:
        headers = self.tags_demand() if demand is None else demand
        return Request(
            operation="HeadObject", method="HEAD", key=key, headers=headers, proof_header="etag"
        )

    def _tags(self, info: ObjectInfo, headers: Mapping[str, str]) -> TagSet | None:
        """Return the tags that an answer has, if they are as many as it says that there are."""
        text = headers.get(self._api.header("tagging"))
        tags = read_tags(self._api.dialect, text)
        count = info.detail.tag_count if info.detail else None
        return tags if tags and len(tags) == count else None
