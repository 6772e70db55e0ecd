"""Credentials of a container: what an agent on its host tells, at the address in its environment.

It is asked on loopback, on link-local addresses and by https, and never by way of a proxy.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tagfs.errors import BadCredentials
from tagfs.store.credentials.field_names import parse_json, parse_key_pair
from tagfs.store.credentials.instance_metadata import Silent, ask, check_address
from tagfs.store.credentials.private_files import read_token
from tagfs.store.credentials.surroundings import Surroundings
from tagfs.store.credentials.token_requests import TokenRequest
from tagfs.store.credentials.values import Credentials, NotAvailable, SourceUnreachable
from tagfs.store.http import retry
from tagfs.store.http.messages import FIRST_FAILURE

CONTAINERS: Final = "http://169.254.170.2"
"""Where ECS tells its tasks their credentials."""

CONTAINER_TIMEOUT: Final = 5.0
"""Seconds; the agent on a container's host may have to ask another service."""
CONTAINER_ATTEMPTS: Final = 3

_AUTHORIZATIONS = (
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)
_OK = 200
_TOO_MANY = 429


class Container:
    """The role of an ECS task or an EKS pod, at the address that its environment tells."""

    name = "the container's role"

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def load(self) -> Credentials:
        """Ask the address; see `Source.load`."""
        variable = self._around.variable
        relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        url = CONTAINERS + relative if relative else variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        if not url and (left := [name for name in _AUTHORIZATIONS if variable(name)]):
            raise BadCredentials(f"{left[0]} is set, and no AWS_CONTAINER_CREDENTIALS_*_URI")
        if not url:
            raise NotAvailable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (not set)")
        if url.startswith("https://"):  # whose certificate says who answers
            text = self._ask_safely(url, self._authorization())
        else:
            check_address(url, "AWS_CONTAINER_CREDENTIALS_FULL_URI")
            text = ask_container(self.name, url, "GET", self._authorization())
        return parse_key_pair(parse_json(text, self.name), self.name)

    def _ask_safely(self, url: str, headers: Mapping[str, str]) -> str:
        """Return what an agent answers that the user's certificates vouch for.

        Raises:
            BadCredentials
        """
        request = TokenRequest(
            method="GET",
            url=url,
            headers={"accept": "*/*", **headers},
            secrets=tuple(headers.values()),
            direct=True,
        )
        return self._around.tokens.ask(self.name, lambda _now: request).text

    def _authorization(self) -> dict[str, str]:
        file = self._around.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        if file:
            token = read_token(Path(file), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        else:
            token = self._around.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if not token.isascii() or not (token.isprintable() or not token):
            raise BadCredentials(f"{self.name}: the authorization token is none")
        return {"Authorization": token} if token else {}


def ask_container(who: str, url: str, method: str, headers: Mapping[str, str]) -> str:
    """Return what the agent of a container's host answers, asked again while it is in trouble.

    Raises:
        BadCredentials
    """
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    reason = ""
    for attempt in range(CONTAINER_ATTEMPTS):
        if attempt:
            time.sleep(retry.delay(attempt))
        try:
            status, text = ask(url, method, path, headers, CONTAINER_TIMEOUT)
        except Silent as silence:
            reason = str(silence)
            continue
        if status == _OK:
            return text
        reason = str(status)
        if status < FIRST_FAILURE and status != _TOO_MANY:
            raise BadCredentials(f"{who}: {reason} from {parts.netloc}")
    raise SourceUnreachable(f"{who}: {reason} from {parts.netloc}")
