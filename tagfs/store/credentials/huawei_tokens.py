"""Huawei Cloud's token services: an agency, or a federated user, for a token of a cluster."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.aws_tokens import temporary
from tagfs.store.credentials.container import ask_container
from tagfs.store.credentials.field_names import parse_json
from tagfs.store.credentials.instance_metadata import check_address
from tagfs.store.credentials.private_files import read_token
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import TokenAnswer, TokenRequest
from tagfs.store.credentials.values import Credentials, NotAvailable

_SIX_HOURS: Final = 21600
_HOUR: Final = "3600"
_AGENCY: Final = "HUAWEICLOUD_OIDC_AGENCY_URN"
_PROVIDER: Final = "HUAWEICLOUD_OIDC_PROVIDER_URN"
_TOKEN: Final = "HUAWEICLOUD_OIDC_ID_TOKEN"  # noqa: S105  (a variable's name)
_TOKEN_FILE: Final = "HUAWEICLOUD_OIDC_TOKEN_FILE"  # noqa: S105
_IDP: Final = "HUAWEICLOUD_SDK_IDP_ID"
_IDP_FILE: Final = "HUAWEICLOUD_SDK_ID_TOKEN_FILE"
_POD: Final = "HC_CONTAINER_CREDENTIALS_FULL_URI"
_POD_FILE: Final = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"


class Agency:
    """An agency by OIDC (AssumeAgencyWithOIDC): HUAWEICLOUD_OIDC_AGENCY_URN and its companions."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    @property
    def name(self) -> str:
        """The agency, and the variable that leads to it."""
        return f"the agency {self._around.variable(_AGENCY)} ({_AGENCY})"

    def load(self) -> Credentials:
        """Exchange the token that is there now; see `Source.load`."""
        variable = self._around.variable
        missing = [name for name in (_AGENCY, _PROVIDER) if not variable(name)]
        if not variable(_TOKEN, _TOKEN_FILE):
            missing.append(_TOKEN_FILE)
        present = [n for n in (_AGENCY, _PROVIDER, _TOKEN, _TOKEN_FILE) if variable(n)]
        if not present:
            raise NotAvailable(f"{_AGENCY} (not set)")
        if missing:
            raise BadCredentials(f"{present[0]} is set, and {missing[0]} is not")
        token = variable(_TOKEN) or read_token(
            self._around.expand(variable(_TOKEN_FILE)), _TOKEN_FILE
        )
        duration = variable("HUAWEICLOUD_OIDC_DURATION_SECONDS") or _HOUR
        if not duration.isdecimal():
            raise BadCredentials("HUAWEICLOUD_OIDC_DURATION_SECONDS is not a number")
        body: dict[str, object] = {
            "agency_urn": variable(_AGENCY),
            "provider_urn": variable(_PROVIDER),
            "agency_session_name": variable("HUAWEICLOUD_OIDC_SESSION_NAME") or "tagfs",
            "id_token": token,
            "duration_seconds": int(duration),
        }
        if policy := variable("HUAWEICLOUD_OIDC_POLICY"):
            body["policy"] = policy
        if ids := variable("HUAWEICLOUD_OIDC_POLICY_IDS"):
            body["policy_ids"] = [part.strip() for part in ids.split(",") if part.strip()]
        url = self._address() + "/v5/agencies/assume-with-oidc"
        answer = _post(self._around, self.name, url, body, secrets=(token,))
        document = parse_json(answer.text, self.name)
        agency = document.get("assumed_agency")
        urn = agency.get("urn") if isinstance(agency, dict) else ""
        return replace(_pair(document, self.name), identity=str(urn or ""))

    def _address(self) -> str:
        named = self._around.variable("HUAWEICLOUD_SDK_STS_ENDPOINT")
        region = self._around.region or "cn-north-4"
        return named.rstrip("/") or f"https://sts.{region}.myhuaweicloud.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """A federated user of IAM: an identity provider that is registered there, and its token.

    Attributes:
        endpoint: IAM's, "" for the usual.
    """

    idp: str
    file: str
    named_by: str
    endpoint: str = ""

    def load(self, around: Surroundings) -> Credentials:
        """Exchange the token that is in the file now: for one of IAM's, and that for a pair.

        Raises:
            BadCredentials
        """
        who = f"the identity provider {self.idp} ({self.named_by})"
        token = read_token(around.expand(self.file), self.named_by)
        named = self.endpoint or around.variable("HUAWEICLOUD_SDK_IAM_ENDPOINT")
        region = f".{around.region}" if around.region else ""
        base = named.rstrip("/") or f"https://iam{region}.myhuaweicloud.com"
        answer = _post(
            around,
            who,
            f"{base}/v3.0/OS-AUTH/id-token/tokens",
            {"auth": {"id_token": {"id": token}}},
            {"x-idp-id": self.idp},
            secrets=(token,),
        )
        subject = answer.headers.get("x-subject-token", "")
        if not subject:
            raise BadCredentials(f"{who}: IAM gave no token")
        identity = {"methods": ["token"], "token": {"id": subject, "duration_seconds": _SIX_HOURS}}
        answer = _post(
            around,
            who,
            f"{base}/v3.0/OS-CREDENTIAL/securitytokens",
            {"auth": {"identity": identity}},
            secrets=(subject,),
        )
        return replace(_pair(parse_json(answer.text, who), who), identity=self.idp)


class FederatedUser:
    """A federated user: HUAWEICLOUD_SDK_IDP_ID with HUAWEICLOUD_SDK_ID_TOKEN_FILE."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    @property
    def name(self) -> str:
        """The provider, and the variable that names it."""
        return f"the identity provider {self._around.variable(_IDP)} ({_IDP})"

    def load(self) -> Credentials:
        """Exchange the token that is in the file now; see `Source.load`."""
        idp, file = self._around.variable(_IDP), self._around.variable(_IDP_FILE)
        if not idp and not file:
            raise NotAvailable(f"{_IDP} (not set)")
        if not idp or not file:
            present, missing = (_IDP, _IDP_FILE) if idp else (_IDP_FILE, _IDP)
            raise BadCredentials(f"{present} is set, and {missing} is not")
        return Federation(idp=idp, file=file, named_by=_IDP_FILE).load(self._around)


