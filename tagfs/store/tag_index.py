"""An index of tags that a service keeps itself: what can be asked, and what is answered.

It is never the truth: it lags behind the bucket, by how much nobody tells. What it names are
candidates, whose own tags decide; what it has not heard of yet is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagSet


@dataclass(frozen=True, slots=True)
class TagEquals:
    """There is such a tag, with this value."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class TagBegins:
    """There is such a tag, and its value begins so."""

    key: str
    start: str


@dataclass(frozen=True, slots=True)
class HasTags:
    """There are tags at all."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of these hold; of none, anything does."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of these holds."""

    parts: tuple["Condition", ...]


Condition = TagEquals | TagBegins | HasTags | AllOf | AnyOf

ANYTHING: Final = AllOf(())


@dataclass(frozen=True, slots=True)
class IndexState:
    """How an index is.

    Attributes:
        answers: whether it can be asked at all.
        complete: whether all objects have been taken in once; else it is still being built.
        state: the service's words.
    """

    answers: bool
    complete: bool
    state: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """An object and its tags, as the index has them."""

    info: ObjectInfo
    tags: TagSet


class TagIndex(Protocol):
    """The index of one bucket."""

    def state(self) -> IndexState | None:
        """Say how the index is; None if the bucket has none. One request.

        Raises:
            AccessDenied
        """
        ...

    def find(self, prefix: str, condition: Condition) -> Iterator[Indexed]:
        """Yield what the index has below a prefix that meets a condition.

        Raises:
            Unsupported: the bucket has none.
            AccessDenied
        """
        ...
