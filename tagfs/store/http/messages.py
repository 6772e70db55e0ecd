"""One HTTP exchange with a service: what is asked, what was answered, what each attempt cost.

Values only. `Transport` delivers a `Request` and returns a `Response`; `Client` makes the one and
reads the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tagfs.errors import InvalidRequest
from tagfs.store.objects import NOTHING, Source
from tagfs.store.wire.xml import MAX_DOCUMENT, ServiceError

OK: Final = 200
FIRST_REFUSAL: Final = 300
FIRST_FAILURE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of a service's API.

    Attributes:
        operation: the API's word, for logs: "PutObject".
        key: not percent-encoded; None for the bucket itself.
        query: decoded; an empty value means a name without "=".
        headers: names in lower case; values are sent as UTF-8.
        body: a document, content, or nothing.
        subresource: for request logs: "tagging", "uploads", "list", ...
        max_answer: bytes of body to accept.
        expected: bytes of body that will probably come.
        timeout: seconds for all attempts; None for the transport's.
        server_time: seconds that the service may need before it begins to answer, on top of the
            transport's patience with one attempt.
        retry_connect: whether "no such host" and "connection refused" are worth another attempt.
        md5_first: whether the MD5 of content goes ahead of it even if that means to read it twice.
        checksum: header that tells the CRC-32 of content ahead of it, for the service to compare;
            "" for none.
        md5: whether an MD5 of content is of use, where ETags are that.
        content: whether the answer's body is an object's, which may look like anything. Else a
            200 may carry an error (services begin the answer to a copy before they know its
            outcome), and a web page is not the service's.
        proof_header: header without which a success is not the service's answer, but that of
            something on the way; "" for none.
        verify_done: tells whether an attempt without an answer did its work, where a second one
            would do other work; asked before every further attempt.
    """

    operation: str
    method: str
    key: str | None = None
    query: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    body: bytes | Source | None = None
    subresource: str | None = None
    max_answer: int = MAX_DOCUMENT
    expected: int = 0
    timeout: float | None = None
    server_time: float = 0.0
    retry_connect: bool = True
    md5_first: bool = False
    checksum: str = ""
    md5: bool = True
    content: bool = False
    proof_header: str = ""
    verify_done: Callable[[], bool] | None = None

    @property
    def body_size(self) -> int:
        """Bytes that are sent."""
        if self.body is None:
            return 0
        return len(self.body) if isinstance(self.body, bytes) else self.body.size

    @property
    def key_of_marker(self) -> bool:
        """Whether the key is a directory's."""
        return self.key is not None and self.key.endswith("/")

    def __str__(self) -> str:
        return self.operation if self.key is None else f"{self.operation} of {self.key!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A final answer, whatever its status.

    Attributes:
        headers: names in lower case, values decoded as UTF-8 where they are.
        body: read whole; empty after HEAD.
        error: what the service says about a status of 300 and more.
        sent_crc64: of the content that was sent; None when none was.
        sent_md5: of the same, lower-case hex; None where it was not computed.
        sent_checksum: its CRC-32 in base64, if that was sent ahead of it.
        md5_was_first: whether that MD5 was sent along, so that the service compared it.
        may_have_happened: an earlier attempt got no answer, a 5xx or an error inside a success, so
            that it may have taken effect.
        started_ns: when the first attempt began, on the service's clock.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    error: ServiceError | None = None
    sent_crc64: int | None = None
    sent_md5: str | None = None
    sent_checksum: str | None = None
    md5_was_first: bool = False
    may_have_happened: bool = False
    started_ns: int = 0

    @property
    def code(self) -> str:
        """The service's error code, or ""."""
        return self.error.code if self.error else ""

    def __str__(self) -> str:
        if self.error is None:
            return str(self.status)
        reason = self.error.code or self.error.message or "no reason given"
        return f"{self.status} {reason}, request id {self.error.request_id or 'unknown'}"


class Attempt(NamedTuple):
    """What one attempt was and cost; `status` 0 means that no answer came. `seconds` of wall.

    `bytes_in` and `bytes_out` are of bodies: received and sent. `number` counts the attempts of one
    request from 1. `request_id` is the service's, "" where it sent none.
    """

    operation: str
    method: str
    bucket: str
    key: str | None
    subresource: str | None
    status: int
    bytes_in: int
    bytes_out: int
    seconds: float
    number: int = 1
    request_id: str = ""


Observer = Callable[[Attempt], None]
"""Called after every attempt, in the thread that made it; must be quick and must not raise."""


def check_key(key: str) -> None:
    """Raise for a key that is not sent: one that a URL's readers would rewrite.

    Servers, proxies and HTTP libraries resolve ".", ".." and "//" in a path, so such a request
    could reach another object. One "/" at the end is a directory marker's.

    Raises:
        InvalidRequest
    """
    parts = key.split("/")
    if not parts[-1] and len(parts) > 1:
        parts.pop()
    if "" in parts or "." in parts or ".." in parts:
        raise InvalidRequest(f"key {key!r} has an empty, '.' or '..' component")


def repair_header(value: str) -> str:
    """Return a header value as UTF-8 where it is that; http.client reads all as Latin-1."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
