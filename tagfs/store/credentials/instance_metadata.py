"""Credentials of the machine's own role: what the metadata service of a cloud tells its guests.

The services answer on link-local addresses alone. Another base address is for tests and unusual
hosts, and must be one of those or loopback: the server there chooses who we are. No proxy is
asked. Once a service has answered, it is asked again before its answer expires.
"""

import http.client
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from tagfs.errors import BadCredentials
from tagfs.store.credentials.field_names import parse_json, parse_key_pair
from tagfs.store.credentials.values import Credentials, NotAvailable, SourceUnreachable

TIMEOUT: Final = 1.0
"""Seconds; the service is on the same host as we are, or there is none."""

_TOKEN_SECONDS = "21600"  # noqa: S105  (how long a session with the service may last)
_MAX_ANSWER = 64 * 1024
_OK = 200
_NOT_FOUND = 404
_TOO_MANY = 429
_IN_TROUBLE = 500
_NO_TOKENS = frozenset({403, 404, 405})
_ALIBABA = ipaddress.ip_address("100.100.100.200")
_AMAZON = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "fd00:ec2::23")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """How one cloud's service is asked.

    Attributes:
        base: its address.
        address_variable: names another address.
        off_variables: switch it off when they are true.
        token_only_variable: when true, nothing is asked without a token of the service.
        token_path, ttl_header, token_header: how that token is got and shown.
        path: where the credentials are; below it, in a file of the role's name, if it ends in "/".
        role_variable: names the role, so that the service need not be asked for it.
        field: the member of the answer that is the pair; "" for the answer itself.
    """

    title: str
    base: str
    address_variable: str
    off_variables: tuple[str, ...] = ()
    token_only_variable: str = ""
    token_path: str
    ttl_header: str
    token_header: str
    path: str
    role_variable: str = ""
    field: str = ""


ECS_RAM_ROLE: Final = Metadata(
    title="the ECS RAM role",
    base="http://100.100.100.200",
    address_variable="TAGFS_OSS_METADATA_ENDPOINT",
    off_variables=("ALIBABA_CLOUD_ECS_METADATA_DISABLED",),
    token_only_variable="ALIBABA_CLOUD_IMDSV1_DISABLED",  # noqa: S106  (a variable's name)
    token_path="/latest/api/token",  # noqa: S106  (a path)
    ttl_header="X-aliyun-ecs-metadata-token-ttl-seconds",
    token_header="X-aliyun-ecs-metadata-token",  # noqa: S106  (a header's name)
    path="/latest/meta-data/ram/security-credentials/",
    role_variable="ALIBABA_CLOUD_ECS_METADATA",
)

OBS_AGENCY: Final = Metadata(
    title="the ECS agency",
    base="http://169.254.169.254",
    address_variable="TAGFS_OBS_METADATA_ENDPOINT",
    token_path="/meta-data/latest/api/token",  # noqa: S106
    # As Huawei's Java SDK has them; the Python SDK's X-securitykey-Token is in no document.
    ttl_header="X-Metadata-Token-Ttl-Seconds",
    token_header="X-Metadata-Token",  # noqa: S106
    path="/openstack/latest/securitykey",
    field="credential",
)

EC2_ROLE: Final = Metadata(
    title="the EC2 instance role",
    base="http://169.254.169.254",
    address_variable="AWS_EC2_METADATA_SERVICE_ENDPOINT",
    off_variables=("AWS_EC2_METADATA_DISABLED",),
    token_only_variable="AWS_EC2_METADATA_V1_DISABLED",  # noqa: S106
    token_path="/latest/api/token",  # noqa: S106
    ttl_header="X-aws-ec2-metadata-token-ttl-seconds",
    token_header="X-aws-ec2-metadata-token",  # noqa: S106
    path="/latest/meta-data/iam/security-credentials/",
)


class Silent(Exception):
    """No answer came; `connected` when a host was there."""

    def __init__(self, reason: str, *, connected: bool) -> None:
        super().__init__(reason)
        self.connected = connected


