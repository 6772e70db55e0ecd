"""Requests to S3 Control, AWS's service for what an account has: another host, the same signature.

They are rare, so that each makes a connection of its own, as those to token services do.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from tagfs.errors import AccessDenied, BadCredentials, Unreachable
from tagfs.store.credentials.aws_tokens import suffix
from tagfs.store.credentials.caller_identity import Caller, CallerIdentity
from tagfs.store.credentials.instance_metadata import is_near
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import TokenRequest, TokenRequests
from tagfs.store.credentials.values import Credentials, SourceUnreachable
from tagfs.store.dialects.dialect import Dialect, Signable
from tagfs.store.dialects.s3_hosts import ANY_REGION
from tagfs.store.http.endpoints import Endpoint
from tagfs.store.objects import NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlCall:
    """One request; `path` is percent-encoded."""

    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """The way to S3 Control.

    Attributes:
        identity: says which account it is about.
        pair: the key pair that holds now.
    """

    dialect: Dialect
    region: str
    suffix: str
    identity: CallerIdentity
    tokens: TokenRequests
    pair: Callable[[], Credentials]

    def caller(self) -> Caller:
        """Return whom the key pair is taken for.

        Raises:
            BadCredentials: the token service does not say.
        """
        return self.identity.ask(self.pair())

    def ask(self, call: ControlCall) -> bytes:
        """Return the body of an answer.

        Raises:
            AccessDenied: it refuses, or the account is not known.
            Unreachable: it does not answer.
        """
        try:
            by = self.pair()
            account = self.identity.ask(by).account
            base = self._base(account)
            write = functools.partial(self._signed, call, base, account, by)
            return self.tokens.ask(call.operation, write).body
        except SourceUnreachable as failure:
            raise Unreachable(str(failure)) from failure
        except BadCredentials as refusal:
            raise AccessDenied(str(refusal)) from refusal

    def _base(self, account: str) -> str:
        """Return scheme and host; the account goes before every host that has a name."""
        url = self.identity.endpoint("s3_control").rstrip("/")
        parts = urlsplit(url or f"https://s3-control.{self.region}.{self.suffix}")
        if is_near(parts.hostname or ""):
            return f"{parts.scheme}://{parts.netloc}"
        return f"{parts.scheme}://{account}.{parts.netloc}"

    def _signed(
        self, call: ControlCall, base: str, account: str, by: Credentials, now: float
    ) -> TokenRequest:
        headers = {"x-amz-account-id": account}
        if call.body:
            headers["content-type"] = "application/xml"
        signable = Signable(
            method=call.method,
            bucket="",
            key="",
            query=call.query,
            headers=headers,
            host=urlsplit(base).netloc,
            path=call.path,
            payload=hashlib.sha256(call.body).hexdigest(),
        )
        signature = self.dialect.signer(self.region)(signable, by, now)
        text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in call.query.items())
        return TokenRequest(
            method=call.method,
            url=base + call.path + (f"?{text}" if text else ""),
            headers={**headers, **signature},
            body=call.body,
            secrets=(by.secret_access_key, by.session_token or ""),
        )


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def find_control_plane(
    dialect: Dialect,
    endpoint: Endpoint,
    tokens: TokenRequests,
    pair: Callable[[], Credentials],
    profile: str | None,
) -> ControlPlane | None:
    """Return the way to S3 Control; None for a bucket that is not Amazon's.

    Elsewhere there is one only if the user has said where the token service is.
    """
    if not dialect.control_plane:
        return None
    of_host = dialect.region(endpoint.service_host)
    around = Surroundings(environment=os.environ, tokens=tokens, region=endpoint.region)
    identity = CallerIdentity(around, profile, at_aws=of_host is not None)
    try:
        if not identity.may_ask():
            return None
    except BadCredentials:  # who needs the files says so
        return None
    region = endpoint.region or of_host or ANY_REGION
    return ControlPlane(
        dialect=dialect,
        region=region,
        suffix=suffix(region),
        identity=identity,
        tokens=tokens,
        pair=pair,
    )
