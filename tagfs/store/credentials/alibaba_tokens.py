"""Alibaba Cloud's token service: a RAM role for a key pair, or for a token of a cluster (RRSA)."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from tagfs.errors import BadCredentials
from tagfs.store.credentials.aws_tokens import temporary
from tagfs.store.credentials.field_names import parse_json
from tagfs.store.credentials.private_files import read_token
from tagfs.store.credentials.request_signatures import rpc_time, sign_rpc
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import TokenAnswer, TokenRequest
from tagfs.store.credentials.values import Credentials, NotAvailable, Source

_VERSION: Final = "2015-04-01"
_SHORTEST: Final = 900  # seconds that a session lasts at least
_OIDC: Final = (
    "ALIBABA_CLOUD_ROLE_ARN",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RamRole:
    """A role to assume; "" leaves a choice to the service.

    Attributes:
        duration: seconds.
        region: of the token service.
    """

    arn: str
    session: str = ""
    external_id: str = ""
    policy: str = ""
    duration: str = ""
    region: str = ""

    def parameters(self, around: Surroundings, who: str) -> dict[str, str]:
        """Return it in the service's words.

        Raises:
            BadCredentials: it cannot be asked for.
        """
        if not self.arn:
            raise BadCredentials(f"{who} names no role")
        if self.duration and not (self.duration.isdecimal() and int(self.duration) >= _SHORTEST):
            raise BadCredentials(f"{who}: a session lasts {_SHORTEST} seconds at least")
        session = self.session or around.variable("ALIBABA_CLOUD_ROLE_SESSION_NAME")
        chosen = {
            "RoleArn": self.arn,
            "RoleSessionName": session or f"tagfs-{time.time():.0f}",
            "ExternalId": self.external_id,
            "Policy": self.policy,
            "DurationSeconds": self.duration,
            "Format": "JSON",
            "Version": _VERSION,
        }
        return {name: value for name, value in chosen.items() if value}


def assume_role(around: Surroundings, who: str, role: RamRole, by: Credentials) -> Credentials:
    """Return the pair of a role that `by` may assume.

    Raises:
        BadCredentials
    """
    parameters = {"Action": "AssumeRole", **role.parameters(around, who)}
    secrets = (by.secret_access_key, by.session_token or "", role.external_id)

    def write(now: float) -> TokenRequest:
        signed = sign_rpc("POST", parameters, by, now, uuid.uuid4().hex)
        return _request(around, role, signed, secrets)

    return _pair(around.tokens.ask(who, write), who)


def assume_role_with_token(
    around: Surroundings, who: str, role: RamRole, provider: str, token: str
) -> Credentials:
    """Return the pair of a role that the bearer of an OIDC token may assume.

    Raises:
        BadCredentials
    """
    parameters = {
        "Action": "AssumeRoleWithOIDC",
        "OIDCProviderArn": provider,
        "OIDCToken": token,
        **role.parameters(around, who),
    }

    def write(now: float) -> TokenRequest:
        return _request(around, role, {**parameters, **rpc_time(now)}, (token,))

    return _pair(around.tokens.ask(who, write), who)


class Rrsa:
    """The role of a pod of ACK: ALIBABA_CLOUD_OIDC_TOKEN_FILE and its two companions."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    @property
    def name(self) -> str:
        """The role, and the variable that leads to it."""
        return f"the RAM role {self._around.variable(_OIDC[0])} ({_OIDC[2]})"

    def load(self) -> Credentials:
        """Exchange the token that is in the file now; see `Source.load`."""
        values = [self._around.variable(name) for name in _OIDC]
        if not any(values):
            raise NotAvailable(f"{_OIDC[2]} (not set)")
        for name, value in zip(_OIDC, values, strict=True):
            if not value:
                present = next(n for n, v in zip(_OIDC, values, strict=True) if v)
                raise BadCredentials(f"{present} is set, and {name} is not")
        arn, provider, file = values
        token = read_token(self._around.expand(file), _OIDC[2])
        return assume_role_with_token(self._around, self.name, RamRole(arn=arn), provider, token)


class OssRole:
    """A role of ossutil's: OSS_ROLE_ARN, for the key pair that is in the environment."""

    name = "the RAM role of OSS_ROLE_ARN"

    def __init__(self, around: Surroundings, pair: Source) -> None:
        self._around = around
        self._pair = pair

    def load(self) -> Credentials:
        """Assume the role; see `Source.load`."""
        arn = self._around.variable("OSS_ROLE_ARN")
        if not arn:
            raise NotAvailable
        try:
            by = self._pair.load()
        except NotAvailable as absent:
            reason = str(absent)
        else:
            role = RamRole(arn=arn, session=self._around.variable("OSS_ROLE_SESSION_NAME"))
            return assume_role(self._around, self.name, role, by)
        raise BadCredentials(f"OSS_ROLE_ARN is set, and no key pair beside it: {reason}")


class CredentialsUri:
    """A pair that a service of the user's own tells, at ALIBABA_CLOUD_CREDENTIALS_URI."""

    def __init__(self, around: Surroundings, uri: str = "") -> None:
        """`uri` is asked instead of the variable's."""
        self._around = around
        self._uri = uri

    @property
    def name(self) -> str:
        """The variable; its address may hold a password."""
        return "ALIBABA_CLOUD_CREDENTIALS_URI" if not self._uri else "credentials_uri"

    def load(self) -> Credentials:
        """Ask for the pair; see `Source.load`."""
        uri = self._uri or self._around.variable("ALIBABA_CLOUD_CREDENTIALS_URI")
        if not uri:
            raise NotAvailable(f"{self.name} (not set)")
        request = TokenRequest(method="GET", url=uri, headers={"accept": "application/json"})
        answer = self._around.tokens.ask(self.name, lambda _: request)
        fields = parse_json(answer.text, self.name)
        if str(fields.get("Code", "Success")) != "Success":
            raise BadCredentials(f"{self.name}: the service has no keys")
        return temporary(fields, self.name)


def _request(
    around: Surroundings, role: RamRole, parameters: Mapping[str, str], secrets: tuple[str, ...]
) -> TokenRequest:
    return TokenRequest(
        url=_address(around, role.region),
        headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        body=urlencode(parameters).encode(),
        secrets=secrets,
    )


def _address(around: Surroundings, region: str) -> str:
    """Return where the token service is; a name without a scheme means https."""
    named = around.variable("ALIBABA_CLOUD_STS_ENDPOINT")
    if named:
        return (named if "://" in named else f"https://{named}").rstrip("/") + "/"
    inside = around.variable("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED").lower() == "true"
    region = region or around.variable("ALIBABA_CLOUD_STS_REGION")
    host = f"sts{'-vpc' if inside and region else ''}{'.' + region if region else ''}"
    return f"https://{host}.aliyuncs.com/"


def _pair(answer: TokenAnswer, who: str) -> Credentials:
    fields = parse_json(answer.text, who)
    inner, user = fields.get("Credentials"), fields.get("AssumedRoleUser")
    found = dict(inner) if isinstance(inner, dict) else {}
    if isinstance(user, dict):
        found["Arn"] = user.get("Arn")
    return temporary(found, who)