class InstanceRole:
    """The role of the virtual machine that this is."""

    def __init__(self, service: Metadata, environment: Mapping[str, str]) -> None:
        self._service = service
        self._environment = environment
        self._has_answered = False

    @property
    def name(self) -> str:
        """The kind of role."""
        return self._service.title

    def load(self) -> Credentials:
        """Ask the service; see `Source.load`.

        Raises:
            SourceUnreachable: it has given a pair before and is silent, or in trouble.
        """
        service = self._service
        if any(_is_true(self._environment, name) for name in service.off_variables):
            raise NotAvailable(f"{self.name} (switched off)")
        base = self._environment.get(service.address_variable) or service.base
        check_address(base, service.address_variable)
        try:
            headers = self._token(base)
            path = service.path
            if path.endswith("/"):
                path += quote(self._role(base, headers), safe="")
            status, text = ask(base, "GET", path, headers)
            pair = self._read(status, text)
        except Silent as silence:
            reason = f"{base}: {silence}"
        else:
            self._has_answered = True
            return pair
        if self._has_answered:  # whoever has the machine's role once has it again
            raise SourceUnreachable(f"{self.name}: {reason}")
        raise NotAvailable(f"{self.name} ({reason})")

    def _read(self, status: int, text: str) -> Credentials:
        if status == _NOT_FOUND:
            raise NotAvailable(f"{self.name} (this machine has none)")
        self._check(status)
        fields = parse_json(text, self.name)
        if str(fields.get("Code", "Success")) != "Success":
            raise BadCredentials(f"{self.name}: the metadata service has no keys for it")
        inner = fields.get(self._service.field) if self._service.field else fields
        return parse_key_pair(inner if isinstance(inner, dict) else {}, self.name)

    def _token(self, base: str) -> dict[str, str]:
        """Begin a session with the service, where it has them; return the header to show."""
        service = self._service
        only = bool(service.token_only_variable) and _is_true(
            self._environment, service.token_only_variable
        )
        try:
            status, token = ask(
                base, "PUT", service.token_path, {service.ttl_header: _TOKEN_SECONDS}
            )
        except Silent as silence:
            # The answer may have come too far: from a container, it has one hop too many.
            if only or not silence.connected:
                raise
            return {}
        if status == _OK and token.strip():
            return {service.token_header: token.strip()}
        if only or status not in _NO_TOKENS:
            failure = _refusal(status)
            raise failure(f"{self.name}: the metadata service gave no token ({status})")
        return {}

    def _role(self, base: str, headers: Mapping[str, str]) -> str:
        named = self._environment.get(self._service.role_variable, "").strip()
        if named:
            return named
        status, text = ask(base, "GET", self._service.path, headers)
        if status == _NOT_FOUND or not text.strip():
            raise NotAvailable(f"{self.name} (this machine has none)")
        self._check(status)
        return text.split()[0]

    def _check(self, status: int) -> None:
        """Raise for an answer that is no credentials.

        Raises:
            BadCredentials; SourceUnreachable: later there may be some.
        """
        if status == _OK:
            return
        raise _refusal(status)(f"{self.name}: the metadata service answered {status}")


def _refusal(status: int) -> type[BadCredentials]:
    """Return what a refused question is: a service that is in trouble may answer later."""
    busy = status == _TOO_MANY or status >= _IN_TROUBLE
    return SourceUnreachable if busy else BadCredentials


def check_address(url: str, variable: str) -> None:
    """Raise for an address that is not on this host or link-local.

    Raises:
        BadCredentials
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme != "http" or not is_near(host):
        raise BadCredentials(
            f"{variable}: only http:// on loopback and link-local addresses is asked"
        )


def is_near(host: str) -> bool:
    """Tell whether a host is this one, or an address that no other network has."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False
    near = address.is_loopback or address.is_link_local
    return near or address == _ALIBABA or address in _AMAZON


def ask(
    base: str, method: str, path: str, headers: Mapping[str, str], timeout: float = TIMEOUT
) -> tuple[int, str]:
    """Make one request; return the status and the text.

    Raises:
        Silent
    """
    parts = urlsplit(base)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    connected = False
    try:
        connection.connect()
        connected = True
        body = {"PUT": "", "POST": "{}"}.get(method)
        connection.request(method, path, body, {"Accept": "*/*", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_ANSWER).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = type(error).__name__ if connected else "no answer"
        raise Silent(reason, connected=connected) from None
    finally:
        connection.close()


def _is_true(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").strip().lower() in {"true", "1"}
