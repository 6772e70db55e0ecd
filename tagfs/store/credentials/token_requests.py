"""Requests to token services, which say for a while who we are: sent, tried again, and refused.

They go through the same connections as all others. What a service says about a refusal is shown
as far as no secret of the request is in it: services repeat what they could not verify.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import tagfs
from tagfs.errors import BadCredentials, MalformedResponse, SettingsError
from tagfs.store.certificates import Trust
from tagfs.store.credentials.field_names import parse_json
from tagfs.store.credentials.instance_metadata import is_near
from tagfs.store.credentials.values import SourceUnreachable
from tagfs.store.http import retry
from tagfs.store.http.connection_pool import ConnectionPool
from tagfs.store.http.connections import NoResponse, Timeouts
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.http.messages import FIRST_FAILURE
from tagfs.store.http_dates import parse_http_date
from tagfs.store.proxies import ProxyChoice, find_proxy
from tagfs.store.wire.xml import parse_leaves

ATTEMPTS: Final = 3
"""How often a request is sent, where that may help."""
TIMEOUTS: Final = Timeouts(connect=3.0, read=6.0)
MAX_ANSWER: Final = 1024 * 1024

_PORTS = {"http": 80, "https": 443}
_SKEW = 60.0  # seconds by which a clock may be off before a signature is wrong
_MULTIPLE_CHOICES = 300
_TRANSIENT = frozenset(
    {"IDPCommunicationError", "RequestLimitExceeded", "ServiceUnavailable", "InternalFailure"}
)
_SHOWN = 300  # characters of a service's message
_RECOGNIZED = 16  # characters of a secret by which it is known again


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """One request.

    Attributes:
        url: with its query, percent-encoded.
        secrets: what is in it that no message may repeat.
        direct: never by way of a proxy.
    """

    method: str = "POST"
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    direct: bool = False


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What a service has answered to what it accepted; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode("utf-8", "replace")


class TokenRequests(Protocol):
    """A way to token services."""

    def ask(self, who: str, write: Callable[[float], TokenRequest]) -> TokenAnswer:
        """Return what a service answers to a request that it accepts.

        `who` is asked for, `write` returns the request as of a moment (seconds since the epoch).

        Raises:
            BadCredentials: it refuses, or there is no answer.
        """
        ...


class HttpTokenRequests:
    """Asks with a connection of its own each time: once an hour is not worth to keep one."""

    def __init__(
        self,
        trust: Trust | None = None,
        proxy: ProxyChoice = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`trust` verifies services, None by the certificates of this host.

        `proxy` is the user's choice; None leaves it to the environment.
        """
        self._trust = trust
        self._proxy = proxy
        self._clock = clock
        self._sleep = sleep

    def ask(self, who: str, write: Callable[[float], TokenRequest]) -> TokenAnswer:
        """Send a request until there is an answer that is final; see `TokenRequests.ask`."""
        offset, reason, transient = 0.0, "", False
        for attempt in range(1, ATTEMPTS + 1):
            request = write(self._clock() + offset)
            host = urlsplit(request.url).netloc
            try:
                answer = self._send(request)
            except NoResponse as failure:
                reason, transient = f"no answer from {host}: {failure}", not failure.permanent
            except (SettingsError, ValueError):
                raise BadCredentials(f"{who}: {host or 'no host'} cannot be asked") from None
            else:
                if answer.status < _MULTIPLE_CHOICES:
                    return answer
                code, message = _refusal(answer)
                transient = _is_transient(answer.status, code)
                shown = _presentable(code, message, request.secrets)
                reason = f"{host} answered {answer.status}{shown}"
                skew = self._skew(answer) - offset
                if not transient and abs(skew) > _SKEW:
                    offset, transient = offset + skew, True
            if not transient:
                break
            if attempt < ATTEMPTS:
                self._sleep(retry.delay(attempt))
        kind = SourceUnreachable if transient else BadCredentials
        raise kind(f"{who}: {reason}")

    def _skew(self, answer: TokenAnswer) -> float:
        """Return by how much the service's clock is ahead of ours, 0 if it does not tell."""
        try:
            return parse_http_date(answer.headers.get("date", "")) / 1e9 - self._clock()
        except MalformedResponse:
            return 0.0

    def _send(self, request: TokenRequest) -> TokenAnswer:
        """Make one request.

        Raises:
            NoResponse
            SettingsError, ValueError: not to this address.
        """
        parts = urlsplit(request.url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(parts.scheme)
        port = parts.port or _PORTS[parts.scheme]
        place = Endpoint(parts.scheme, parts.hostname, port, "", path_style=True)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers: dict[str, str | bytes] = {
            "host": place.authority,
            "user-agent": f"tagfs/{tagfs.__version__}",
            "accept-encoding": "identity",
            **request.headers,
        }
        if request.method != "GET":
            headers["content-length"] = str(len(request.body))
        proxy = None  # what is on this host or its link is beside the proxy's way
        if not request.direct and not is_near(parts.hostname):
            proxy = find_proxy(parts.scheme, place.host, port, self._proxy, os.environ)
        pool = ConnectionPool(place, self._trust, proxy)
        try:
            sent = pool.send(request.method, target, headers, request.body or None, TIMEOUTS)
            answer = sent.answer()
            body = answer.read(MAX_ANSWER)
        finally:
            pool.close()
        return TokenAnswer(answer.status, dict(answer.fields), body)


def _is_transient(status: int, code: str) -> bool:
    return (
        status in {408, 429}
        or status >= FIRST_FAILURE
        or code in _TRANSIENT
        or code.startswith(("Throttling", "TooManyRequests"))
    )


def _refusal(answer: TokenAnswer) -> tuple[str, str]:
    """Return code and message of a refusal, in whichever form a service writes them."""
    text = answer.text.strip()
    fields: Mapping[str, object] = {}
    try:
        if text.startswith("<"):
            fields = parse_leaves(answer.body, "ErrorResponse", "Error")
        elif text.startswith("{"):
            fields = parse_json(text, "")
    except (MalformedResponse, BadCredentials):
        pass
    inner = fields.get("error")  # Huawei's
    if isinstance(inner, dict):
        fields = inner
    words = {name.lower().replace("_", ""): value for name, value in fields.items()}
    code = words.get("code") or words.get("errorcode") or ""
    code = code or answer.headers.get("x-amzn-errortype", "").partition(":")[0]
    message = words.get("message") or words.get("errormsg") or ""
    return str(code), str(message)


def _presentable(code: str, message: str, secrets: tuple[str, ...]) -> str:
    """Return what may be shown of a refusal, ready to be put behind a status."""
    if "Signature" in code:  # then services show all that it covers
        message = ""
    known = [secret[:_RECOGNIZED] for secret in secrets if secret]
    shown = ""
    for text in (code, message):
        plain = text + unquote(unquote(text))
        if text and text.isprintable() and not any(start in plain for start in known):
            shown += ": " + text[:_SHOWN].strip()
    return shown
