"""What a service sees of HTTP: a request with its raw target, and a reply to fill in.

A service is one service's way of speaking: addressing, signatures, operations, errors. It reads
`Request` and returns `Reply`; sockets, logging, latency and faults are the HTTP server's.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote_plus

from tagfs.emulator.storage.contents import Content


class Body(Protocol):
    """The bytes that come with a request."""

    length: int | None
    chunked: bool

    def chunks(self) -> AsyncIterator[bytes]: ...

    async def read(self, limit: int) -> bytes: ...


@dataclass(slots=True, kw_only=True)
class Request:
    """One request as it came over the wire.

    `clock` tells the time in seconds since 1970, and `ahead` by how much the service's own is
    wrong. `modes` are the lasting faults that concern this request, such as `stale_list`.
    """

    method: str
    host: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: Body
    clock: Callable[[], float]
    ahead: float = 0.0
    modes: dict[str, str] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(init=False)
    query: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.pairs = parse_query(self.query_string) if self.query_string else []
        self.query = dict(self.pairs)

    @property
    def now(self) -> float:
        """Return what the service takes for the time."""
        return self.clock() + self.ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a request asks for, as far as its target tells: for the request log and for faults."""

    operation: str
    method: str
    bucket: str | None = None
    key: str | None = None
    subresource: str | None = None
    copy: bool = False


@dataclass(slots=True, kw_only=True)
class Reply:
    """An answer: its body is either `body`, or `length` bytes of `content` from `start` on.

    `compressed` means that it goes as gzip, in chunks.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Content | None = None
    start: int = 0
    length: int = 0
    compressed: bool = False

    def size(self) -> int:
        """Return how long the body is."""
        return len(self.body) if self.content is None else self.length

    def chunks(self) -> Iterator[bytes]:
        """Yield the body."""
        if self.content is not None:
            yield from self.content.read(self.start, self.length)
        elif self.body:
            yield self.body


class Service(Protocol):
    """One service."""

    def identify(self, request: Request) -> Call:
        """Tell what is asked for; never fails, for the log wants a line for every request."""
        ...

    async def answer(self, request: Request, call: Call) -> Reply:
        """Do what is asked."""
        ...

    def refuse(self, request: Request, status: int, code: str, message: str) -> Reply:
        """Say no in the service's words."""
        ...


def parse_query(text: str) -> list[tuple[str, str]]:
    """Split a query string; `?x=` equals `?x`, and `+` is a space as the vendors' SDKs mean it."""
    pairs = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    return unquote_plus(text, errors="surrogateescape")
