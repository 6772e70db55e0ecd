"""Where rules are: a file of them, or a section of a settings file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RulesPlace:
    """A file, and the section of it.

    Attributes:
        section: as its header names it, "" above the first one; None where the file has nothing
            but rules.
    """

    path: Path
    section: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.section is None else f"{self.path} [{self.section}]"

    def __fspath__(self) -> str:
        return str(self.path)
