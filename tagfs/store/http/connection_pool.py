"""Connections to one endpoint: kept open, and used by one request at a time."""

import contextlib
import weakref
from collections.abc import Mapping
from typing import Final

from tagfs.store.certificates import Trust, find_trust
from tagfs.store.http.connections import (
    FOREIGN,
    CoalescingConnection,
    Connector,
    NoResponse,
    Timeouts,
    why,
)
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.http.request_body import Stream
from tagfs.store.http.response_parser import FastHTTPResponse
from tagfs.store.proxies import Proxy

_CUT: Final = (BrokenPipeError, ConnectionResetError)


class PendingResponse:
    """A request that was sent."""

    def __init__(self, home: "ConnectionPool", connection: CoalescingConnection) -> None:
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
            raise NoResponse(why(error), sent=True) from None
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
        self, home: "ConnectionPool", connection: CoalescingConnection, answer: FastHTTPResponse
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
            raise NoResponse(why(error), sent=True) from None
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
    """Idle connections, the one used last on top. Thread-safe.

    Attributes:
        asked_by: the proxy that reads requests and may answer itself; None for none, and for one
            that only passes on what it cannot read.
    """

    def __init__(
        self, endpoint: Endpoint, trust: Trust | None = None, proxy: Proxy | None = None
    ) -> None:
        """`trust` and `proxy` as for `Connector`; without `trust`, what this host has.

        Raises:
            SettingsError
        """
        self._connector = Connector(endpoint, trust or find_trust(None), proxy)
        # A proxy of plain HTTP gets the address to ask with each request.
        self.asked_by = proxy if proxy is not None and endpoint.scheme == "http" else None
        self._url = endpoint.url
        self._idle: list[CoalescingConnection] = []
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
        retry_connect: bool = True,
    ) -> PendingResponse:
        """Send a request.

        `retry_connect`: "no such host" and "connection refused" may pass.

        Raises:
            NoResponse
        """
        if self.asked_by is not None:
            target, headers = self._url + target, {**headers, **self.asked_by.headers}
        connection = self._take(patience, retry_connect=retry_connect)
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
            raise NoResponse(why(error), sent=True) from None
        except BaseException:
            connection.close()
            raise
        return PendingResponse(self, connection)

    def give_back(self, connection: CoalescingConnection) -> None:
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
        self._connector.close()

    def _take(self, patience: Timeouts, *, retry_connect: bool) -> CoalescingConnection:
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
        return self._connector.connect(patience, retry_connect=retry_connect)


def _close_all(idle: list[CoalescingConnection]) -> None:
    while idle:
        with contextlib.suppress(IndexError):  # another thread has just taken the last one
            idle.pop().close()
