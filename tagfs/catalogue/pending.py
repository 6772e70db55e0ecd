"""What was learnt and is not written yet: taken in at once, and seen by who reads meanwhile."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tagfs.catalogue.facts import Fact, apply, merge
from tagfs.catalogue.rows import Known

MAX_PENDING: Final = 200_000
"""Keys that wait to be written; beyond that, what was learnt is given up."""


@dataclass(slots=True)
class Batch:
    """Facts by key; before them go all keys that begin with one of `prefixes`."""

    facts: dict[str, Fact] = field(default_factory=dict)
    prefixes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.facts or self.prefixes)

    def apply(self, key: str, stored: Known | None) -> Known | None:
        """Return what is known of a key when this is written."""
        if self.prefixes and any(key.startswith(prefix) for prefix in self.prefixes):
            stored = None
        return apply(stored, self.facts.get(key))


class PendingFacts:
    """Thread-safe; nobody who adds something ever waits for the disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = Batch()
        self._current = Batch()
        self.lost = False

    def __len__(self) -> int:
        return len(self._next.facts) + len(self._next.prefixes)

    def add(self, fact: Fact) -> None:
        """Take in one fact."""
        key = fact.known.key
        with self._lock:
            if len(self._next.facts) >= MAX_PENDING:
                self.lost = True
                self._next = Batch()
            self._next.facts[key] = merge(self._next.facts.get(key), fact)

    def drop_prefix(self, prefix: str) -> None:
        """Know nothing any more of all keys that begin with `prefix`."""
        with self._lock:
            facts = self._next.facts
            for key in [key for key in facts if key.startswith(prefix)]:
                del facts[key]
            self._next.prefixes.append(prefix)

    def take(self) -> Batch:
        """Return what is to be written now; until `written` it is seen by readers."""
        with self._lock:
            self._current, self._next = self._next, Batch()
            return self._current

    def written(self) -> None:
        """Say that the file has what was taken."""
        with self._lock:
            self._current = Batch()

    def apply(self, keys: Sequence[str], stored: dict[str, Known]) -> dict[str, Known]:
        """Return what is known of keys, by what is stored and by what waits."""
        found = {}
        with self._lock:
            for key in keys:
                known = self._next.apply(key, self._current.apply(key, stored.get(key)))
                if known is not None:
                    found[key] = known
        return found
