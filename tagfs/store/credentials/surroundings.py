"""What sources look at: the environment, the way to token services, and what the user allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tagfs.localfiles.trusted import expand, home
from tagfs.store.credentials.token_requests import TokenRequests
from tagfs.store.credentials.values import NotAvailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What one look for credentials sees.

    Attributes:
        tokens: how token services are asked.
        region: the bucket's, where it is known.
        instance_role: whether the machine's role may be used.
    """

    environment: Mapping[str, str]
    tokens: TokenRequests
    region: str | None = None
    instance_role: bool = True

    def variable(self, *names: str) -> str:
        """Return the value of the first variable that has one, "" if none has."""
        values = (self.environment.get(name, "").strip() for name in names)
        return next(filter(None, values), "")

    def own(self, name: str) -> Path:
        """Return the path of a file in the user's home.

        Raises:
            NotAvailable: there is no home.
        """
        base = home(self.environment)
        if base is None:
            raise NotAvailable(f"~/{name} (no home directory)")
        return base / name

    def expand(self, text: str) -> Path:
        """Return a path as a user wrote it, with `~/` replaced by the home."""
        return expand(text, self.environment)
