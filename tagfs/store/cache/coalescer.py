"""How a cache asks and how it writes: the lock, the ages and the calls under way.

Knows no bucket: what to call comes as a function. The lock guards everything here and is never
held while such a function runs.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, cast

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
from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.cache.entries import UNKNOWN, EntryStore, Unknown
from tagfs.store.cache.listings import Listing
from tagfs.store.cache.shared_scan import SharedScan, TooLarge
from tagfs.store.objects import Lookup, ObjectInfo, Page
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

_SECOND_NS = 1_000_000_000
_SETTLED_NS = 2 * _SECOND_NS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CacheClock:
    """The times that a cache goes by, in seconds and (`wall`) in nanoseconds since the epoch."""

    ttl: float
    tag_ttl: float
    monotonic: Callable[[], float]
    wall: Callable[[], int]

    def oldest(self, max_age: float | None = None) -> float:
        """Return the moment before which an answer is too old."""
        age = self.ttl if max_age is None else min(self.ttl, max_age)
        return self.monotonic() - age

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
        return self.wall() - passed - modified_ns >= _SETTLED_NS


def _is_denial(error: BaseException) -> bool:
    return isinstance(error, AccessDenied) and not isinstance(error, BadCredentials)


class Coalescer:
    """What a cache remembers, guarded by `lock`, with counts of how it fares."""

    def __init__(self, clocks: CacheClock, known: EntryStore, max_listing: int) -> None:
        self.lock: Final = threading.Lock()
        self.clocks: Final = clocks
        self.known: Final = known
        self.flights: Final = CallTable()
        self.hits = self.misses = self.coalesced = 0
        self._max_listing = max_listing
        self._scans: dict[str, SharedScan] = {}
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
                    self.hits += 1
                    return found
                self._recall_denial(slot, window())
                flight = self.flights.find(slot, window())
                leads = flight is None
                if flight is None:
                    flight = self.flights.begin(slot, self.clocks.monotonic())
                self.misses += leads
                self.coalesced += not leads
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
            self.misses += len(flights)
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
            self.hits += 1
            raise AccessDenied(kept[1])

    def _keep_denial(self, slot: Slot, reason: str, at: float) -> None:
        if len(self._denials) >= MAX_DENIALS:
            self._denials.clear()
        self._denials[slot] = at, reason

    def record(self, key: str, info: ObjectInfo | None, at: float) -> None:
        """Remember what HEAD or GET reported (under the lock)."""
        settled = info is not None and self.clocks.settled(info.last_modified_ns, at)
        self.known.record_read(key, info, at, settled=settled)

    def record_lookup(self, key: str, found: Lookup, at: float) -> None:
        """Remember what the service reported of one path (under the lock)."""
        self.record(key, found.info, at)
        if found.is_prefix:
            self.record(f"{key}/", found.marker, at)
        self.known.record_directory(key, at, exists=found.is_prefix)

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
        self.known.invalidate(key, self.clocks.oldest())

    def invalidate_prefix(self, prefix: str) -> None:
        """Know nothing any more of all keys that begin with `prefix` (under the lock)."""
        self.known.invalidate_prefix(prefix)
        self._denials.clear()
        self.flights.invalidate_prefix(prefix)

    def _end_write(self, keys: Sequence[str], flights: Sequence[Call[object]]) -> None:
        for key, flight in zip(keys, flights, strict=True):
            self.flights.end(("write", key), flight)
        self._invalidate_calls(keys)

    def _invalidate(self, keys: Sequence[str], invalidate: Callable[[str], None] | None) -> None:
        for key in keys:
            (invalidate or self.invalidate)(key)

    def _invalidate_calls(self, keys: Sequence[str]) -> None:
        for key in keys:
            for kind in ("write", "head", "tags", "lookup"):
                self.flights.invalidate((kind, key))
                self._denials.pop((kind, key), None)
            at = key.find("/")
            while at >= 0:
                self.flights.invalidate(("lookup", key[:at]))
                at = key.find("/", at + 1)

    # Scanning

    def shared_scan(
        self, prefix: str, begin: Callable[[], Iterator[Page]]
    ) -> Iterator[Page | TooLarge]:
        """Yield the pages of a scan, begun now or under way; remember it when it is complete.

        An `TooLarge` is the last: the directory is too large, and the reader must go on by itself.
        """
        scan = self._join_scan(prefix, begin)
        reader = object()
        try:
            index = 0
            while (page := scan.page(index, reader, self._max_listing)) is not None:
                if scan.complete and not scan.kept:
                    self._keep_scan(scan)
                yield page
                if isinstance(page, TooLarge):
                    return
                index += 1
        finally:
            self._leave_scan(scan)

    def _join_scan(self, prefix: str, begin: Callable[[], Iterator[Page]]) -> SharedScan:
        with self.lock:
            scan = self._scans.get(prefix)
            oldest = self.clocks.oldest_flight(None, self.clocks.ttl)
            if scan and not scan.closed and not scan.growing.touched and scan.began > oldest:
                self.coalesced += 1
            else:
                self.misses += 1
                growing = self.known.listings.grow(prefix)
                scan = SharedScan(prefix, self.clocks.monotonic(), begin(), growing)
                self._scans[prefix] = scan
            scan.users += 1
            return scan

    def _keep_scan(self, scan: SharedScan) -> None:
        rows = scan.rows()
        with self.lock:
            if scan.kept:
                return
            scan.kept = True
            self._drop_scan(scan)
            if self.clocks.ttl > 0 and not scan.growing.invalid:
                scan.growing.settle(rows)
                self.known.listings.keep(
                    scan.prefix, Listing(scan.began, rows, scan.growing.unknown)
                )

    def _leave_scan(self, scan: SharedScan) -> None:
        with self.lock:
            scan.users -= 1
            abandoned = scan.users == 0
            if abandoned:
                self._drop_scan(scan)
        if abandoned:
            scan.close()

    def _drop_scan(self, scan: SharedScan) -> None:
        self.known.listings.stop(scan.prefix, scan.growing)
        if self._scans.get(scan.prefix) is scan:
            del self._scans[scan.prefix]
