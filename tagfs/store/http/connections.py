"""One connection to an endpoint: opened as requests would open it, directly or through a proxy.

The only user of requests and its urllib3. Of them come connections, certificates and errors;
their own way with a request (a pool behind three locks, an answer that is parsed like an e-mail)
costs more than to sign and send it.
"""

import http.client
import re
import select
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import requests
import urllib3
import urllib3.connection
from requests.adapters import HTTPAdapter

from tagfs.store.certificates import Trust
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.http.messages import FIRST_FAILURE
from tagfs.store.http.request_body import Stream
from tagfs.store.http.response_parser import FastHTTPResponse
from tagfs.store.proxies import Proxy

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
_UNSENDABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_WHO_ASKS: Final = 407
_OBJECT = re.compile(r"^(?:<.*? object at 0x\w+>|\w*Connection\w*\(.*?\)): ")
_REFUSED_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d+)")


class NoResponse(Exception):
    """An attempt that ended without an answer.

    Attributes:
        sent: the service may have got the request.
        hopeless: another attempt will end the same way.
    """

    def __init__(self, reason: str, *, sent: bool, permanent: bool = False) -> None:
        super().__init__(reason)
        self.sent = sent
        self.permanent = permanent


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds: until a connection is open, and without a byte of an answer."""

    connect: float
    read: float


class CoalescingConnection(urllib3.connection.HTTPConnection):
    """Sends the head of a request and a small body at once: one call, one packet, one wake-up."""

    was_cut = False  # while it was sent to
    _poll: "select.poll | None" = None
    _method = ""  # of the last request

    def connect(self) -> None:
        """Open it."""
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
        """Send a request; `headers` are all there are, the length of the body among them.

        Raises:
            ValueError: the target or a header has what would end it.
        """
        self._method = method
        head = render_head(method, target, headers)
        if isinstance(body, bytes) and len(body) <= SMALL_PACKET:
            self.sock.sendall(head + body)
            return
        self.sock.sendall(head)
        if isinstance(body, bytes):
            self.sock.sendall(body)
        elif body:
            for block in body:
                self.sock.sendall(block)

    def answer(self) -> FastHTTPResponse:
        """Read the head of the answer."""
        answer = FastHTTPResponse(self.sock, method=self._method)
        try:
            answer.begin()
        except BaseException:
            answer.close()
            raise
        if answer.will_close:
            self.close()  # the answer has the socket still
        return answer


def render_head(method: str, target: str, headers: Mapping[str, str | bytes]) -> bytes:
    """Return the head of a request as it is sent.

    Text is ASCII. http.client's own way, header by header, costs as much as to sign them.

    Raises:
        ValueError: the target or a header has what would end it.
    """
    lines = [f"{method} {target} HTTP/1.1".encode("ascii")]
    for name, value in headers.items():
        shown = value if isinstance(value, bytes) else value.encode("ascii")
        lines.append(name.encode("ascii") + b": " + shown)
    head = b"\r\n".join((*lines, b"", b""))
    ends = len(lines) + 1
    if head.count(b"\r") != ends or head.count(b"\n") != ends or _UNSENDABLE.search(target):
        raise ValueError(f"no target or header of HTTP: {method} {target[:200]!r}")
    return head


class _Connection(CoalescingConnection):
    pass


class _SecureConnection(CoalescingConnection, urllib3.connection.HTTPSConnection):
    pass


class _Adapter(HTTPAdapter):
    """Opens connections as requests does, each with the same TLS context: it is made once."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=1)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Return requests' own answer, with our context in the place of its certificates."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._context, "cert_reqs": "CERT_REQUIRED"}

    def pool(self, endpoint: Endpoint, proxy: Proxy | None) -> _Pool:
        """Return the pool of connections that requests would use for this endpoint."""
        proxies = {}
        if proxy is not None:
            proxies = {endpoint.scheme: proxy.url}
            self.proxy_manager_for(proxy.url, proxy_ssl_context=self._context)
        prepared = requests.Request("GET", endpoint.url).prepare()
        # requests' stubs name the base class, which cannot send.
        pool = cast("_Pool", self.get_connection_with_tls_context(prepared, True, proxies))  # noqa: FBT003
        pool.ConnectionCls = _SecureConnection if pool.scheme == "https" else _Connection
        pool.proxy_headers = proxy.headers if proxy else {}
        return pool


class Connector:
    """Opens connections to one endpoint.

    Args:
        trust: whose certificates verify the service, and a proxy that is spoken to by TLS.
        proxy: on the way; None for the direct way.

    Raises:
        SettingsError: there are no certificates where `trust` says.
    """

    def __init__(self, endpoint: Endpoint, trust: Trust, proxy: Proxy | None) -> None:
        self._trust, self._proxy = trust, proxy
        secure = "https" in (endpoint.scheme, proxy.scheme if proxy else "")
        self._adapter = _Adapter(trust.context() if secure else None)
        self._pool = self._adapter.pool(endpoint, proxy)

    def connect(self, patience: Timeouts, *, retry_connect: bool) -> CoalescingConnection:
        """Return a new connection that is open; `patient` as for `ConnectionPool.send`.

        Raises:
            NoResponse: there is none to be had.
        """
        # urllib3 has no other way to a connection that has its pool's certificates.
        connection = cast("CoalescingConnection", self._pool._new_conn())  # noqa: SLF001
        connection.timeout = patience.connect
        try:
            if self._proxy is not None and self._pool.scheme == "https":
                self._pool._prepare_proxy(connection)  # noqa: SLF001  (the same)
            else:
                connection.connect()
        except FOREIGN as error:
            failure = self._not_connected(error, connection, retry_connect=retry_connect)
            connection.close()
            raise failure from None
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Let go of what opens connections."""
        self._adapter.close()
        self._pool.close()  # the adapter only drops its reference

    def _not_connected(
        self, error: Exception, connection: CoalescingConnection, *, retry_connect: bool
    ) -> NoResponse:
        reason = why(error)
        wrong = "CERTIFICATE_VERIFY_FAILED" in reason or "WRONG_VERSION" in reason
        permanent = isinstance(error, ssl.CertificateError) or wrong
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            reason += f"; trusted is {self._trust}, another CA is named by ca_bundle=FILE"
        if isinstance(error, urllib3.exceptions.NewConnectionError):  # refused, or no such host
            permanent = not retry_connect
        if self._proxy is not None:
            refused = _REFUSED_TUNNEL.search(reason)
            if refused:
                return proxy_refusal(self._proxy, int(refused[1]))
            secure = isinstance(error, ssl.SSLError) and connection.has_connected_to_proxy
            via = "through the proxy" if secure else "the proxy"
            reason = f"{via} {self._proxy.shown}: {reason}"
        return NoResponse(reason, sent=False, permanent=permanent)


def proxy_refusal(proxy: Proxy, status: int) -> NoResponse:
    """Return the failure that an answer of the proxy itself is."""
    late = status >= FIRST_FAILURE
    advice = "it cannot reach the service" if late else "it does not let this host through"
    if status == _WHO_ASKS:
        advice = "it wants a user and a password: proxy=http://USER:PASSWORD@HOST:PORT"
        if proxy.user:
            advice = f"it refuses user {proxy.user!r} and the password of {proxy.origin}"
    return NoResponse(
        f"the proxy {proxy.shown} answers {status}: {advice}", sent=late, permanent=not late
    )


def why(error: BaseException) -> str:
    """Return why a connection failed, without the objects that urllib3 puts before it."""
    return _OBJECT.sub("", str(error)) or type(error).__name__
