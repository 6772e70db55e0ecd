"""The way to a service, step by step: proxy, name, connection, certificate, clock.

With the standard library alone, for each step's own words; nothing here is signed.
"""

import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from tagfs.doctor.findings import Finding, Level, fail, ok, warning
from tagfs.store.certificates import Trust
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.proxies import Proxy, is_excepted

PATIENCE = 10.0
"""Seconds for each step."""
REFUSED_SKEW = 900
"""Seconds of skew that services refuse: 15 minutes, all of them."""
SOME_SKEW = 60
_DAY = 86400
_FEW_DAYS = 14
_LOOPBACK = ("localhost", "127.", "::1")
_CHECK_BOTH = "check proxy=, HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and ask who runs the proxy"


@dataclass(frozen=True, slots=True)
class _Way:
    """How a service is reached; the host of the first step is the proxy's, if there is one."""

    endpoint: Endpoint
    trust: Trust
    proxy: Proxy | None
    clock: Callable[[], float]

    @property
    def first(self) -> tuple[str, int]:
        at = self.proxy or self.endpoint
        return at.host, at.port

    @property
    def advice(self) -> str:
        return _CHECK_BOTH if self.proxy else "check endpoint, port, firewall and VPN"

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection to the service that is not open yet."""
        host, port = self.first
        if self.endpoint.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=PATIENCE)
        found = http.client.HTTPSConnection(
            host, port, timeout=PATIENCE, context=self.trust.context()
        )
        if self.proxy is not None:
            found.set_tunnel(self.endpoint.host, self.endpoint.port, self.proxy.headers)
        return found

    def asked(self) -> tuple[str, Mapping[str, str]]:
        """Return the target of a request about the bucket, and the headers that it needs."""
        if self.proxy is None or self.endpoint.scheme == "https":
            return self.endpoint.base, {}
        headers = {"Host": self.endpoint.authority, **self.proxy.headers}
        return self.endpoint.url + self.endpoint.base, headers


def check_network(
    endpoint: Endpoint,
    trust: Trust,
    proxy: Proxy | None = None,
    clock: Callable[[], float] = time.time,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Finding]:
    """Yield what was found on the way; the first failure is the last finding."""
    way = _Way(endpoint, trust, proxy, clock)
    yield from _proxy(way, environment)
    steps: list[Callable[[_Way], Finding]] = [_resolve, _connect]
    if proxy is None or proxy.scheme == "http":  # TLS inside of TLS is left to the first request
        steps += [_secure, _clock]
    for step in steps:
        finding = step(way)
        yield finding
        if finding.level is Level.FAIL:
            return


def _proxy(way: _Way, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Name the proxy, or what keeps the environment's from being asked."""
    if way.proxy is not None:
        yield ok("proxy", f"requests go through {way.proxy.shown} ({way.proxy.origin})")
    elif is_excepted(way.endpoint.host, way.endpoint.port, environment):
        yield ok("proxy", f"none: NO_PROXY names {way.endpoint.host}")


def _resolve(way: _Way) -> Finding:
    host, port = way.first
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host has such a name"
        advice = "check endpoint, region and the bucket's name, and /etc/resolv.conf"
        if way.proxy is not None:
            advice = f"this is the proxy: {_CHECK_BOTH}"
        return fail("dns", f"{host} has no address ({reason})", advice)
    addresses = sorted({str(row[4][0]) for row in found})
    return ok("dns", f"{host} is {', '.join(addresses)}")


def _connect(way: _Way) -> Finding:
    host, port = way.first
    where = f"{'the proxy ' if way.proxy else ''}{host} port {port}"
    try:
        began = time.monotonic()
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        return fail("tcp", f"{where}: {error.strerror or 'no answer'}", way.advice)
    return ok("tcp", f"{where} answers in {(time.monotonic() - began) * 1000:.0f} ms")


def _unsecured(way: _Way) -> Finding:
    if way.endpoint.host.startswith(_LOOPBACK) and way.proxy is None:
        return ok("tls", "not used, and not needed on this host")
    return warning("tls", "not used: everybody on the way can read", "use https://")


def _secure(way: _Way) -> Finding:
    if way.endpoint.scheme == "http":
        return _unsecured(way)
    connection = way.connection()
    try:
        connection.connect()
        secure = connection.sock
        assert isinstance(secure, ssl.SSLSocket)  # noqa: S101  (for the type checker)
        version, certificate = secure.version(), secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        detail = f"the certificate is not trusted by {way.trust}: {error.verify_message}"
        return fail("tls", detail, _ADVICE)
    except (OSError, http.client.HTTPException) as error:  # SSLError is one
        if "Tunnel" in str(error):
            return fail("tls", f"the proxy refuses: {error}", _CHECK_BOTH)
        reason = getattr(error, "reason", None) or getattr(error, "strerror", "") or str(error)
        return fail("tls", f"no secure connection: {reason}", "check scheme and port of endpoint")
    finally:
        connection.close()
    ends = str(certificate.get("notAfter", ""))
    days = (ssl.cert_time_to_seconds(ends) - way.clock()) / _DAY if ends else _FEW_DAYS
    if days < _FEW_DAYS:
        return warning("tls", f"the certificate ends in {days:.0f} days", "have it renewed")
    return ok("tls", f"{version}, the certificate is trusted until {ends}, by {way.trust}")


_ADVICE = (
    "if it is by a CA of your own, name that by -o ca_bundle=FILE, or add it to this host's store"
    " (update-ca-certificates); check the endpoint and this host's clock"
)


def _clock(way: _Way) -> Finding:
    check = "clock"
    try:
        theirs = _date(way)
    except (OSError, http.client.HTTPException, ValueError, TypeError) as error:
        return warning(check, f"the service does not tell the time ({error})", "check endpoint")
    off = way.clock() - theirs
    shown = f"{abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} the service's"
    if abs(off) > REFUSED_SKEW:
        return fail(check, shown, "set this host's clock: timedatectl set-ntp true")
    if abs(off) > SOME_SKEW:
        return warning(check, shown, "set this host's clock: timedatectl set-ntp true")
    return ok(check, f"within {SOME_SKEW} s of the service's")


def _date(way: _Way) -> float:
    connection = way.connection()
    target, headers = way.asked()
    try:
        connection.request("HEAD", target, headers=dict(headers))
        return parsedate_to_datetime(connection.getresponse().headers["Date"]).timestamp()
    finally:
        connection.close()