class PodIdentity:
    """The agency of a pod of CCE, at the address that its environment tells."""

    name = f"the pod's agency ({_POD})"

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def load(self) -> Credentials:
        """Ask the address; see `Source.load`."""
        url, file = self._around.variable(_POD), self._around.variable(_POD_FILE)
        if not url and not file:
            raise NotAvailable(f"{_POD} (not set)")
        if not url or not file:
            present, missing = (_POD, _POD_FILE) if url else (_POD_FILE, _POD)
            raise BadCredentials(f"{present} is set, and {missing} is not")
        if not url.startswith("https://"):
            check_address(url, _POD)
        headers = {
            "Authorization": read_token(self._around.expand(file), _POD_FILE),
            "Content-Type": "application/json",
        }
        text = ask_container(self.name, url, "POST", headers)
        return _pair(parse_json(text, self.name), self.name)


def _post(
    around: Surroundings,
    who: str,
    url: str,
    body: Mapping[str, object],
    headers: Mapping[str, str] | None = None,
    *,
    secrets: tuple[str, ...],
) -> TokenAnswer:
    request = TokenRequest(
        url=url,
        headers={"content-type": "application/json;charset=utf-8", **(headers or {})},
        body=json.dumps(body).encode(),
        secrets=secrets,
    )
    return around.tokens.ask(who, lambda _: request)


def _pair(document: Mapping[str, object], who: str) -> Credentials:
    """Return the pair of an answer, which is written in one of two ways."""
    inner = document.get("credential") or document.get("credentials") or document
    return temporary(inner if isinstance(inner, dict) else {}, who)
