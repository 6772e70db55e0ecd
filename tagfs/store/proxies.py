"""Which HTTP proxy stands between this host and a service: what was chosen, else the environment.

Pure but for a file that holds a proxy's URL. Metadata services and the addresses that containers
have their keys from are never asked through one: see `credentials/instance_metadata.py`.
"""

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from tagfs.errors import SettingsError
from tagfs.localfiles.trusted import Untrusted, read_secret

_PORTS: Final = {"http": 80, "https": 443}
_BRACKETED = re.compile(r"\[(?P<host>[^]]+)\](?::(?P<port>\d+))?")
_WITH_PORT = re.compile(r"(?P<host>[^:]+):(?P<port>\d+)")


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy. Its text has no password, so that logs and status have none.

    Attributes:
        scheme: "http" or "https": how the proxy itself is spoken to.
        user, password: "" for none; as they are, not percent-encoded.
        origin: who named it: "proxy", "HTTPS_PROXY".
        file: that its URL was read from; "" for none.
    """

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    origin: str = field(default="proxy", compare=False)
    file: str = field(default="", compare=False)

    @property
    def shown(self) -> str:
        """Its URL without the password."""
        return f"{self.scheme}://{quote(self.user) + '@' if self.user else ''}{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def headers(self) -> dict[str, str]:
        """What shows the proxy who asks."""
        if not self.user and not self.password:
            return {}
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"proxy-authorization": f"Basic {pair}"}

    def __str__(self) -> str:
        return self.file or self.shown


@dataclass(frozen=True, slots=True)
class Direct:
    """The choice of no proxy, whatever the environment names."""

    def __str__(self) -> str:
        return "none"


ProxyChoice = Proxy | Direct | None
"""What a user chose; None leaves it to the environment."""

DIRECT: Final = Direct()


def parse_proxy(text: str, origin: str = "proxy") -> Proxy | Direct:
    """Read `[http[s]://][user[:password]@]host[:port]`, or "none".

    Raises:
        ValueError: it is none; the text of it, which may hold a password, is not repeated.
    """
    if text == str(DIRECT):
        return DIRECT
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in _PORTS or parts.path.strip("/") or parts.query:
        raise ValueError(origin) from None
    return Proxy(
        parts.scheme,
        host,
        port or _PORTS[parts.scheme],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        origin,
    )


def read_proxy(path: Path) -> Proxy | Direct:
    """Read the proxy that a file names, which nobody else may read.

    Raises:
        SettingsError
    """
    try:
        found = parse_proxy(read_secret(path).strip())
    except FileNotFoundError:
        raise SettingsError(f"proxy={path}: no such file") from None
    except Untrusted as error:
        raise SettingsError(f"proxy={error}") from None
    except ValueError:
        raise SettingsError(
            f"proxy={path} does not hold http[s]://[USER:PASSWORD@]HOST:PORT"
        ) from None
    return replace(found, file=str(path)) if isinstance(found, Proxy) else found


def find_proxy(
    scheme: str, host: str, port: int, choice: ProxyChoice, environment: Mapping[str, str]
) -> Proxy | None:
    """Return the proxy on the way to a service; None for the direct way.

    A choice holds for whatever is asked. Of the environment, NO_PROXY excepts hosts. A choice
    without a password has that which the environment has for the same user of the same proxy: it
    may have come from a mount's status or its recovery directory, which have none.

    Raises:
        SettingsError: the environment names what cannot be spoken to.
    """
    if isinstance(choice, Direct):
        return None
    if choice is not None:
        return choice if choice.password else _with_password(choice, scheme, environment)
    if is_excepted(host, port, environment):
        return None
    for name, value in _named(scheme, environment):
        found = _of_variable(name, value)
        return found if isinstance(found, Proxy) else None
    return None


def is_excepted(host: str, port: int, environment: Mapping[str, str]) -> bool:
    """Say whether NO_PROXY names a host.

    Its entries are "*", domains that stand for what is below them too (with or without a dot or
    "*." before), addresses and networks as 10.0.0.0/8, each perhaps with a port.
    """
    text = next(filter(None, map(environment.get, ("no_proxy", "NO_PROXY"))), "")
    entries = filter(None, re.split(r"[\s,]+", text.lower()))
    return any(_matches(entry, host.lower().rstrip("."), port) for entry in entries)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    found = _BRACKETED.fullmatch(entry) or _WITH_PORT.fullmatch(entry)
    if found:
        entry = found["host"]
        if found["port"] and int(found["port"]) != port:
            return False
    address, network = _address(host), _network(entry)
    if address is not None:
        return network is not None and address in network
    domain = entry.removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith("." + domain))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _named(scheme: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the variables that name a proxy for a scheme; lower case goes before upper case."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        written = name if name in environment else name.upper()
        if value := environment.get(written, "").strip():
            yield written, value


def _of_variable(name: str, value: str) -> Proxy | Direct:
    try:
        return parse_proxy(value, name)
    except ValueError:
        scheme = value.partition("://")[0] + " proxies are" if "://" in value else "it is"
        raise SettingsError(
            f"{name}: {scheme} not spoken to: set it to http[s]://HOST:PORT, or choose proxy=none"
        ) from None


def _with_password(choice: Proxy, scheme: str, environment: Mapping[str, str]) -> Proxy:
    for name, value in _named(scheme, environment):
        try:
            found = parse_proxy(value, name)
        except ValueError:
            continue
        if isinstance(found, Proxy) and found.shown == choice.shown:
            return replace(choice, password=found.password)
    return choice
