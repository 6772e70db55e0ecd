"""Delivers requests: connections, signatures, retries. The only user of requests and its urllib3.

A `Transport` serves one bucket at one endpoint. It does not know what a request means: it
returns every final answer, whatever its status, and raises only when there is none.
`requests.Session` is passed over: it rewrites "." and ".." in paths, and reading the
environment's proxies costs more than a request; its adapter brings the pool and the certificates.
"""

import http.client
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Final, cast

import requests
import urllib3
import urllib3.connection
from requests.adapters import HTTPAdapter

from tagfs.errors import Interrupted, MalformedResponse, SettingsError, Throttled, Unreachable
from tagfs.store import retry
from tagfs.store.answers import is_strange, read_answer
from tagfs.store.body import Body, Stream, prepare_body
from tagfs.store.dialect import Dialect
from tagfs.store.endpoints import Endpoint
from tagfs.store.exchange import (
    FIRST_FAILURE,
    FIRST_REFUSAL,
    OK,
    Attempt,
    Observer,
    Request,
    Response,
    check_key,
    repair_header,
)
from tagfs.store.identity.credentials import Credentials
from tagfs.store.retry import Course
from tagfs.store.signing import Authority
from tagfs.store.wholeanswer import WholeAnswer
from tagfs.store.wire import MAX_DOCUMENT

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 10.0
SMALL_PACKET: Final = 64 * 1024
"""Bytes of a body that is sent together with its head."""

PATIENCE: Final = 30.0
"""Seconds without a byte, either way, after which an attempt is given up."""

_NO_RETRIES = urllib3.Retry(total=False)
_NO_CONTENT = 204
_IN_FIELDS: Final = urllib3.HTTPHeaderDict()
_FOREIGN = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)
_Pool = urllib3.HTTPConnectionPool


class _Answer(urllib3.HTTPResponse):
    """What urllib3's pool makes of a `WholeAnswer`, which has the headers and the framing."""

    def __init__(self, answer: WholeAnswer) -> None:
        super().__init__(
            body=answer,
            headers=_IN_FIELDS,
            status=answer.status,
            reason=answer.reason,
            preload_content=False,
            decode_content=False,
            original_response=answer,
            enforce_content_length=False,  # http.client does
        )
        self.fields = answer.fields


