"""Requests for tag sets, each proved to be one before it changes anything."""

import logging
import threading
from typing import Final

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    MalformedResponse,
    Refused,
    Unreachable,
    Unsupported,
)
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.marker_patience import bounded
from tagfs.store.client.proofs import NO_TAGS_CODES, SubresourceProofs
from tagfs.store.dialects.dialect import EmptyTagging
from tagfs.store.http.messages import Request, Response
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.wire.documents import parse_tag_set, render_tag_set

logger = logging.getLogger(__name__)

_MOST: Final = 1024 * 1024
"""Bytes of a tag set, with all that XML may make of it."""


class TagRequests:
    """Reads, writes and deletes tag sets as the service writes them."""

    def __init__(self, context: ClientContext, proofs: SubresourceProofs) -> None:
        self._api = context.api
        self._features = context.features
        self._proofs = proofs
        self._proving = threading.Lock()  # one asks, the others wait for the answer

    def get(self, operation: str, key: str | None) -> TagSet:
        """Return a tag set as the service writes it."""
        with self._features.require("bucket_tags" if key is None else "object_tags"):
            request = self.tagging(operation, "GET", key)
            try:
                answer = self._api.send(request, allow=NO_TAGS_CODES)
            except MalformedResponse as failure:  # it is too large
                if not self._features.tags_proven and self._proofs.is_ignored():
                    raise FeatureMissing(self._features.why_not("object_tags")) from failure
                raise
            tags = self.read(request, answer)
        if key is not None:
            self._features.note_tags_read()
        return tags

    def read(self, request: Request, answer: Response) -> TagSet:
        """Return the tags that an answer tells.

        Raises:
            MalformedResponse
            FeatureMissing: it is the object, or a listing of the bucket.
        """
        said = self._api.dialect.empty_tagging
        if answer.error is not None:
            if EmptyTagging.NOT_FOUND not in said:
                raise MalformedResponse(f"{request}: {answer}")
            self._features.note_heeded(proves_tags=request.key is not None)
            return NO_TAGS
        try:
            empty = not answer.body.strip() and EmptyTagging.EMPTY_BODY in said
            tags = NO_TAGS if empty else parse_tag_set(answer.body)
        except MalformedResponse as failure:
            if self._proofs.is_other(request, answer, is_set=False):
                raise FeatureMissing(self._features.why_not("object_tags")) from failure
            raise
        if self._proofs.is_other(request, answer, is_set=True):
            raise FeatureMissing(self._features.why_not("object_tags"))
        return tags

    def put(self, what: str, key: str | None, tags: TagSet) -> None:
        """Replace a tag set; an empty one is deleted, which no service misunderstands."""
        if not tags and key is not None:
            self._delete_object_tags(key)
        elif not tags:
            self.delete(f"Delete{what}", key)
        else:
            self._put(self.tagging(f"Put{what}", "PUT", key, body=render_tag_set(tags)))

    def _put(self, request: Request) -> None:
        """Write a tag set.

        Raises:
            Unsupported: it is a directory's, and the server fails whenever one is written.
        """
        try:
            self._api.send(bounded(self._api, request))
        except (Refused, Unreachable) as failure:
            if self._api.is_vouched_for or not request.key_of_marker:
                raise
            raise Unsupported(f"directories can have no tags here ({failure})") from failure

    def delete(self, operation: str, key: str | None, names: str = "") -> None:
        """Delete a tag set, or of a bucket's the tags of these names."""
        self._api.send(self.tagging(operation, "DELETE", key, names))

    def _delete_object_tags(self, key: str) -> None:
        """Delete a tag set; where the bucket has no request for that, write an empty one."""
        try:
            self.delete("DeleteObjectTagging", key)
        except FeatureMissing:
            body = render_tag_set(NO_TAGS)
            self._api.send(self.tagging("PutObjectTagging", "PUT", key, body=body))

    def tagging(
        self,
        operation: str,
        method: str,
        key: str | None,
        names: str = "",
        body: bytes | None = None,
    ) -> Request:
        """Return a request about a tag set; `key` None: about the bucket's."""
        return Request(
            operation=operation,
            method=method,
            key=key,
            query={"tagging": names},
            headers={} if body is None else {"content-type": "application/xml"},
            body=body,
            subresource="tagging",
            max_answer=_MOST,
        )

    def prove(self, key: str) -> None:
        """See to it that PUT ?tagging is surely no PutObject; reads the tags of `key` if need be.

        Raises:
            FeatureMissing: it would be one.
            TagfsError: that cannot be known.
        """
        if self._features.tags_proven:
            return
        with self._proving:
            self._read_proof(key)

    def _read_proof(self, key: str) -> None:
        """Prove tags, unless another thread has done so meanwhile."""
        if self._features.tags_proven:
            return
        try:
            self.get("GetObjectTagging", key)
        except BadCredentials:
            raise
        except AccessDenied:
            logger.debug("%r: whether there are tags is asked otherwise", key)
        if not self._features.tags_proven:
            self._proofs.check()
