"""AWS's token service: a role for a key pair, or for a token that a cluster has given out."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from tagfs.errors import BadCredentials, MalformedResponse
from tagfs.store.credentials.aws_files import AwsFiles
from tagfs.store.credentials.field_names import parse_key_pair
from tagfs.store.credentials.request_signatures import sign_v4
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import TokenAnswer, TokenRequest
from tagfs.store.credentials.values import Credentials
from tagfs.store.wire.xml import parse_leaves

_VERSION: Final = "2011-06-15"
_GLOBAL: Final = "us-east-1"
_REGION = re.compile("[a-z]{2,}(-[a-z]+)+-[0-9]+")
_OF_OLD: Final = frozenset(
    "ap-northeast-1 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 eu-north-1 "
    "eu-west-1 eu-west-2 eu-west-3 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2".split()
)
"""The regions for which AWS_STS_REGIONAL_ENDPOINTS=legacy means the one service of the world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRole:
    """A role to assume.

    Attributes:
        session: how the service's records call him.
        duration: seconds; "" for the service's usual hour.
    """

    arn: str
    session: str = ""
    external_id: str = ""
    duration: str = ""

    def parameters(self) -> dict[str, str]:
        """Return it in the service's words."""
        chosen = {
            "RoleArn": self.arn,
            "RoleSessionName": self.session or session_name(),
            "ExternalId": self.external_id,
            "DurationSeconds": self.duration,
        }
        return {name: value for name, value in chosen.items() if value}


@dataclass(frozen=True, slots=True)
class TokenService:
    """The token service that a profile's region and endpoint mean."""

    around: Surroundings
    url: str
    region: str

    def assume(self, who: str, role: AwsRole, by: Credentials) -> Credentials:
        """Return the pair of a role that `by` may assume.

        Raises:
            BadCredentials
        """
        body = form_of("AssumeRole", role.parameters())
        secrets = (by.secret_access_key, by.session_token or "", role.external_id)

        def write(now: float) -> TokenRequest:
            headers = sign_v4(self.url, body, by, now, region=self.region, service="sts")
            return TokenRequest(url=self.url, headers=headers, body=body, secrets=secrets)

        return _pair(self.around.tokens.ask(who, write), who)

    def assume_with_token(self, who: str, role: AwsRole, token: str) -> Credentials:
        """Return the pair of a role that the bearer of a token may assume.

        Raises:
            BadCredentials
        """
        parameters = {**role.parameters(), "WebIdentityToken": token}
        request = TokenRequest(
            url=self.url,
            headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=form_of("AssumeRoleWithWebIdentity", parameters),
            secrets=(token,),
        )
        return _pair(self.around.tokens.ask(who, lambda _: request), who)


def session_name() -> str:
    """Return what a session is called that nobody has named."""
    return f"tagfs-{time.time():.0f}"


def token_service(around: Surroundings, profile: Mapping[str, str]) -> TokenService:
    """Return the token service for a profile.

    The bucket's region counts where neither the environment nor the profile names one.
    """
    files = AwsFiles(around)
    region = files.region(profile)
    if not region and around.region and _REGION.fullmatch(around.region):
        region = around.region
    url = files.endpoint("sts", profile)
    if url:
        return TokenService(around, url.rstrip("/") + "/", region or _GLOBAL)
    way = around.variable("AWS_STS_REGIONAL_ENDPOINTS") or profile.get("sts_regional_endpoints", "")
    if not region or (way.lower() == "legacy" and region in _OF_OLD):
        return TokenService(around, "https://sts.amazonaws.com/", _GLOBAL)
    return TokenService(around, f"https://sts.{region}.{suffix(region)}/", region)


def suffix(region: str) -> str:
    """Return how the names of AWS's hosts end."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def form_of(action: str, parameters: Mapping[str, str]) -> bytes:
    """Return the body of a call."""
    return urlencode({"Action": action, "Version": _VERSION, **parameters}).encode()


def _pair(answer: TokenAnswer, who: str) -> Credentials:
    try:
        fields = parse_leaves(answer.body, *_ROOTS)
    except MalformedResponse:  # which quotes what it could not read
        fields = {}
    if not fields:
        raise BadCredentials(f"{who}: the answer of the token service is none")
    return temporary(fields, who)


_ROOTS: Final = ("AssumeRoleResponse", "AssumeRoleWithWebIdentityResponse")


def temporary(fields: Mapping[str, object], who: str) -> Credentials:
    """Return the key pair that a token service has answered with.

    Raises:
        BadCredentials: it has not, or does not say for how long.
    """
    pair = parse_key_pair(fields, who)
    if not pair.session_token or pair.expires_at is None:
        missing = "session token" if not pair.session_token else "expiration"
        raise BadCredentials(f"{who}: the token service gave no {missing}")
    identity = fields.get("Arn")
    return replace(pair, identity=identity if isinstance(identity, str) else "")
