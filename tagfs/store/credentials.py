"""Who we are to a service: key pairs, and where they come from.

A provider is asked before every attempt, so `get` answers from memory; `refresh` may read files
or ask a metadata service. Providers are thread-safe. No secret appears in a repr or a message.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tagfs.errors import BadCredentials


@dataclass(frozen=True, slots=True)
class Credentials:
    """One key pair.

    Attributes:
        session_token: sent along with temporary pairs.
        expires_at: seconds since the epoch; None when it lasts.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


class CredentialsProvider(Protocol):
    """Where credentials come from."""

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

    def get(self) -> Credentials:
        """Return the pair."""
        return self._credentials

    def refresh(self) -> Credentials:
        """Return the same pair."""
        return self._credentials


@dataclass(frozen=True, slots=True)
class EnvironmentNames:
    """The variables that one vendor's tools read."""

    access_key_id: str
    secret_access_key: str
    session_token: str


class EnvironmentCredentials:
    """A pair from environment variables, read once and again at `refresh`."""

    def __init__(
        self, names: EnvironmentNames, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._names = names
        self._environment = environment
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None

    def get(self) -> Credentials:
        """Return the pair read first; see `CredentialsProvider.get`."""
        return self._credentials or self.refresh()

    def refresh(self) -> Credentials:
        """Read the variables again; see `CredentialsProvider.refresh`."""
        with self._lock:
            self._credentials = self._read()
            return self._credentials

    def _read(self) -> Credentials:
        names = self._names
        # A line feed from `export X=$(cat file)` or a file with CRLF is never part of a key.
        key_id = self._environment.get(names.access_key_id, "").strip()
        secret = self._environment.get(names.secret_access_key, "").strip()
        missing = [
            name
            for name, value in ((names.access_key_id, key_id), (names.secret_access_key, secret))
            if not value
        ]
        if missing:
            raise BadCredentials(f"no credentials: set {' and '.join(missing)}")
        token = self._environment.get(names.session_token, "").strip()
        return Credentials(key_id, secret, token or None)
