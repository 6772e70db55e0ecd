"""One attempt to deliver a request: a slot, a connection, an answer, a record of what it cost."""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from tagfs.errors import Interrupted, MalformedResponse, Unsupported
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http.connection_pool import ConnectionPool, PendingResponse, ResponseReader
from tagfs.store.http.connections import NoResponse, Timeouts, proxy_refusal
from tagfs.store.http.error_response import (
    NO_ETAGS,
    is_foreign_page,
    is_of_proxy,
    lacking_etag,
    parse_response,
)
from tagfs.store.http.messages import (
    FIRST_REFUSAL,
    Attempt,
    Observer,
    Request,
    Response,
    repair_header,
)
from tagfs.store.http.pacing import Pace
from tagfs.store.http.request_body import Stream
from tagfs.store.http.retry import RetryState, is_throttling
from tagfs.store.http.service_clock import ServiceClock
from tagfs.store.http.slots import Slots
from tagfs.store.objects import NOTHING
from tagfs.store.proxies import Proxy
from tagfs.store.wire.xml import MAX_DOCUMENT

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 10.0
IDLE_TIMEOUT: Final = 30.0
"""Seconds without a byte, either way, after which an attempt is given up."""

_NO_CONTENT = 204


class Begun(NamedTuple):
    """A request that was sent, when, and until when silence is borne (monotonic seconds).

    `asked_by` is the proxy that may answer in the service's place.
    """

    sent: PendingResponse
    began: float
    until: float
    asked_by: Proxy | None


class Attempts:
    """Makes attempts, a bounded number at the same time. Thread-safe.

    Each takes a slot first (`acquire_slot`, `try_slot`), and is recorded when it is over, which
    gives the slot back.
    """

    def __init__(
        self,
        bucket: str,
        dialect: Dialect,
        *,
        parallel: int,
        observer: Observer | None,
        pace: Pace,
    ) -> None:
        self._bucket = bucket
        self._dialect = dialect
        self._observer = observer
        self.server = ""  # what the last answer that named its maker called him
        self.clock = ServiceClock()
        self._closed = threading.Event()
        self._slots = Slots(parallel)
        self._pace = pace

    def send(
        self,
        course: RetryState,
        connections: ConnectionPool,
        target: str,
        headers: dict[str, str | bytes],
        body: bytes | Stream | None,
    ) -> Begun:
        """Send a request; its slot, which is taken, is given back if that fails."""
        request = course.request
        began = time.monotonic()
        left = max(0.5, course.deadline - began)
        timeouts = Timeouts(
            connect=min(CONNECT_TIMEOUT, left), read=min(IDLE_TIMEOUT, left) + request.server_time
        )
        try:
            sent = connections.send(
                request.method, target, headers, body, timeouts, retry_connect=request.retry_connect
            )
        except BaseException:
            self.record(course, began)
            raise
        return Begun(sent, began, time.monotonic() + timeouts.read, connections.asked_by)

    def receive(self, course: RetryState, begun: Begun, within: float | None = None) -> Response:
        """Read the answer to a request that was sent, and give back its slot."""
        request = course.request
        status = received = 0
        answered: dict[str, str] = {}
        try:
            raw = begun.sent.answer(within)
            status = raw.status
            answered = {
                name: value if value.isascii() else repair_header(value)
                for name, value in raw.fields.items()
            }
            content = _read_body(request, raw, answered)
            received = len(content)
        finally:
            self.record(course, begun.began, status, received, answered)
        proxy = begun.asked_by
        if proxy is not None and is_of_proxy(self._dialect, status, answered, content):
            raise proxy_refusal(proxy, status)
        lacks = lacking_etag(self._dialect, request, status, answered)
        if lacks and not request.key_of_marker:
            logger.warning("%s: %s", request, NO_ETAGS)
            raise Unsupported(f"{request}: {NO_ETAGS}")
        if not lacks and is_foreign_page(request, status, answered, content):
            raise NoResponse(f"an answer of {status} that is not the service's", sent=True)
        self.server = answered.get("server", self.server)
        self.clock.note(answered.get("date", ""))
        answer = parse_response(self._dialect, request, status, answered, content)
        if is_throttling(self._dialect, status, answer.code):
            self._slots.on_throttled(begun.began)
        else:
            self._slots.on_answer()
        return answer

    def record(
        self,
        course: RetryState,
        began: float,
        status: int = 0,
        received: int = 0,
        answered: Mapping[str, str] = NOTHING,
    ) -> None:
        """Give back the slot of an attempt, and tell what it was."""
        self._slots.release()
        self._pace.received(received, course.request.expected)
        if self._observer is None:
            return
        request = course.request
        self._observer(
            Attempt(
                request.operation,
                request.method,
                self._bucket,
                request.key,
                request.subresource,
                status,
                received,
                request.body_size,
                time.monotonic() - began,
                course.attempts,
                answered.get(self._dialect.header_prefix + "request-id", ""),
            )
        )

    def acquire_slot(self, course: RetryState) -> None:
        """Wait for its turn and a free connection; that time is not the request's."""
        began = time.monotonic()
        if wait := self._pace.turn(course.request.body_size, course.request.expected):
            self.pause(course, wait)
        while not self._slots.acquire(1):
            self._check_open(course)
        self._check_open(course, release=True)
        course.deadline += time.monotonic() - began

    def try_slot(self) -> bool:
        """Take a connection for a request without a body, if one is free now; say whether."""
        if not self._slots.try_acquire():
            return False
        if self._pace.turn(0, at_once=True) is None:
            self._slots.release()
            return False
        return True

    def release_slot(self) -> None:
        """Give a connection back without an attempt."""
        self._slots.release()

    def pause(self, course: RetryState, seconds: float) -> None:
        """Wait before another attempt.

        Raises:
            Interrupted: the transport was closed.
        """
        self._closed.wait(seconds)
        self._check_open(course)

    def close(self) -> None:
        """Interrupt those that wait."""
        self._closed.set()

    def _check_open(self, course: RetryState, *, release: bool = False) -> None:
        if self._closed.is_set():
            if release:
                self._slots.release()
            raise Interrupted(f"{course.request}: the connection was closed")


def _read_body(request: Request, raw: ResponseReader, headers: dict[str, str]) -> bytes:
    """Read the body whole; one that was cut is no answer."""
    most = request.max_answer if raw.status < FIRST_REFUSAL else MAX_DOCUMENT
    length = headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() else None
    if request.method == "HEAD" or raw.status == _NO_CONTENT:
        size = 0  # after HEAD, the header tells what GET would send
    elif size is None and "transfer-encoding" not in headers:
        raw.drop()
        raise NoResponse("an answer of unknown length, which may be cut", sent=True)
    body = b""
    if size is None:
        body = raw.read(most + 1)
        size = len(body)
    elif size <= most:
        body = raw.read()
    if size > most:
        raw.drop()
        raise MalformedResponse(f"{request}: {size} bytes or more where {most} were due")
    return body
