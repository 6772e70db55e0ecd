"""How a cache asks and how it writes: the lock, the ages and the calls under way.

Knows no bucket: what to call comes as a function. The lock guards everything here and is never
held while such a function runs.
"""

import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

from cachetools import LRUCache

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    FileTooLarge,
    Interrupted,
    InvalidRequest,
    InvalidTag,
    NameTooLong,
    Unsupported,
    ValueTooLarge,
)
from tagfs.store.cache.cache_clock import CacheClock
from tagfs.store.cache.counts import CacheCounts
from tagfs.store.cache.entries import EntryStore
from tagfs.store.cache.entry import UNKNOWN, Unknown
from tagfs.store.cache.witnesses import Witnesses
from tagfs.store.objects import Lookup, ObjectInfo
from tagfs.store.single_flight import Call, CallTable, Slot

# Refused before anything was done, and no word about what is there.
_HARMLESS = (
    AccessDenied,
    FileTooLarge,
    InvalidRequest,
    InvalidTag,
    NameTooLong,
    Unsupported,
    ValueTooLarge,
)
MAX_DENIALS: Final = 100_000
"""Refused questions that are remembered."""

ANNOTATED: Final = 1000
"""Objects whose annotations are remembered."""

T = TypeVar("T")


@dataclass(slots=True)
class KnownAnnotations:
    """What is remembered of the annotations of one object.

    Attributes:
        at: when the names were asked for.
        sizes: sizes by name; None if nobody asked.
        values: what was just read, and when.
    """

    at: float = 0.0
    sizes: Mapping[str, int] | None = None
    values: Mapping[str, tuple[float, bytes]] = field(default_factory=dict)


def _is_denial(error: BaseException) -> bool:
    return isinstance(error, AccessDenied) and not isinstance(error, BadCredentials)