class _AtOnce(urllib3.connection.HTTPConnection):
    """Sends the head of a request and a small body at once: one call, one packet, one wake-up.

    urllib3's own way with headers, out and in, costs more than signing them.
    """

    response_class: type[http.client.HTTPResponse] = WholeAnswer
    _head: bytes | None = None  # held back until the body comes; empty: still to come itself

    def request(
        self, method: str, url: str, body: Any = None, headers: Any = None, **_options: Any
    ) -> None:
        """Send a request; `headers` are all there are, the length of the body among them."""
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        small = isinstance(body, bytes) and 0 < len(body) <= SMALL_PACKET
        self._head = b"" if small else None
        self.putrequest(method, url, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            http.client.HTTPConnection.putheader(self, name, value)
        self.endheaders()
        if isinstance(body, bytes) and body:
            self.send(body)
        elif body:
            for block in body:
                self.send(block)

    def getresponse(self) -> _Answer:  # type: ignore[override]  # as urllib3's own does
        self.sock.settimeout(self.timeout)
        return _Answer(cast("WholeAnswer", http.client.HTTPConnection.getresponse(self)))

    def send(self, data: Any) -> None:
        head, self._head = self._head, None
        if head == b"":
            self._head = data
        else:
            super().send(data if head is None else head + data)


class _Connection(_AtOnce):
    pass


class _SecureConnection(_AtOnce, urllib3.connection.HTTPSConnection):
    pass


class _NoAnswer(Exception):
    """An attempt that ended without an answer.

    Attributes:
        sent: the service may have got the request.
        hopeless: another attempt will end the same way.
    """

    def __init__(self, reason: str, *, sent: bool, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.sent = sent
        self.hopeless = hopeless


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user may choose about a transport.

    Attributes:
        parallel: connections, and so requests under way, at most.
        timeout: seconds that one request may take in all, its transfer not counted.
        observer: told of every attempt.
        ca_bundle: file of certificates to trust instead of the usual ones.
    """

    parallel: int = 32
    timeout: float = 60.0
    observer: Observer | None = None
    ca_bundle: str | None = None


class Transport:
    """Delivers the requests of one bucket. Thread-safe."""

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        authority: Authority,
        options: Options | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.options = options or Options()
        self._dialect = dialect
        self._authority = authority
        self._closed = threading.Event()
        self._slots = threading.BoundedSemaphore(self.options.parallel)
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=self.options.parallel)
        self._pool = _connect(self._adapter, endpoint, self.options.ca_bundle)

    def now(self) -> float:
        """Return seconds since the epoch on the service's clock, as far as it is known."""
        return self._authority.now()

    @property
    def origin(self) -> str:
        """Where the credentials come from, for people."""
        return self._authority.origin

    def close(self) -> None:
        """Interrupt those that wait for another attempt, and give back the connections."""
        self._closed.set()
        self._adapter.close()
        self._pool.close()  # the adapter only forgets it

    def request(self, request: Request) -> Response:
        """Deliver one request, again and again while that may help; return the final answer.

        Raises:
            InvalidRequest: the key cannot be sent.
            Throttled, Unreachable: no final answer in time.
            Interrupted: the transport was closed.
            MalformedResponse: a body larger than `request.max_answer`.
            BadCredentials: there are none.
        """
        if request.key is not None:
            check_key(request.key)
        target = self.endpoint.target(request.key, request.query)
        body = prepare_body(
            request.body, with_md5=self._dialect.md5_etags, announced=request.announced
        )
        course = Course.begin(request, self.options.timeout, time.monotonic())
        while True:
            course.attempts += 1
            stream = body.begin()
            used = self._authority.credentials()
            try:
                answer = self._attempt(course, target, used, body.content_md5, stream or body.data)
            except _NoAnswer as failure:
                if stream and stream.failure is not None:
                    raise stream.failure from None
                course.uncertain |= failure.sent
                course.throttled = False
                self._pause(course, str(failure), hopeless=failure.hopeless)
                if _is_done(course):
                    return self._unheard(course)
                continue
            course.uncertain |= answer.uncertain or answer.status >= FIRST_FAILURE
            if self._authority.mend(course, answer, used):
                continue
            if not retry.is_transient(self._dialect, answer.status, answer.code):
                return self._final(course, answer, body, stream)
            course.throttled = retry.is_throttling(self._dialect, answer.status, answer.code)
            least = retry.retry_after(answer.headers, self.now())
            self._pause(course, str(answer), least=least)
            if _is_done(course):
                return self._unheard(course)

    def _unheard(self, course: Course) -> Response:
        """Return what stands for the answer that was lost."""
        logger.info("%s: the answer was lost, but it is done", course.request)
        elapsed = time.monotonic() - course.started
        started_ns = int((self.now() - elapsed) * 1e9)
        return Response(status=OK, headers={}, uncertain=True, started_ns=started_ns)

    def _final(
        self, course: Course, answer: Response, body: Body, stream: Stream | None
    ) -> Response:
        elapsed = time.monotonic() - course.started
        md5 = stream.md5 if stream and body.md5 is None else body.md5
        return Response(
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            error=answer.error,
            sent_crc64=stream.crc64 if stream else body.crc64,
            sent_md5=md5.hex() if md5 is not None else None,
            announced=body.md5 is not None,
            uncertain=course.uncertain,
            started_ns=int((self.now() - elapsed) * 1e9),
        )

    def _attempt(
        self,
        course: Course,
        target: str,
        used: Credentials,
        md5: str | None,
        body: bytes | Stream | None,
    ) -> Response:
        request = course.request
        headers = self._authority.headers(request, target.partition("?")[0], used, md5)
        self._take_slot(course)
        began = time.monotonic()
        status = received = 0
        answered: dict[str, str] = {}
        try:
            raw = self._send(course, target, headers, body, began)
            status = raw.status
            answered = {
                name: value if value.isascii() else repair_header(value)
                for name, value in raw.fields.items()
            }
            content = _receive(request, raw, answered)
            received = len(content)
        finally:
            self._slots.release()
            if self.options.observer is not None:
                self.options.observer(
                    Attempt(
                        request.operation,
                        request.method,
                        self.endpoint.bucket,
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
        if is_strange(request, status, answered, content):
            raise _NoAnswer(f"an answer of {status} that is not the service's", sent=True)
        return read_answer(self._dialect, request, status, answered, content)

    def _take_slot(self, course: Course) -> None:
        """Wait for a connection to be free; that time is not the request's."""
        began = time.monotonic()
        while not self._slots.acquire(timeout=1):
            self._check_open(course)
        self._check_open(course, release=True)
        course.deadline += time.monotonic() - began

    def _check_open(self, course: Course, *, release: bool = False) -> None:
        if self._closed.is_set():
            if release:
                self._slots.release()
            raise Interrupted(f"{course.request}: the connection was closed")

    def _send(
        self,
        course: Course,
        target: str,
        headers: dict[str, str | bytes],
        body: bytes | Stream | None,
        began: float,
    ) -> _Answer:
        left = max(0.5, course.deadline - began)
        patience = min(PATIENCE, left) + course.request.labour
        try:
            answer = self._pool.urlopen(
                course.request.method,
                target,
                body=body,
                headers=headers,  # type: ignore[arg-type]  # http.client sends bytes as they are
                retries=_NO_RETRIES,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, left), read=patience),
            )
            return cast("_Answer", answer)
        except urllib3.exceptions.NewConnectionError as error:  # refused, or no such host
            raise _NoAnswer(
                _reason(error), sent=False, hopeless=not course.request.patient
            ) from None
        except urllib3.exceptions.ConnectTimeoutError as error:
            raise _NoAnswer(_reason(error), sent=False) from None
        except urllib3.exceptions.SSLError as error:
            reason = _reason(error)
            hopeless = "CERTIFICATE_VERIFY_FAILED" in reason or "WRONG_VERSION" in reason
            raise _NoAnswer(reason, sent=not hopeless, hopeless=hopeless) from None
        except _FOREIGN as error:
            raise _NoAnswer(_reason(error), sent=True) from None

    def _pause(
        self, course: Course, reason: str, *, least: float = 0.0, hopeless: bool = False
    ) -> None:
        """Wait before the next attempt, or raise if there will be none."""
        left = course.deadline - time.monotonic()
        if hopeless or left <= 0 or least > left:
            raise self._give_up(course, reason)
        wait = min(max(least, retry.delay(course.attempts)), left)
        logger.info(
            "%s: attempt %d failed (%s); again in %.1f s",
            course.request,
            course.attempts,
            reason,
            wait,
        )
        if self._closed.wait(wait):
            raise Interrupted(f"{course.request}: the connection was closed")

    def _give_up(self, course: Course, reason: str) -> Unreachable:
        kind = Throttled if course.throttled else Unreachable
        message = (
            f"{course.request}: {reason} ({self.endpoint.url}, {course.attempts} attempts "
            f"in {time.monotonic() - course.started:.0f} s)"
        )
        logger.log(logging.DEBUG if course.request.quiet else logging.ERROR, "%s", message)
        failure = kind(message)
        failure.told = not course.request.quiet
        return failure


def _is_done(course: Course) -> bool:
    """Say whether an attempt without an answer is known to have done its work."""
    took_effect = course.request.took_effect
    return course.uncertain and took_effect is not None and took_effect()


def _receive(request: Request, raw: _Answer, headers: dict[str, str]) -> bytes:
    """Read the body whole; one that was cut is no answer."""
    most = request.max_answer if raw.status < FIRST_REFUSAL else MAX_DOCUMENT
    length = headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() else None
    if request.method == "HEAD" or raw.status == _NO_CONTENT:
        size = 0  # after HEAD, the header tells what GET would send
    elif size is None and "transfer-encoding" not in headers:
        raw.close()
        raise _NoAnswer("an answer of unknown length, which may be cut", sent=True)
    try:
        if size is None:
            body = raw.read(most + 1)
            size = len(body)
        else:
            body = raw.read() if size <= most else b""
    except _FOREIGN as error:
        raise _NoAnswer(_reason(error), sent=True) from None
    if size > most:
        raw.close()
        failure = MalformedResponse(f"{request}: {size} bytes or more where {most} were due")
        logger.warning("%s", failure)
        raise failure
    raw.release_conn()
    return body


def _connect(adapter: HTTPAdapter, endpoint: Endpoint, ca_bundle: str | None) -> _Pool:
    """Return the pool of connections that requests would use for this endpoint."""
    verify = ca_bundle or True
    prepared = requests.Request("GET", endpoint.url).prepare()
    # requests' stubs name the base class, which cannot send.
    pool = cast("_Pool", adapter.get_connection_with_tls_context(prepared, verify))
    try:
        adapter.cert_verify(pool, endpoint.url, verify, None)  # type: ignore[no-untyped-call]
    except OSError:
        raise SettingsError(f"ca_bundle={ca_bundle} is not there: name a PEM file") from None
    pool.ConnectionCls = _SecureConnection if endpoint.scheme == "https" else _Connection
    return pool


def _reason(error: BaseException) -> str:
    """Return why a connection failed, without the objects that urllib3 puts before it."""
    text = str(error) or type(error).__name__
    return text.split("object at 0x")[-1].partition(": ")[2] if "object at 0x" in text else text
