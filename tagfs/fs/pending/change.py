"""One change that waits: what is changed, how, when it is due, and how far it is."""

import enum
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final


class Kind(enum.Enum):
    """What is done for a subject; the value says what it is until then."""

    DELETE = "unlinked, but not deleted"
    ATTRIBUTES = "mode, owner and times not set"
    UPLOAD = "not uploaded"
    SYNC = "not safe from a power cut"


LOCAL: Final = frozenset({Kind.SYNC})
"""What is done to files of this host: it goes on while all that is due to the bucket is made."""


class State(enum.Enum):
    """How far a change is; only one that is WAITING can be claimed.

    ENDING: it was made, cancelled or given up, and gives back what it holds. Then it is OVER.
    """

    WAITING = enum.auto()
    RUNNING = enum.auto()
    ENDING = enum.auto()
    OVER = enum.auto()


def never(_error: Exception) -> bool:
    """Say that a failed change is always worth another try."""
    return False


def nothing() -> None:
    """Hold nothing."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a change does.

    Attributes:
        apply: makes the service have it; raises if it does not.
        is_final: says of a failure whether trying again is of no use.
        acquire: takes what the change needs until it is over; called under the queue's lock as it
            begins to wait, so it is brief.
        release: gives that back; called once, when the change is over, whichever way.
    """

    apply: Callable[[], None]
    is_final: Callable[[Exception], bool] = never
    acquire: Callable[[], None] = nothing
    release: Callable[[], None] = nothing


@dataclass(slots=True, eq=False)
class Change:
    """One change that is still to be made.

    Attributes:
        subject: what is changed: a path, or what knows its own.
        due: when it is to begin (of the clock, seconds).
        again: when it is to begin once more, asked for while it ran.
        failures: one after the other.
    """

    subject: Hashable
    kind: Kind
    work: Work
    due: float
    state: State = State.WAITING
    again: float | None = None
    failures: int = 0

    @property
    def waits(self) -> bool:
        """Whether it can still be begun when its time has come."""
        return self.state is State.WAITING

    @property
    def is_busy(self) -> bool:
        """Whether a thread has it: it can neither be claimed nor added to."""
        return self.state in (State.RUNNING, State.ENDING)

    @property
    def path(self) -> str:
        """Where the subject is now."""
        return str(getattr(self.subject, "path", self.subject))
