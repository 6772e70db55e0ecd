"""What a check found: it is well, it may hurt, or it fails; and what to do."""

import enum
from dataclasses import dataclass
from typing import Any


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        check: what was looked at: "dns", "right to put".
        detail: what was found.
        advice: what to do, "" if nothing.
    """

    check: str
    level: Level
    detail: str
    advice: str = ""

    def __str__(self) -> str:
        advice = f": {self.advice}" if self.advice else ""
        return f"{self.level:<8} {self.check}: {self.detail}{advice}"

    def as_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "check": self.check,
            "level": self.level.lower(),
            "detail": self.detail,
            "advice": self.advice or None,
        }


def ok(check: str, detail: str) -> Finding:
    """Return that it is well."""
    return Finding(check, Level.OK, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    """Return that it may hurt."""
    return Finding(check, Level.WARNING, detail, advice)


def fail(check: str, detail: str, advice: str) -> Finding:
    """Return that it fails."""
    return Finding(check, Level.FAIL, detail, advice)
