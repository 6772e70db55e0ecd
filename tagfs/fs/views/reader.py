"""What directories of views show: read of the catalogue, and held while links are followed."""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cachetools import LRUCache

from tagfs.catalogue import query
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.expression import And, Expression
from tagfs.fs.clock import Clock
from tagfs.fs.mapping.paths import Root
from tagfs.fs.views.view_paths import unique_names

T = TypeVar("T")

HELD: Final = 5.0
"""Seconds for which what was read is held."""

ABSENT: Final = 1.0
"""Seconds for which something that it does not show is taken to be absent."""

SHARE: Final = 10
"""How many times as long as it took to read: of very many links, most time is for following."""

MANY: Final = 200_000
"""Names that are held; a directory of more is held alone."""


class ViewReader:
    """Reads what a mount shows by tags. Thread-safe.

    Args:
        only: what the mount shows at all; None: everything.
    """

    def __init__(
        self, catalogue: Catalogue, root: Root, only: Expression | None, clock: Clock
    ) -> None:
        self._catalogue = catalogue
        self._root = root
        self._only = only
        self._links: _HeldNames[str] = _HeldNames(clock)
        self._words: _HeldNames[set[str]] = _HeldNames(clock)

    def links(self, wanted: Expression, name: str | None = None) -> Mapping[str, str]:
        """Return the paths of what matches, by names that differ: as of now, or good for `name`."""
        return self._links.get(wanted, lambda: self._read_links(wanted), name)

    def vocabulary(self, key: str | None = None) -> Mapping[str, set[str]]:
        """Return all keys of tags, and the values of each: as of now, or good for `key`."""
        return self._words.get("", self._read_vocabulary, key)

    def _read_links(self, wanted: Expression) -> Mapping[str, str]:
        both = wanted if self._only is None else And(wanted, self._only)
        keys = query.find_keys(self._catalogue, self._root.prefix, both)
        paths = (path for key in keys if (path := self._root.to_path(key)) is not None)
        return unique_names(list(dict.fromkeys(paths)))

    def _read_vocabulary(self) -> Mapping[str, set[str]]:
        return query.vocabulary(self._catalogue, self._root.prefix, self._only)


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    began: float
    read: float
    names: Mapping[str, T]

    def is_good(self, name: str, now: float) -> bool:
        most = HELD if name in self.names else ABSENT
        return now - self.read < max(most, SHARE * (self.read - self.began))


class _HeldNames(Generic[T]):
    """Tables of names; who asks for one that is being read waits for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._held: LRUCache[Hashable, _Held[T]] = LRUCache(
            MANY, getsizeof=lambda held: min(len(held.names) + 1, MANY)
        )

    def get(
        self, slot: Hashable, read: Callable[[], Mapping[str, T]], name: str | None
    ) -> Mapping[str, T]:
        """Return a table that was read just now, or not too long ago to look for `name`."""
        asked = self._clock()
        held = self._find(slot)
        if held is not None and name is not None and held.is_good(name, asked):
            return held.names
        with self._reading:
            held = self._find(slot)
            if held is None or held.began < asked:
                began = self._clock()
                names = read()
                held = _Held(began, self._clock(), names)
                with self._lock:
                    self._held[slot] = held
        return held.names

    def _find(self, slot: Hashable) -> _Held[T] | None:
        with self._lock:
            return self._held.get(slot)
