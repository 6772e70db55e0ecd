"""The times that a cache goes by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.versions import is_settled

_SECOND_NS: Final = 1_000_000_000


@dataclass(slots=True)
class CacheClock:
    """The times that a cache goes by, in seconds and (`wall`) in nanoseconds since the epoch.

    Those for which it may remember (`ttl`, `tag_ttl`, `negative_ttl`) may change at any time.
    """

    ttl: float
    tag_ttl: float
    negative_ttl: float
    monotonic: Callable[[], float]
    wall: Callable[[], int]

    def oldest(self, max_age: float | None = None) -> float:
        """Return the moment before which an answer is too old."""
        age = self.ttl if max_age is None else min(self.ttl, max_age)
        return self.monotonic() - age

    def oldest_absence(self, max_age: float | None = None) -> float:
        """Return the same for the answer that nothing is there."""
        return max(self.oldest(max_age), self.monotonic() - self.negative_ttl)

    def oldest_tags(self, max_age: float | None = None) -> float:
        """Return the same for tags."""
        age = self.tag_ttl if max_age is None else min(self.tag_ttl, max_age)
        return self.monotonic() - age

    def oldest_flight(self, max_age: float | None, ttl: float) -> float:
        """Return the moment before which a call under way began too early to wait for it."""
        return self.monotonic() - (max(ttl, FRESH_WITHIN) if max_age is None else max_age)

    def settled(self, modified_ns: int, asked_at: float) -> bool:
        """Say whether a change after `asked_at` must move an object's Last-Modified on."""
        passed = int((self.monotonic() - asked_at) * _SECOND_NS)
        return is_settled(modified_ns, self.wall() - passed)
