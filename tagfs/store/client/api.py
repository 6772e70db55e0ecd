"""One bucket of one service: its requests sent, its keys judged, its refusals made exceptions."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar
from urllib.parse import quote

from tagfs.errors import (
    InvalidRequest,
    MalformedResponse,
    NameTooLong,
)
from tagfs.store.client.error_codes import to_exception
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http.messages import Request, Response, check_key
from tagfs.store.http.transport import Transport
from tagfs.store.objects import ObjectInfo, ObjectType

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Api:
    """One bucket, one dialect, one transport."""

    def __init__(self, name: str, dialect: Dialect, transport: Transport) -> None:
        self.name = name
        self.dialect = dialect
        self.limits = dialect.limits
        self.transport = transport

    @property
    def is_vouched_for(self) -> bool:
        """Whether answers come from the service that the dialect describes, as far as they tell.

        Many servers speak S3, and do some of it otherwise: what a loss may come of is tried on
        them, at the cost of a request now and then.
        """
        maker = self.dialect.server
        return not maker or self.transport.server == maker

    def request(self, request: Request) -> Response:
        """Deliver a request and return its final answer, whatever its status."""
        return self.transport.request(request)

    def request_all(self, requests: Sequence[Request]) -> Sequence[Response | None]:
        """Deliver plain requests at the same time; None for what was not answered plainly."""
        return self.transport.request_all(requests)

    def send(self, request: Request, *, allow: Collection[int | str] = ()) -> Response:
        """Deliver a request and return its answer; an error is raised.

        `allow` holds statuses and error codes that the caller reads itself.
        """
        return self.checked(request, self.request(request), allow=allow)

    def checked(
        self, request: Request, answer: Response, *, allow: Collection[int | str] = ()
    ) -> Response:
        """Return an answer, as `send` does; an error is raised."""
        if answer.error is None or answer.status in allow or answer.code in allow:
            return answer
        raise to_exception(request, answer)

    def send_parsed(self, request: Request, parse: Callable[[bytes], T]) -> T:
        """Deliver a request and return what its answer's body says."""
        return self.parsed(request, self.send(request), parse)

    def parsed(self, request: Request, answer: Response, parse: Callable[[bytes], T]) -> T:
        """Return what the body of an answer says.

        Raises:
            MalformedResponse: it is not the document that is due.
        """
        try:
            return parse(answer.body)
        except MalformedResponse as error:
            raise MalformedResponse(f"{request}: {error}") from error

    def check_key(self, key: str) -> None:
        """Raise for a key that names no object or is too long.

        The empty key would turn a request about an object into one about the bucket.
        """
        check_key(key)
        if key.startswith("/"):
            raise InvalidRequest(f"key {key!r} begins with '/'")
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise InvalidRequest(f"key {key!r} is not UTF-8") from None
        if size > self.limits.max_key:
            raise NameTooLong(
                f"key of {size} bytes: {self.dialect.title} allows {self.limits.max_key}"
            )

    def header(self, name: str) -> str:
        """Return the service's own header of this name."""
        return self.dialect.header_prefix + name

    def copy_source(self, source: ObjectInfo) -> dict[str, str]:
        """Return the headers that name a copy's source, and the version of it that is meant."""
        headers = {
            self.header("copy-source"): f"/{self.name}/{quote(source.key, safe='/-_.~')}",
        }
        # Which ETag a service compares for a link, its own or its target's, is not documented.
        if source.type is not ObjectType.SYMLINK and source.etag:
            headers[self.header("copy-source-if-match")] = f'"{source.etag}"'
        return headers
