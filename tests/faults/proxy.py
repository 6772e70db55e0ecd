"""A proxy on loopback between a client and a service, which lets exchanges go wrong by rule.

It passes on what it reads, byte for byte where that matters (target, headers, body: signatures
hold), and asks its board before each exchange whether a fault strikes. What a fault does is in
`faults`.
"""

import contextlib
import http.client
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

Headers = list[tuple[str, str]]

_SUBRESOURCES = ("append", "delete", "metadata", "partNumber", "symlink", "tagging", "uploads")
_LISTS = ("list-type", "prefix", "max-keys")


@dataclass(frozen=True)
class Asked:
    """The head of one request.

    Attributes:
        kind: method and what is asked of the object or bucket: "PUT", "PUT copy", "GET tagging",
            "POST uploads", "GET list", "PUT partNumber copy", ...
        path: percent-encoded, as it came, without the query.
    """

    method: str
    target: str
    headers: Headers

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def kind(self) -> str:
        query = dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))
        found = next((name for name in _SUBRESOURCES if name in query), "")
        if not found and "uploadId" in query:
            found = "uploadId"
        if not found and self.method == "GET" and any(name in query for name in _LISTS):
            found = "list"
        copies = any(name.lower().endswith("-copy-source") for name, _ in self.headers)
        return " ".join(filter(None, [self.method, found, "copy" * copies]))

    @property
    def body_size(self) -> int:
        sizes = [value for name, value in self.headers if name.lower() == "content-length"]
        return int(sizes[0]) if sizes else 0


@dataclass
class Answer:
    """What a service answered; the body is whole, and empty after HEAD."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    to_head: bool = False

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def change(self, name: str, value: str) -> None:
        self.headers = [(n, value if n.lower() == name.lower() else v) for n, v in self.headers]

    def drop(self, *names: str) -> None:
        self.headers = [(n, v) for n, v in self.headers if n.lower() not in names]

    def render(self) -> tuple[bytes, bytes]:
        """Return head and body as they are sent."""
        headers = self.headers
        if not self.to_head:
            gone = ("content-length", "transfer-encoding")
            headers = [(n, v) for n, v in headers if n.lower() not in gone]
            headers = [*headers, ("Content-Length", str(len(self.body)))]
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{n}: {v}" for n, v in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), self.body


class Ended(Exception):
    """The connection to the client is over."""


class Exchange:
    """One request on its way to an answer, in the hands of a fault."""

    def __init__(self, proxy: "Proxy", asked: Asked, client: socket.socket, stream) -> None:
        self.asked = asked
        self._proxy = proxy
        self._client = client
        self._stream = stream
        self._unread = asked.body_size
        self._body = b""

    def read(self, length: int | None = None) -> bytes:
        """Read (more of) the request's body; return all that was read."""
        wanted = self._unread if length is None else min(length, self._unread)
        more = self._stream.read(wanted) if wanted else b""
        if len(more) < wanted:
            raise Ended
        self._body += more
        self._unread -= wanted
        return self._body

    def forward(self) -> Answer:
        """Have the service do it; return what it answers."""
        return self._proxy.ask(self.asked, self.read())

    def send(self, answer: Answer) -> None:
        self.read()
        head, body = answer.render()
        self.send_raw(head + body)

    def send_raw(self, data: bytes) -> None:
        self._client.sendall(data)

    def reset(self) -> None:
        """Drop the connection to the client, RST and all."""
        linger = struct.pack("ii", 1, 0)
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise Ended

    def close(self) -> None:
        raise Ended

    def wait(self, seconds: float) -> None:
        """Wait, unless the client goes away or the proxy is closed."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._proxy.closing.is_set():
            if select.select([self._client], [], [], min(left, 0.2))[0]:
                return


Fault = Callable[[Exchange], None]


def passing(exchange: Exchange) -> None:
    """No fault at all."""
    exchange.send(exchange.forward())


@dataclass
class Rule:
    """Which exchanges a fault strikes.

    Attributes:
        kinds: regular expression for `Asked.kind`, whole.
        after: the first so many that match are let through.
        times: how many are struck then; None: for ever.
        about: text in the target, or among the keys to delete; "" for any.
    """

    fault: Fault
    kinds: str = ".*"
    after: int = 0
    times: int | None = None
    about: str = ""
    seen: int = 0
    hits: int = 0

    def matches(self, exchange: "Exchange") -> bool:
        asked = exchange.asked
        if re.fullmatch(self.kinds, asked.kind) is None:
            return False
        named = self.about in asked.target
        return named or (asked.kind == "POST delete" and self.about.encode() in exchange.read())

    def strikes(self) -> bool:
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


@dataclass
class Board:
    """The rules in force, and the kinds of all that was asked. Thread-safe."""

    rules: list[Rule] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, *rules: Rule) -> None:
        """Let these take the place of all others, and forget what was asked."""
        with self._lock:
            self.rules = list(rules)
            self.asked = []

    def add(self, rule: Rule) -> None:
        """Let a rule hold besides the others."""
        with self._lock:
            self.rules.append(rule)

    def drop(self, rule: Rule) -> None:
        """Let a rule hold no more."""
        with self._lock:
            self.rules = [other for other in self.rules if other is not rule]

    def choose(self, exchange: "Exchange") -> Fault:
        """Return what is to be done with an exchange."""
        with self._lock:
            self.asked.append(exchange.asked.kind)
            rules = list(self.rules)
        for rule in rules:
            if rule.matches(exchange):
                with self._lock:
                    if rule.strikes():
                        return rule.fault
        return passing


class Proxy:
    """A listening proxy. `upstream` (host, port) may change while it runs: a service restarted."""

    def __init__(self, url: str, board: Board | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.upstream = (parts.hostname, parts.port)
        self.board = board or Board()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._idle: list[tuple[tuple[str, int], http.client.HTTPConnection]] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many clients' connections are open."""
        with self._lock:
            return len(self._open)

    def close(self) -> None:
        self.closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            for _, idle in self._idle:
                idle.close()
            self._idle.clear()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, asked: Asked, body: bytes) -> Answer:
        """Deliver one request to the service.

        Raises:
            Ended: it is not there.
        """
        while True:
            connection, is_used = self._take()
            try:
                return self._ask(connection, asked, body)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if not (is_used and isinstance(error, http.client.RemoteDisconnected)):
                    raise Ended from error

    def _ask(self, connection: http.client.HTTPConnection, asked: Asked, body: bytes) -> Answer:
        connection.putrequest(asked.method, asked.target, skip_host=True, skip_accept_encoding=True)
        for name, value in asked.headers:
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read()
        found = Answer(
            answer.status, answer.reason, answer.getheaders(), content, asked.method == "HEAD"
        )
        if answer.will_close:
            connection.close()
        else:
            self._give_back(connection)
        return found

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            while self._idle:
                where, connection = self._idle.pop()
                if where == self.upstream:
                    return connection, True
                connection.close()
        return http.client.HTTPConnection(*self.upstream, timeout=60), False

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        where = (connection.host, connection.port)
        with self._lock:
            if where == self.upstream and not self.closing.is_set():
                self._idle.append((where, connection))
                return
        connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client.makefile("rb") as stream:
                for asked in _requests(stream):
                    exchange = Exchange(self, asked, client, stream)
                    self.board.choose(exchange)(exchange)
        except (Ended, OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()


def _requests(stream) -> Iterator[Asked]:
    while line := stream.readline():
        method, target, _ = line.decode("latin-1").split(" ")
        headers: Headers = []
        while (line := stream.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        yield Asked(method, target, headers)
