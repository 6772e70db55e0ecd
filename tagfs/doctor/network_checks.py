"""The way to a service, step by step: its name, a connection, its certificate, its clock.

With the standard library alone, for each step's own words; nothing here is signed.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

import certifi

from tagfs.doctor.findings import Finding, Level, fail, ok, warning
from tagfs.store.http.endpoints import Endpoint

PATIENCE = 10.0
"""Seconds for each step."""
REFUSED_SKEW = 900
"""Seconds of skew that services refuse: 15 minutes, all of them."""
SOME_SKEW = 60
_DAY = 86400
_FEW_DAYS = 14
_LOOPBACK = ("localhost", "127.", "::1")


def check_network(
    endpoint: Endpoint, ca_bundle: str | None, clock: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Yield what was found on the way; the first failure is the last finding."""
    steps: tuple[Callable[[], Finding], ...] = (
        lambda: _resolve(endpoint),
        lambda: _connect(endpoint),
        lambda: _secure(endpoint, ca_bundle, clock),
        lambda: _clock(endpoint, ca_bundle, clock),
    )
    for step in steps:
        finding = step()
        yield finding
        if finding.level is Level.FAIL:
            return


def _resolve(endpoint: Endpoint) -> Finding:
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host has such a name"
        return fail(
            "dns",
            f"{endpoint.host} has no address ({reason})",
            "check endpoint, region and the bucket's name, and /etc/resolv.conf",
        )
    addresses = sorted({str(row[4][0]) for row in found})
    return ok("dns", f"{endpoint.host} is {', '.join(addresses)}")


def _connect(endpoint: Endpoint) -> Finding:
    where = f"{endpoint.host} port {endpoint.port}"
    try:
        began = time.monotonic()
        socket.create_connection((endpoint.host, endpoint.port), PATIENCE).close()
    except OSError as error:
        reason = error.strerror or "no answer"
        return fail("tcp", f"{where}: {reason}", "check endpoint, port, firewall and VPN")
    return ok("tcp", f"{where} answers in {(time.monotonic() - began) * 1000:.0f} ms")


def _secure(endpoint: Endpoint, ca_bundle: str | None, clock: Callable[[], float]) -> Finding:
    if endpoint.scheme == "http":
        if endpoint.host.startswith(_LOOPBACK):
            return ok("tls", "not used, and not needed on this host")
        return warning("tls", "not used: everybody on the way can read", "use https://")
    try:
        context = _trust(ca_bundle)
        with (
            socket.create_connection((endpoint.host, endpoint.port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host) as secure,
        ):
            version, certificate = secure.version(), secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return fail("tls", f"the certificate is not trusted: {error.verify_message}", _ADVICE)
    except OSError as error:  # SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        return fail("tls", f"no secure connection: {reason}", "check scheme and port of endpoint")
    ends = str(certificate.get("notAfter", ""))
    days = (ssl.cert_time_to_seconds(ends) - clock()) / _DAY if ends else _FEW_DAYS
    if days < _FEW_DAYS:
        return warning("tls", f"the certificate ends in {days:.0f} days", "have it renewed")
    return ok("tls", f"{version}, the certificate is trusted until {ends}")


_ADVICE = (
    "if this host is the service, name its CA by -o ca_bundle=FILE; check the endpoint and this"
    " host's clock"
)


def _trust(ca_bundle: str | None) -> ssl.SSLContext:
    """Return what mounts trust: the same certificates as requests, or the user's."""
    return ssl.create_default_context(cafile=ca_bundle or certifi.where())


def _clock(endpoint: Endpoint, ca_bundle: str | None, clock: Callable[[], float]) -> Finding:
    check = "clock"
    try:
        theirs = _date(endpoint, ca_bundle)
    except (OSError, http.client.HTTPException, ValueError, TypeError) as error:
        return warning(check, f"the service does not tell the time ({error})", "check endpoint")
    off = clock() - theirs
    way = "ahead of" if off > 0 else "behind"
    shown = f"{abs(off):,.0f} s {way} the service's"
    if abs(off) > REFUSED_SKEW:
        return fail(check, shown, "set this host's clock: timedatectl set-ntp true")
    if abs(off) > SOME_SKEW:
        return warning(check, shown, "set this host's clock: timedatectl set-ntp true")
    return ok(check, f"within {SOME_SKEW} s of the service's")


def _date(endpoint: Endpoint, ca_bundle: str | None) -> float:
    connection: http.client.HTTPConnection
    if endpoint.scheme == "https":
        connection = http.client.HTTPSConnection(
            endpoint.host, endpoint.port, timeout=PATIENCE, context=_trust(ca_bundle)
        )
    else:
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=PATIENCE)
    try:
        connection.request("HEAD", endpoint.base)
        return parsedate_to_datetime(connection.getresponse().headers["Date"]).timestamp()
    finally:
        connection.close()