class Coalescer:
    """What a cache remembers, guarded by `lock`, with counts of how it fares."""

    def __init__(self, clocks: CacheClock, known: EntryStore) -> None:
        self.lock: Final = threading.Lock()
        self.clocks: Final = clocks
        self.known: Final = known
        self.flights: Final = CallTable()
        self.counts: Final = CacheCounts()
        self.annotations: Final[MutableMapping[str, KnownAnnotations]] = LRUCache(ANNOTATED)
        self.witnesses: Final = Witnesses(self.lock)
        self._denials: dict[Slot, tuple[float, str]] = {}

    # Asking

    def get_or_fetch(
        self,
        slot: Slot,
        recall: Callable[[], T | Unknown],
        ask: Callable[[], T],
        keep: Callable[[T, float], None],
        window: Callable[[], float],
    ) -> T:
        """Return what is remembered, or what a call under way brings, or ask.

        `recall`, `keep` and `window` run under the lock; `window` tells the moment before which a
        call under way began too early.
        """
        while True:
            with self.lock:
                found = recall()
                if found is not UNKNOWN:
                    self.counts.hits += 1
                    return found
                self._recall_denial(slot, window())
                flight = self.flights.find(slot, window())
                leads = flight is None
                if flight is None:
                    flight = self.flights.begin(slot, self.clocks.monotonic())
                self.counts.misses += leads
                self.counts.coalesced += not leads
            if leads:
                return self._lead(slot, flight, ask, keep)
            try:
                return cast("T", flight.wait())  # a slot has one type of answer
            except Interrupted:
                continue  # it was the other caller who was interrupted

    def fetch_many(
        self,
        kind: str,
        keys: Sequence[str],
        recall: Callable[[str], object],
        ask: Callable[[Sequence[str]], Mapping[str, T]],
        keep: Callable[[str, T, float], None],
    ) -> Mapping[str, T]:
        """Ask for what is neither remembered nor under way, and return it.

        Who asks meanwhile for one waits, and asks itself for what `ask` leaves out. `recall` and
        `keep` run under the lock.
        """
        flights: dict[str, Call[object]] = {}
        with self.lock:
            oldest = self.clocks.oldest_flight(None, self.clocks.ttl)
            for key in keys:
                if recall(key) is UNKNOWN and self.flights.find((kind, key), oldest) is None:
                    flights[key] = self.flights.begin((kind, key), self.clocks.monotonic())
            self.counts.misses += len(flights)
        found: Mapping[str, T] = {}
        try:
            if flights:
                found = ask(list(flights))
        finally:
            with self.lock:
                for key, flight in flights.items():
                    self.flights.end((kind, key), flight)
                    if key in found and not flight.invalid:
                        keep(key, found[key], flight.began)
            for key, flight in flights.items():
                if key in found:
                    flight.resolve(found[key])
                else:
                    flight.resolve(error=Interrupted(f"{key}: to be asked for singly"))
        return found

    def _lead(
        self,
        slot: Slot,
        flight: Call[object],
        ask: Callable[[], T],
        keep: Callable[[T, float], None],
    ) -> T:
        try:
            result = ask()
        except BaseException as error:
            with self.lock:
                self.flights.end(slot, flight)
                if _is_denial(error) and not flight.invalid:
                    self._keep_denial(slot, str(error), flight.began)
            flight.resolve(error=error)
            raise
        with self.lock:
            self.flights.end(slot, flight)
            if not flight.invalid:
                keep(result, flight.began)
        flight.resolve(result)
        return result

    def _recall_denial(self, slot: Slot, oldest: float) -> None:
        """Raise what was answered, if not too long ago, to a question that is not allowed."""
        kept = self._denials.get(slot)
        if kept is not None and kept[0] > oldest:
            self.counts.hits += 1
            raise AccessDenied(kept[1])

    def _keep_denial(self, slot: Slot, reason: str, at: float) -> None:
        if len(self._denials) >= MAX_DENIALS:
            self._denials.clear()
        self._denials[slot] = at, reason

    def record(self, key: str, info: ObjectInfo | None, at: float) -> None:
        """Remember what HEAD or GET reported (under the lock)."""
        settled = info is not None and self.clocks.settled(info.last_modified_ns, at)
        self.known.record_read(key, info, at, settled=settled)
        if info is not None and info.detail is not None and info.detail.tags is not None:
            self.known.record_tags(key, info.detail.tags, at)

    def record_lookup(self, key: str, found: Lookup, at: float) -> None:
        """Remember what the service reported of one path (under the lock)."""
        self.record(key, found.info, at)
        if found.is_prefix:
            self.record(f"{key}/", found.marker, at)
        self.known.record_directory(key, at, exists=found.is_prefix)
        if found.listing is not None:
            self.known.listings.keep_lookup(f"{key}/", found.listing, at)

    # Writing

    def write(
        self,
        keys: Sequence[str],
        send: Callable[[], T],
        keep: Callable[[T, float], None],
        invalidate: Callable[[str], None] | None = None,
    ) -> T:
        """Write objects, and remember the result unless other writes of them were under way.

        When it has come back, whatever was asked before that may be older than it.
        `keep` and `invalidate` run under the lock; `invalidate` is called for every key when
        nobody knows what came of the write.
        """
        with self.lock:
            began = self.clocks.monotonic()
            flights = [self.flights.begin(("write", key), began, shared=False) for key in keys]
        try:
            result = send()
        except BaseException as error:
            with self.lock:
                self._end_write(keys, flights)
                if not isinstance(error, _HARMLESS):
                    self._invalidate(keys, invalidate)
            raise
        with self.lock:
            self._end_write(keys, flights)
            if any(flight.invalid for flight in flights):
                self._invalidate(keys, None)
            else:
                keep(result, began)
        return result

    def invalidate(self, key: str) -> None:
        """Know nothing of an object any more (under the lock)."""
        self.witnesses.saw_all((key,))
        self.known.invalidate(key, self.clocks.oldest(), self.clocks.monotonic())

    def invalidate_tags(self, key: str) -> None:
        """Know nothing of the tags of an object any more (under the lock)."""
        self.witnesses.saw_all((key,))
        self.known.invalidate_tags(key, self.clocks.monotonic())

    def invalidate_prefix(self, prefix: str) -> None:
        """Know nothing any more of all keys that begin with `prefix` (under the lock)."""
        self.known.invalidate_prefix(prefix)
        for key in [key for key in self.annotations if key.startswith(prefix)]:
            del self.annotations[key]
        self._denials.clear()
        self.flights.invalidate_prefix(prefix)
        self.witnesses.forget()

    def _end_write(self, keys: Sequence[str], flights: Sequence[Call[object]]) -> None:
        for key, flight in zip(keys, flights, strict=True):
            self.flights.end(("write", key), flight)
        self._invalidate_calls(keys)

    def _invalidate(self, keys: Sequence[str], invalidate: Callable[[str], None] | None) -> None:
        for key in keys:
            (invalidate or self.invalidate)(key)

    def _invalidate_calls(self, keys: Sequence[str]) -> None:
        self.witnesses.saw_all(keys)
        for key in keys:
            self.annotations.pop(key, None)
            for kind in ("write", "head", "tags", "lookup", "annotations"):
                self.flights.invalidate((kind, key))
                self._denials.pop((kind, key), None)
            at = key.find("/")
            while at >= 0:
                self.flights.invalidate(("lookup", key[:at]))
                at = key.find("/", at + 1)
