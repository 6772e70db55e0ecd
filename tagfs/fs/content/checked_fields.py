"""The members of a JSON object that is not believed: each is read with its type checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

_MOST: Final = 2**63 - 1
_TOKEN: Final = re.compile(r"[\x21\x23-\x7e]{1,4096}")  # what fits between the quotes of an ETag


class InvalidEntry(ValueError):
    """A note that cannot be acted on; its text says why."""


@dataclass(frozen=True, slots=True)
class CheckedFields:
    """Members of a JSON object; each method raises InvalidEntry if one is not what it should be."""

    values: Mapping[str, object]

    @classmethod
    def of(cls, value: object, what: str) -> Self:
        """Take what should be a JSON object."""
        if not isinstance(value, dict):
            raise InvalidEntry(f"{what} is not a JSON object")
        return cls(value)

    def has(self, name: str) -> bool:
        """Say whether a member is there, and not null."""
        return self.values.get(name) is not None

    def number(self, name: str) -> int:
        """Return a number that is not negative."""
        value = self.values.get(name)
        if type(value) is not int or not 0 <= value <= _MOST:
            raise InvalidEntry(f"{name} is not a number of bytes, or whatever it counts")
        return value

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        value = self.values.get(name)
        if not isinstance(value, bool):
            raise InvalidEntry(f"{name} is neither true nor false")
        return value

    def text(self, name: str) -> str:
        """Return a text."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise InvalidEntry(f"{name} is not a text")
        return value

    def token(self, name: str) -> str | None:
        """Return a text such as an ETag; None if it is not there."""
        if not self.has(name):
            return None
        text = self.text(name)
        if not _TOKEN.fullmatch(text):
            raise InvalidEntry(f"{name} is none")
        return text

    def texts(self, name: str) -> dict[str, str]:
        """Return an object of texts."""
        value = self.values.get(name)
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise InvalidEntry(f"{name} does not map texts to texts")
        return dict(value)

    def check_known(self, names: set[str]) -> None:
        """Refuse members of other names."""
        unknown = set(self.values) - names - {"version", "kind"}
        if unknown:
            raise InvalidEntry(f"it says {min(unknown)[:40]!r}, which is unknown")
