"""Requests about annotations of objects, each proved to be one before it changes anything.

A server that ignores what it does not know in a query takes GET ?annotation for GetObject, and PUT
?annotation for PutObject. So only AWS is asked, unless the user says otherwise, and nothing is set
or removed before a listing came that no object looks like.
"""

import logging
from collections.abc import Mapping
from typing import Final

from tagfs.errors import MalformedResponse, NotFound, Unsupported
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import FeatureMissing, to_exception
from tagfs.store.http.messages import FIRST_FAILURE, Request, Response
from tagfs.store.wire.annotations import AnnotationPage, parse_annotations

logger = logging.getLogger(__name__)

AUTO: Final = "auto"
OFF: Final = "off"

MAX_ANNOTATION: Final = 1024 * 1024
"""Bytes of one annotation."""

_MOST_NAMES = 1024 * 1024  # bytes of a page of 1,000 entries with names of 512 bytes, and to spare
# A bad request says something of annotations; these say something else.
_OTHER: Final = frozenset({401, 403, 404, 405, 409, 412, 429})
_BAD: Final = 400


class AnnotationRequests:
    """Lists, reads, writes and deletes annotations."""

    def __init__(self, context: ClientContext) -> None:
        self._api = context.api
        self._features = context.features
        self._choice = context.choices.annotations
        self._proven = False  # one listing came

    @property
    def may_be_there(self) -> bool:
        """Whether objects of this bucket can have annotations, as far as is known."""
        if self._choice == OFF or not self._features.capabilities.annotations:
            return False
        return self._choice != AUTO or self._api.is_vouched_for

    @property
    def go_with_copies(self) -> bool:
        """Whether a copy takes annotations along, for which it may be refused."""
        return self._api.dialect.capabilities.annotations and self._api.is_vouched_for

    def settle(self) -> None:
        """Say of a bucket that was asked something that it has none, where that is chosen."""
        if not self.may_be_there:
            self._features.forgo_annotations()

    def list(self, key: str) -> Mapping[str, int]:
        """Return the size of each annotation of an object, by name.

        Raises:
            NotFound, AccessDenied
            Unsupported: the bucket, or this object, can have none.
        """
        self._check()
        sizes: dict[str, int] = {}
        token: str | None = None
        while True:
            page = self._page(key, token)
            if page.token is not None and (page.token == token or not page.sizes):
                raise MalformedResponse(f"annotations of {key!r}: they go on where they began")
            sizes |= page.sizes
            token = page.token
            if token is None:
                return sizes

    def get(self, key: str, name: str) -> bytes:
        """Return one annotation.

        Raises:
            NotFound, AccessDenied, Unsupported
            NoSuchTag: there is none of this name.
        """
        self._prove(key)
        request = self._request("GetObjectAnnotation", "GET", key, {"annotationName": name})
        return self._api.send(_content(request, MAX_ANNOTATION)).body

    def put(self, key: str, name: str, data: bytes, *, etag: str = "") -> None:
        """Set one annotation; `etag`: only if the object is still that version.

        Raises:
            NotFound, AccessDenied, Unsupported, InvalidTag
            ObjectChanged: it is another version.
        """
        self._prove(key)
        headers = {"content-type": "application/octet-stream"}
        if etag:
            headers[self._api.header("object-if-match")] = f'"{etag}"'
        request = Request(
            operation="PutObjectAnnotation",
            method="PUT",
            key=key,
            query={"annotation": "", "annotationName": name},
            headers=headers,
            body=data,
            subresource="annotation",
        )
        self._api.send(request)

    def delete(self, key: str, name: str) -> None:
        """Remove one annotation; a missing one is no error everywhere.

        Raises:
            NotFound, AccessDenied, Unsupported
        """
        self._prove(key)
        self._api.send(
            self._request("DeleteObjectAnnotation", "DELETE", key, {"annotationName": name})
        )

    def _request(self, operation: str, method: str, key: str, query: Mapping[str, str]) -> Request:
        return Request(
            operation=operation,
            method=method,
            key=key,
            query={"annotation": "", **query},
            subresource="annotation",
        )

    def _check(self) -> None:
        if not self.may_be_there:
            raise Unsupported(self._features.why_not("annotations"))

    def _prove(self, key: str) -> None:
        """See to it that ?annotation is looked at; lists those of `key` if need be."""
        self._check()
        if not self._proven:
            self._page(key, None)

    def _page(self, key: str, token: str | None) -> AnnotationPage:
        query = {} if token is None else {"continuation-token": token}
        request = self._request("ListObjectAnnotations", "GET", key, query)
        try:
            # A server that ignores the sub-resource sends the object, whatever that looks like.
            answer = self._api.request(_content(request, _MOST_NAMES))
            if answer.error is not None:
                raise self._judged(request, answer)
            page = parse_annotations(answer.body)
        except MalformedResponse as failure:  # or it is too large
            if self._proven:
                raise MalformedResponse(f"{request}: {failure}") from failure
            raise self._lacking(f"{request}: no list of annotations") from failure
        self._proven = True
        return page

    def _judged(self, request: Request, answer: Response) -> Exception:
        """Return what a refusal means: a bad request is one of who knows no annotations.

        Where there are some it is about this object: one with a key of the customer's has none.
        """
        failure = to_exception(request, answer)
        if isinstance(failure, FeatureMissing):
            return self._lacking(str(failure))
        bad = _BAD <= answer.status < FIRST_FAILURE and answer.status not in _OTHER
        if not bad or isinstance(failure, NotFound):
            return failure
        return Unsupported(str(failure)) if self._proven else self._lacking(str(failure))

    def _lacking(self, reason: str) -> FeatureMissing:
        self._features.disable("annotations", reason)
        return FeatureMissing(self._features.why_not("annotations"))


def _content(request: Request, most: int) -> Request:
    return Request(
        operation=request.operation,
        method=request.method,
        key=request.key,
        query=request.query,
        subresource=request.subresource,
        max_answer=most,
        content=True,
    )
