"""An HTTP proxy on loopback: absolute form and CONNECT, with a password or a refusal by choice."""

import base64
import contextlib
import http.client
import select
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.fakes.listener import Listener

Place = tuple[str, int]
_OF_ONE_HOP = {"connection", "transfer-encoding", "content-length"}


class HttpProxy(Listener):
    """One proxy.

    Args:
        names: hosts that this proxy alone knows, and where they are.
        user: "name:password" that it wants; "" for nobody's.
        refuses: a status that it answers everything with; 0 for none.
        page: the body of that answer.
        renamed: what such hosts are called by the service itself, and in what path of it the host
            stands: `{"img.example": ("bkt.oss", "/root")}`.
        context: makes it one that is spoken to by TLS.

    Attributes:
        asked: the first line of each request, as it came.
        passed: what went on to services, heads and tunnels alike.
    """

    def __init__(
        self,
        names: Mapping[str, Place] | None = None,
        *,
        user: str = "",
        refuses: int = 0,
        page: bytes = b"",
        renamed: Mapping[str, tuple[str, str]] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[str] = []
        self.passed: list[bytes] = []
        self._names = dict(names or {})
        self._renamed = dict(renamed or {})
        self._wanted = base64.b64encode(user.encode()) if user else b""
        self.refuses, self._page, self._context = refuses, page, context
        super().__init__()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                while self._exchange(connection):
                    pass

    def _exchange(self, client: socket.socket) -> bool:
        head, rest = _read_head(client)
        if not head:
            return False
        line, *fields = head.split(b"\r\n")
        self.asked.append(line.decode())
        shown = [f for f in fields if f.lower().startswith(b"proxy-authorization:")]
        if self.refuses or (self._wanted and not any(f.endswith(self._wanted) for f in shown)):
            _answer(client, self.refuses or 407, self._page)
            return False
        method, target, _ = line.decode().split(" ")
        kept = [f for f in fields if f not in shown]
        if method == "CONNECT":
            return self._tunnel(client, target)
        parts = urlsplit(target)
        assert parts.scheme == "http", "an absolute URL is what proxies are asked"
        path = target[len(f"http://{parts.netloc}") :]
        first = f"{method} {path} HTTP/1.1".encode()
        return self._forward(client, parts.netloc, b"\r\n".join([first, *kept]), rest)

    def _place(self, authority: str) -> Place:
        host, _, port = authority.partition(":")
        return self._names.get(host, (host, int(port or 80)))

    def _tunnel(self, client: socket.socket, target: str) -> bool:
        try:
            service = socket.create_connection(self._place(target), 5)
        except OSError:
            _answer(client, 502, b"")
            return False
        with service:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(client, service, self.passed)
        return False

    def _forward(self, client: socket.socket, where: str, head: bytes, rest: bytes) -> bool:
        """Make one exchange; the client opens another connection for the next."""
        line, *fields = head.decode("latin-1").split("\r\n")
        method, path, _ = line.split(" ")
        headers = {name: value.strip() for name, _, value in (f.partition(":") for f in fields)}
        if where in self._renamed:
            headers["host"], root = self._renamed[where]
            assert path.startswith(root + "/")
            path = path.removeprefix(root)
        length = int({n.lower(): v for n, v in headers.items()}.get("content-length", 0))
        while len(rest) < length:
            rest += client.recv(65536)
        self.passed.append(head)
        host, port = self._place(where)
        service = http.client.HTTPConnection(host, port, timeout=60)
        try:
            service.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                service.putheader(name, value.encode("latin-1"))
            service.endheaders(rest or None)
            answer = service.getresponse()
            body = answer.read()
        except OSError:
            _answer(client, 502, b"")
            return False
        finally:
            service.close()
        kept = [(n, v) for n, v in answer.getheaders() if n.lower() not in _OF_ONE_HOP]
        reported = next((v for n, v in answer.getheaders() if n.lower() == "content-length"), None)
        kept += [("content-length", reported or str(len(body))), ("connection", "close")]
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{n}: {v}" for n, v in kept)]
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
        return False


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        if not block:
            return b"", b""
        data += block
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _answer(client: socket.socket, status: int, page: bytes) -> None:
    name = {407: "Proxy Authentication Required", 502: "Bad Gateway"}.get(status, "Refused")
    head = f"HTTP/1.1 {status} {name}\r\ncontent-length: {len(page)}\r\nconnection: close\r\n\r\n"
    client.sendall(head.encode() + page)


def _relay(client: socket.socket, service: socket.socket, passed: list[bytes]) -> None:
    """Pass bytes both ways until the service ends."""
    while True:
        ready, _, _ = select.select([client, service], [], [], 30)
        if not ready:
            return
        for source in ready:
            data = source.recv(65536)
            if source is client:
                passed.append(data)
                if not data:
                    return
                service.sendall(data)
            else:
                if not data:
                    return
                client.sendall(data)
