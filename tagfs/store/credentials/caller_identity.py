"""Whom AWS takes a key pair for: the token service says so to everybody, whatever he may do.

A key pair of another cloud is none of Amazon's business. So nobody is asked unless the bucket is
at one of AWS's hosts, or the user has said where the token service is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tagfs.errors import BadCredentials, MalformedResponse
from tagfs.store.credentials.aws_files import AwsFiles
from tagfs.store.credentials.aws_tokens import form_of, token_service
from tagfs.store.credentials.request_signatures import sign_v4
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import TokenRequest
from tagfs.store.credentials.values import Credentials
from tagfs.store.wire.xml import parse_leaves

_WHO: Final = "GetCallerIdentity"
_ARN: Final = re.compile(r"arn:[a-z-]+:(?:sts|iam)::([0-9]{12}):\S+")


@dataclass(frozen=True, slots=True)
class Caller:
    """An identity: the number of its account, and its name in full."""

    account: str
    arn: str


class CallerIdentity:
    """Asks the token service.

    Args:
        profile: of the vendor's files; its endpoints and region count.
        at_aws: whether the bucket is at one of AWS's hosts.
    """

    def __init__(self, around: Surroundings, profile: str | None, *, at_aws: bool) -> None:
        self._around = around
        self._profile = profile
        self._at_aws = at_aws

    def endpoint(self, service: str) -> str:
        """Return the URL that the user has named for one of AWS's services, "" if he has not.

        Raises:
            BadCredentials: the vendor's files cannot be read.
        """
        return AwsFiles(self._around).endpoint(service, self._fields())

    def may_ask(self) -> bool:
        """Say whether the token service is known, and may see which key is used.

        Raises:
            BadCredentials: the vendor's files cannot be read.
        """
        return self._at_aws or bool(self.endpoint("sts"))

    def ask(self, by: Credentials) -> Caller:
        """Return whose a pair is.

        Raises:
            BadCredentials: it does not say.
        """
        known = _caller(by.identity)
        if known is not None:
            return known
        service = token_service(self._around, self._fields())
        body = form_of(_WHO, {})

        def write(now: float) -> TokenRequest:
            headers = sign_v4(service.url, body, by, now, region=service.region, service="sts")
            secrets = (by.secret_access_key, by.session_token or "")
            return TokenRequest(url=service.url, headers=headers, body=body, secrets=secrets)

        answer = self._around.tokens.ask(_WHO, write)
        try:
            found = _caller(parse_leaves(answer.body, f"{_WHO}Response").get("Arn", ""))
        except MalformedResponse:
            found = None
        if found is None:
            raise BadCredentials(f"{_WHO}: the answer of the token service is none")
        return found

    def _fields(self) -> Mapping[str, str]:
        variables = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
        name = self._profile or self._around.variable(*variables) or "default"
        return AwsFiles(self._around).profile(name).settings.fields


def _caller(arn: str) -> Caller | None:
    found = _ARN.fullmatch(arn)
    return None if found is None else Caller(found[1], arn)
