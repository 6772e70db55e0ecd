"""Older answers on their way into the cache, and who sees what is written meanwhile.

A listing, or what the long-term memory has of many keys, tells what was true before: it must not
be taken in over what has happened since.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Witness:
    """Sees what is written or forgotten.

    Attributes:
        keys: of which no older answer counts.
        forgets: whether that is so of all.
    """

    keys: set[str] = field(default_factory=set)
    forgets: bool = False

    def saw(self, key: str) -> bool:
        """Say whether an older answer about a key is not to be taken in."""
        return self.forgets or key in self.keys


class Witnesses:
    """All that look on now; `lock` guards them, and is the cache's."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._present: list[Witness] = []

    @contextmanager
    def watching(self) -> Iterator[Witness]:
        """Return what sees all that happens until the end of the block (not under the lock)."""
        witness = Witness()
        with self._lock:
            self._present.append(witness)
        try:
            yield witness
        finally:
            with self._lock:
                self._present.remove(witness)

    def saw_all(self, keys: Iterable[str]) -> None:
        """Note that keys were written, or that nothing is known of them (under the lock)."""
        for witness in self._present:
            witness.keys.update(keys)

    def forget(self) -> None:
        """Note that all that was asked for before is to be forgotten (under the lock)."""
        for witness in self._present:
            witness.forgets = True
