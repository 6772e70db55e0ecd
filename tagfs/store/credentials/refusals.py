"""Sources that a user named and tagfs cannot use: each is one error, and nobody else is asked.

To pass one over would be to act as somebody else, with other rights and in another's name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tagfs.errors import BadCredentials
from tagfs.store.credentials.values import Credentials, NotAvailable, Source

_PROCESS = "use credential_process=COMMAND with one that prints the role's key pair, or unset it"
_AWS = "use credential_process=aws configure export-credentials --format process, or unset it"
_KEY_FILE = "name the file by credentials=FILE, or unset it"

Variables = Mapping[str, str]

BEFORE: Final[Mapping[str, Variables]] = {
    "oss": {"OSS_ROLE_ARN": f"a role that a token service has to be asked for: {_PROCESS}"},
}
"""Variables that name somebody else than the key pair beside them, and what to do."""

AFTER: Final[Mapping[str, Variables]] = {
    "oss": {
        **dict.fromkeys(
            (
                "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
                "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
                "ALIBABA_CLOUD_ROLE_ARN",
            ),
            f"a role (RRSA) that a token service has to be asked for: {_PROCESS}",
        ),
        "ALIBABA_CLOUD_CREDENTIALS_URI": f"a service that tagfs does not ask: {_PROCESS}",
        "ALIBABA_CLOUD_CREDENTIALS_FILE": f"a file that tagfs does not read: {_KEY_FILE}",
    },
    "obs": {
        **dict.fromkeys(
            (
                "HUAWEICLOUD_SDK_ID_TOKEN_FILE",
                "HUAWEICLOUD_SDK_IDP_ID",
                "HUAWEICLOUD_OIDC_TOKEN_FILE",
                "HUAWEICLOUD_OIDC_ID_TOKEN",
                "HUAWEICLOUD_OIDC_PROVIDER_URN",
                "HUAWEICLOUD_OIDC_AGENCY_URN",
            ),
            f"an identity that a token service has to be asked for: {_PROCESS}",
        ),
        "HUAWEICLOUD_SDK_CREDENTIALS_FILE": f"a file that tagfs does not read: {_KEY_FILE}",
    },
    "s3": dict.fromkeys(
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
        f"a role that a token service has to be asked for: {_AWS}",
    ),
}
"""Variables that matter where there is no key pair beside them, as for the vendors' SDKs."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Variables that nobody may have set."""

    variables: Variables
    environment: Mapping[str, str]
    name = ""

    def load(self) -> Credentials:
        """Raise, whatever there is; see `Source.load`."""
        for variable, what in self.variables.items():
            if self.environment.get(variable, "").strip():
                raise BadCredentials(f"{variable} names {what}")
        raise NotAvailable


@dataclass(frozen=True, slots=True)
class Named:
    """A source that the user named: if it has nothing, that is an error."""

    source: Source
    by: str

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    def load(self) -> Credentials:
        """Ask the source; see `Source.load`."""
        try:
            return self.source.load()
        except NotAvailable as absent:
            reason = str(absent)
        raise BadCredentials(f"{self.by}: no credentials in {reason}")


@dataclass(frozen=True, slots=True)
class OfMachine:
    """The machine's role, where a file says that it is to be used.

    `role` is None where the user switched that off.
    """

    role: Source | None

    def load(self, where: str) -> Credentials:
        """Ask for it.

        Raises:
            BadCredentials: there is none, or none may be asked for.
        """
        if self.role is None:
            raise BadCredentials(
                f"{where} names the machine's role, which instance_role=off forbids"
            )
        try:
            return self.role.load()
        except NotAvailable as absent:
            reason = str(absent)
        raise BadCredentials(f"{where} names the machine's role: {reason}")


def first_named(
    environment: Mapping[str, str], variables: Sequence[str]
) -> tuple[str, str] | tuple[None, None]:
    """Return the first of the variables that is set, and its value."""
    for variable in variables:
        value = environment.get(variable, "").strip()
        if value:
            return variable, value
    return None, None
