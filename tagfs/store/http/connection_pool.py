"""Connections to one endpoint: kept open, used by one request at a time, opened as requests would.

The only user of requests and its urllib3. Of them come connections, certificates and errors;
their own way with a request (a pool behind three locks, an answer that is parsed like an e-mail)
costs more than to sign and send it.
"""

import contextlib
import http.client
import select
import ssl
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import requests
import urllib3
import urllib3.connection
from requests.adapters import HTTPAdapter

from tagfs.errors import SettingsError
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.http.request_body import Stream
from tagfs.store.http.response_parser import FastHTTPResponse

SMALL_PACKET: Final = 64 * 1024
"""Bytes of a body that is sent together with its head."""

FOREIGN: Final = (
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    requests.RequestException,
    OSError,
)
"""What an exchange that fails may raise: `ssl` raises OSErrors as well."""

_Pool = urllib3.HTTPConnectionPool
_CUT = (BrokenPipeError, ConnectionResetError)


class NoResponse(Exception):
    """An attempt that ended without an answer.

    Attributes:
        sent: the service may have got the request.
        hopeless: another attempt will end the same way.
    """

    def __init__(self, reason: str, *, sent: bool, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.sent = sent
        self.permanent = hopeless


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: until a connection is open, and without a byte of an answer."""

    connect: float
    read: float


class _CoalescingConnection(urllib3.connection.HTTPConnection):
    """Sends the head of a request and a small body at once: one call, one packet, one wake-up."""

    response_class: type[http.client.HTTPResponse] = FastHTTPResponse
    was_cut = False  # while it was sent to
    _poll: "select.poll | None" = None
    _head: bytes | None = None  # held back until the body comes; empty: still to come itself

    def connect(self) -> None:
        super().connect()
        self._poll = select.poll()
        self._poll.register(self.sock, select.POLLIN)

    def is_silent(self) -> bool:
        """Say whether it is open and nothing is to be read, as has to be between requests."""
        return self.sock is not None and self._poll is not None and not self._poll.poll(0)

    def send_request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str | bytes],
        body: bytes | Stream | None,
    ) -> None:
        """Send a request; `headers` are all there are, the length of the body among them."""
        small = isinstance(body, bytes) and 0 < len(body) <= SMALL_PACKET
        self._head = b"" if small else None
        self.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            http.client.HTTPConnection.putheader(self, name, value)
        self.endheaders()
        if isinstance(body, bytes) and body:
            self.send(body)
        elif body:
            for block in body:
                self.send(block)

    def answer(self) -> FastHTTPResponse:
        """Read the head of the answer."""
        return cast("FastHTTPResponse", http.client.HTTPConnection.getresponse(self))

    def send(self, data: Any) -> None:
        head, self._head = self._head, None
        if head == b"":
            self._head = data
        else:
            super().send(data if head is None else head + data)


class _Connection(_CoalescingConnection):
    pass


class _SecureConnection(_CoalescingConnection, urllib3.connection.HTTPSConnection):
    pass


class PendingResponse:
    """A request that was sent."""

    def __init__(self, home: "ConnectionPool", connection: _CoalescingConnection) -> None:
        self._home = home
        self._connection = connection

    def drop(self) -> None:
        """Close the connection: the answer is not wanted."""
        self._connection.close()

    def answer(self, within: float | None = None) -> "ResponseReader":
        """Wait for the head of the answer, `within` seconds if not as long as was said before.

        Raises:
            NoResponse
        """
        if within is not None and self._connection.sock is not None:
            self._connection.sock.settimeout(within)
        try:
            return ResponseReader(self._home, self._connection, self._connection.answer())
        except FOREIGN as error:
            self._connection.close()
            raise NoResponse(_reason(error), sent=True) from None
        except BaseException:
            self._connection.close()
            raise


class ResponseReader:
    """A request and its answer as far as it was read.

    Attributes:
        status: of the answer.
        fields: its headers, names in lower case, values as Latin-1.
    """

    def __init__(
        self, home: "ConnectionPool", connection: _CoalescingConnection, answer: FastHTTPResponse
    ) -> None:
        self._home = home
        self._connection = connection
        self._answer = answer
        self.status = answer.status
        self.fields = answer.fields

    def read(self, most: int | None = None) -> bytes:
        """Return the body, `most` bytes of it at most; read whole, the connection lives on.

        Raises:
            NoResponse: it was cut.
        """
        try:
            body = self._answer.read(most)
        except (*FOREIGN, ValueError) as error:  # of a chunk whose length is none
            self.drop()
            raise NoResponse(_reason(error), sent=True) from None
        if self._answer.isclosed():
            self._home.give_back(self._connection)
        else:
            self.drop()
        return body

    def drop(self) -> None:
        """Close the connection: what is still to come is not wanted."""
        self._answer.close()
        self._connection.close()


class ConnectionPool:
    """Idle connections, the one used last on top. Thread-safe."""

    def __init__(self, endpoint: Endpoint, ca_bundle: str | None) -> None:
        """`ca_bundle` is a file of certificates to trust instead of the usual ones.

        Raises:
            SettingsError: it is not there.
        """
        self._adapter = HTTPAdapter(pool_connections=1)
        self._pool = _connect(self._adapter, endpoint, ca_bundle)
        self._idle: list[_CoalescingConnection] = []
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)  # should nobody close it

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str | bytes],
        body: bytes | Stream | None,
        patience: Timeouts,
        *,
        patient: bool = True,
    ) -> PendingResponse:
        """Send a request.

        `patient`: "no such host" and "connection refused" may pass.

        Raises:
            NoResponse
        """
        connection = self._take(patience, patient=patient)
        try:
            connection.sock.settimeout(patience.read)
            try:
                connection.send_request(method, target, headers, body)
            except _CUT:
                if isinstance(body, Stream) and body.failure is not None:
                    raise
                connection.was_cut = True  # a service may answer before it was sent all
        except FOREIGN as error:
            connection.close()
            raise NoResponse(_reason(error), sent=True) from None
        except BaseException:
            connection.close()
            raise
        return PendingResponse(self, connection)

    def give_back(self, connection: _CoalescingConnection) -> None:
        """Keep a connection whose answer was read for the next request."""
        if connection.was_cut:
            connection.close()
            return
        self._idle.append(connection)
        if self._closed:
            self.close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        self._closed = True
        _close_all(self._idle)
        self._adapter.close()
        self._pool.close()  # the adapter only forgets it

    def _take(self, patience: Timeouts, *, patient: bool) -> _CoalescingConnection:
        """Return a connection that is open.

        Raises:
            NoResponse: there is none to be had.
        """
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread has just taken the last one
                break
            if connection.is_silent():
                return connection
            connection.close()
        # urllib3 has no other way to a connection that has its pool's certificates.
        connection = cast("_CoalescingConnection", self._pool._new_conn())  # noqa: SLF001
        connection.timeout = patience.connect
        try:
            connection.connect()
        except FOREIGN as error:
            connection.close()
            raise _not_connected(error, patient=patient) from None
        except BaseException:
            connection.close()
            raise
        return connection


def _close_all(idle: list[_CoalescingConnection]) -> None:
    while idle:
        with contextlib.suppress(IndexError):  # another thread has just taken the last one
            idle.pop().close()


def _not_connected(error: Exception, *, patient: bool) -> NoResponse:
    reason = _reason(error)
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # refused, or no such host
        return NoResponse(reason, sent=False, hopeless=not patient)
    wrong = "CERTIFICATE_VERIFY_FAILED" in reason or "WRONG_VERSION" in reason
    if isinstance(error, ssl.CertificateError) or wrong:
        return NoResponse(reason, sent=False, hopeless=True)
    return NoResponse(reason, sent=False)


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
