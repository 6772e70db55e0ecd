"""What a fault does to an exchange: the vocabulary of the matrices.

`done` says whether the service has done the work when the client meets the fault; that decides
what may be found there afterwards.
"""

# ruff: noqa: FBT003  (the rows of a table)
import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from time import time

from tests.faults.proxy import Answer, Exchange, Fault

DRIP_PAUSE = 0.001
SILENCE = 30.0
"""Seconds: longer than any client of a test has patience."""


@dataclass(frozen=True)
class Kind:
    """One thing that can go wrong.

    Attributes:
        name: for reports.
        fault: what it does.
        done: whether the service does the work.
        errors: what an operation fails with when this goes on for ever.
        heals: up to so many times the operation must succeed in spite of it.
    """

    name: str
    fault: Fault
    done: bool
    errors: frozenset[str] = frozenset({"Unreachable"})
    heals: int = 2


def error_document(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>by a fault</Message></Error>".encode()


def refusal(status: int, code: str, **headers: str) -> Fault:
    """Answer with an error and do nothing."""

    def fault(exchange: Exchange) -> None:
        exchange.read()
        body = b"" if exchange.asked.method == "HEAD" else error_document(code)
        reported = [("Date", formatdate(usegmt=True)), ("Content-Type", "application/xml")]
        reported += [(name.replace("_", "-"), value) for name, value in headers.items()]
        head = exchange.asked.method == "HEAD"
        if head:  # OSS says in a header what HEAD has no body for
            reported.append(("x-oss-err", base64.b64encode(error_document(code)).decode()))
            reported.append(("Content-Length", "0"))
        exchange.send(Answer(status, "Fault", reported, body, to_head=head))

    return fault


def late_refusal(status: int, code: str) -> Fault:
    """Do the work, then answer with an error."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        refusal(status, code)(exchange)

    return fault


def dropped(exchange: Exchange) -> None:
    """Read it all, and drop the connection without having done anything."""
    exchange.read()
    exchange.reset()


def lost(exchange: Exchange) -> None:
    """Do the work; the reply is lost."""
    exchange.forward()
    exchange.reset()


def reset_in_request(exchange: Exchange) -> None:
    exchange.read(exchange.asked.body_size // 2)
    exchange.reset()


def reset_in_answer(exchange: Exchange) -> None:
    head, body = exchange.forward().render()
    exchange.send_raw((head + body)[: len(head) // 2])
    exchange.reset()


def cut_body(exchange: Exchange) -> None:
    """End the connection before the last byte."""
    head, body = exchange.forward().render()
    exchange.send_raw(head[:-1] if not body else head + body[:-1])
    exchange.close()


def short_body(exchange: Exchange) -> None:
    """A complete answer, as it seems, that lacks the last byte of its body."""
    answer = exchange.forward()
    answer.body = answer.body[:-1]
    exchange.send(answer)


def silent(exchange: Exchange) -> None:
    exchange.read()
    exchange.wait(SILENCE)
    exchange.close()


def silent_after(exchange: Exchange) -> None:
    exchange.forward()
    exchange.wait(SILENCE)
    exchange.close()


def drip(exchange: Exchange) -> None:
    """The right answer, slowly, in pieces of few bytes."""
    head, body = exchange.forward().render()
    text = head + body
    step = max(len(text) // 20, 1)
    for at in range(0, len(text), step):
        exchange.send_raw(text[at : at + step])
        exchange.wait(DRIP_PAUSE)


def wrong_crc(exchange: Exchange) -> None:
    answer = exchange.forward()
    for name, value in answer.headers:
        if name.lower().endswith("crc64ecma"):
            answer.change(name, str(int(value or 0) ^ 1))
    exchange.send(answer)


def wrong_etag(exchange: Exchange) -> None:
    """The ETag in the header is another object's."""
    answer = exchange.forward()
    answer.change("ETag", '"' + "0" * 32 + '"')
    exchange.send(answer)


def garbled(exchange: Exchange) -> None:
    """One byte of the body is another one."""
    answer = exchange.forward()
    if answer.body:
        at = len(answer.body) // 2
        answer.body = answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :]
    exchange.send(answer)


def document(body: Callable[[], bytes]) -> Fault:
    """Do the work, and answer 200 with this body and with nothing in the headers."""

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        _answer_with(exchange, body())

    return fault


def impostor(body: bytes) -> Fault:
    """Answer 200 with this body, as proxies and login pages do; nothing is done."""

    def fault(exchange: Exchange) -> None:
        exchange.read()
        _answer_with(exchange, body)

    return fault


def _answer_with(exchange: Exchange, body: bytes) -> None:
    head = exchange.asked.method == "HEAD"
    reported = [("Date", formatdate(usegmt=True)), ("Content-Type", "application/xml")]
    if head:
        reported.append(("Content-Length", str(len(body))))
    exchange.send(Answer(200, "OK", reported, b"" if head else body, to_head=head))


