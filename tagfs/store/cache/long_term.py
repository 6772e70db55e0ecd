"""What a cache may have besides its memory: answers that are kept longer than a mount lives.

A Protocol alone. Times are seconds of the cache's own clock, and may lie before it began. What
learns is called under the cache's lock and must not wait; what recalls is called without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import TagSet


@dataclass(frozen=True, slots=True)
class Recalled:
    """An object with a detail that its listing proves, and when that was read."""

    info: ObjectInfo
    detail_at: float


class LongTermMemory(Protocol):
    """Keeps answers."""

    def recall_details(self, listed: Sequence[ObjectInfo]) -> Mapping[str, Recalled]:
        """Return those of the listed objects whose detail is known, of just this version."""
        ...

    def recall_tags(self, keys: Sequence[str]) -> Mapping[str, tuple[float, TagSet]]:
        """Return tag sets that are young enough, and when each was read."""
        ...

    def tags_of(self, key: str) -> tuple[float, TagSet] | None:
        """Return the tag set that was last read, however long ago, and when; None if unknown."""
        ...

    def learn(self, info: ObjectInfo, at: float, *, settled: bool) -> None:
        """Take in an object; `settled`: any later change of it is sure to show in a listing."""
        ...

    def learn_tags(self, key: str, tags: TagSet | None, at: float) -> None:
        """Take in the tags of an object; None: nobody knows them."""
        ...

    def learn_gone(self, key: str) -> None:
        """Take in that there is no such object."""
        ...

    def distrust(self, prefix: str) -> None:
        """Recall nothing any more that was read before now of keys that begin with `prefix`."""
        ...

    def drop(self, prefix: str) -> None:
        """Know nothing any more of all keys that begin with `prefix`."""
        ...


class NoMemory:
    """A `LongTermMemory` that keeps nothing."""

    def recall_details(self, listed: Sequence[ObjectInfo]) -> Mapping[str, Recalled]:
        """Return nothing."""
        del listed
        return {}

    def recall_tags(self, keys: Sequence[str]) -> Mapping[str, tuple[float, TagSet]]:
        """Return nothing."""
        del keys
        return {}

    def tags_of(self, key: str) -> tuple[float, TagSet] | None:
        """Return nothing."""
        del key
        return None

    def learn(self, info: ObjectInfo, at: float, *, settled: bool) -> None:
        """Do nothing."""

    def learn_tags(self, key: str, tags: TagSet | None, at: float) -> None:
        """Do nothing."""

    def learn_gone(self, key: str) -> None:
        """Do nothing."""

    def distrust(self, prefix: str) -> None:
        """Do nothing."""

    def drop(self, prefix: str) -> None:
        """Do nothing."""
