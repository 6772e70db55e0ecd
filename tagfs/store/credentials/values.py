"""Who we are to a service: key pairs, and where they come from.

A provider is asked before every attempt, so `get` answers from memory; `refresh` may read files
or ask a metadata service. Providers are thread-safe. A source is one place to look; which there
are, and their order, is in `chain`. No secret appears in a repr or a message, nor in
what an exception carries along: text that could not be read is never part of one.
"""

from dataclasses import dataclass, field
from typing import Protocol

from tagfs.errors import BadCredentials


@dataclass(frozen=True, slots=True)
class Credentials:
    """One key pair.

    Attributes:
        session_token: sent along with temporary pairs.
        expires_at: seconds since the epoch; None when it lasts.
        identity: whom the pair stands for, where a token service says it.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    identity: str = field(default="", compare=False)

    @property
    def anonymous(self) -> bool:
        """Whether it is nobody's: requests with it are not signed."""
        return not self.access_key_id


class NotAvailable(Exception):
    """A source has no credentials; the sentence tells what was looked for."""


class Source(Protocol):
    """One place where credentials may be."""

    @property
    def name(self) -> str:
        """The place, for people: "/home/me/.aws/credentials [default]"."""
        ...

    def load(self) -> Credentials:
        """Return the pair that is there now.

        Raises:
            NotAvailable: there is none, so that another source may be asked.
            BadCredentials: there is one that cannot be used; nobody else is asked.
        """
        ...


class CredentialsProvider(Protocol):
    """Where credentials come from."""

    @property
    def origin(self) -> str:
        """The place where the pair was found, for people."""
        ...

    def get(self) -> Credentials:
        """Return the present pair, from memory where possible.

        Raises:
            BadCredentials: there is none; the sentence says what to set.
        """
        ...

    def refresh(self) -> Credentials:
        """Ask the origin again (the service said "expired", or it is about to) and return that.

        Raises:
            BadCredentials
        """
        ...


class StaticCredentials:
    """A pair that never changes."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    @property
    def origin(self) -> str:
        """Nowhere in particular."""
        return "the program"

    def get(self) -> Credentials:
        """Return the pair."""
        return self._credentials

    def refresh(self) -> Credentials:
        """Return the same pair."""
        return self._credentials


class NoCredentials:
    """Nobody, because the user said so: what is public is read without a signature."""

    origin = "nobody (anonymous)"
    _NOBODY = Credentials("", "")

    def get(self) -> Credentials:
        """Return nobody's pair."""
        return self._NOBODY

    def refresh(self) -> Credentials:
        """Return the same."""
        return self._NOBODY


class SourceUnreachable(BadCredentials):
    """What gives out credentials does not answer now, or is in trouble: later it may."""


@dataclass(frozen=True, slots=True)
class EnvironmentNames:
    """The variables that one vendor's tools read."""

    access_key_id: str
    secret_access_key: str
    session_token: str