GARBAGE = b"<html>\x00 this is no XML & never was <oops"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE l ['
    + b'<!ENTITY a0 "lol">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]><l>&a9;</l>"
)
OUTSIDE = b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


def deep() -> bytes:
    return b"<a>" * 100_000 + b"</a>" * 100_000


def huge() -> bytes:
    return b"<a>" + b" " * (33 * 1024**2) + b"</a>"


class Hold:
    """Stops an exchange until it is released: where something is killed.

    Attributes:
        struck: set when an exchange is held.
        after: whether the service has done the work by then.
        kind: of the request that is held.
    """

    def __init__(self, *, after: bool) -> None:
        self.after = after
        self.kind = ""
        self.struck = threading.Event()
        self.released = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        self.kind = exchange.asked.kind
        if self.after:
            exchange.forward()
        self.struck.set()
        self.released.wait(60)
        exchange.reset()


class Lag:
    """Listings that lag behind: whoever asks again for one gets what he got the first time."""

    def __init__(self) -> None:
        self._first: dict[str, Answer] = {}

    def __call__(self, exchange: Exchange) -> None:
        answer = exchange.forward()
        exchange.send(self._first.setdefault(exchange.asked.target, answer))


class Meanwhile:
    """Another client does something at the service, and then the fault goes its way."""

    def __init__(self, act: Callable[[], object], fault: Fault) -> None:
        self._act = act
        self._fault = fault

    def __call__(self, exchange: Exchange) -> None:
        class Acting(Exchange):
            def reset(inner) -> None:  # noqa: N805
                self._act()
                super().reset()

        exchange.__class__ = Acting
        self._fault(exchange)


def old_date() -> str:
    return formatdate(time() - 1000, usegmt=True)


_THROTTLED = frozenset({"Throttled"})
_DENIED = frozenset({"AccessDenied", "BadCredentials"})
_REFUSED = frozenset({"Refused", "InvalidTag"})
_STRANGE = frozenset({"Unreachable", "MalformedResponse"})
_DAMAGED = frozenset(
    {
        "",
        "IntegrityError",
        "MalformedResponse",
        "NotFound",  # a 404 whose words got lost
        "ObjectChanged",
        "Refused",
        "Unreachable",
    }
)
_EXPIRED, _SKEWED = "SecurityTokenExpired", "RequestTimeTooSkewed"
_LOGIN = b"<html><body>Log in</body></html>"


def every(expired: str = _EXPIRED) -> tuple[Kind, ...]:
    """Return all faults; `expired` is the service's word for a token that is."""
    return (
        Kind("dropped before", dropped, done=False),
        Kind("reply lost", lost, done=True),
        Kind("500 before", refusal(500, "InternalError"), done=False),
        Kind("500 after", late_refusal(500, "InternalError"), done=True),
        Kind("503", refusal(503, "ServiceUnavailable"), False, _THROTTLED),
        Kind("503, again now", refusal(503, "SlowDown", Retry_After=old_date()), False, _THROTTLED),
        Kind("503, again in 1 s", refusal(503, "SlowDown", Retry_After="1"), False, _THROTTLED),
        Kind(
            "503, again in 1 h", refusal(503, "SlowDown", Retry_After="3600"), False, _THROTTLED, 0
        ),
        Kind("403 token expired", refusal(403, expired), False, _DENIED, 1),
        Kind("403 clock skewed", refusal(403, _SKEWED), False, _DENIED, 1),
        Kind("403 denied", refusal(403, "AccessDenied"), False, _DENIED, 0),
        Kind("400", refusal(400, "BadRequest"), False, _REFUSED, 0),
        Kind("timeout before", silent, done=False),
        Kind("timeout after", silent_after, done=True),
        Kind("reset in the request", reset_in_request, done=False),
        Kind("reset in the answer", reset_in_answer, done=True),
        Kind("slow drip", drip, True, frozenset({""})),
        Kind("cut body", cut_body, done=True),
        Kind("short body", short_body, True, _DAMAGED, 0),
        Kind("garbled body", garbled, True, _DAMAGED, 0),
        Kind("wrong CRC", wrong_crc, True, _DAMAGED, 0),
        Kind("wrong ETag", wrong_etag, True, _DAMAGED, 0),
        Kind("garbage", document(lambda: GARBAGE), True, _STRANGE),
        Kind("login page", impostor(_LOGIN), False, _STRANGE),
        Kind("XML entities", document(lambda: BOMB), True, _DAMAGED, 0),
        Kind("XML from a file", document(lambda: OUTSIDE), True, _DAMAGED, 0),
        Kind("XML too deep", document(deep), True, _DAMAGED, 0),
        Kind("XML too large", document(huge), True, _DAMAGED, 0),
        Kind("200 with an error, done", document(_late_error), True, _STRANGE),
        Kind("200 with an error", impostor(_late_error()), False, _STRANGE),
    )


def _late_error() -> bytes:
    return error_document("InternalError")
