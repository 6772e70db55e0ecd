"""Calls under way, so that callers who ask the same at the same time share one answer.

Owns no lock for its bookkeeping: the owner of the `CallTable` calls every method but `wait` and
`land` under one lock, and lands a flight after it has ended it. A flight also learns that
something was written while it was under way: its answer may be older than that, so it is given to
no later caller and not remembered.
"""

import threading
from typing import Generic, TypeVar, cast

T = TypeVar("T")
Slot = tuple[str, str]
"""What is asked, and of which key."""


class Call(Generic[T]):
    """One call under way.

    Attributes:
        began: when it was made, on the owner's clock.
        shared: whether others may wait for its answer.
        spoiled: whether what it asks about was written since it began.
    """

    __slots__ = ("_done", "_error", "_result", "began", "invalid", "shared")

    def __init__(self, began: float, *, shared: bool) -> None:
        self.began = began
        self.shared = shared
        self.invalid = False
        self._done: threading.Event | None = None  # made for the first who waits: most have none
        self._result: T | None = None
        self._error: BaseException | None = None

    def resolve(self, result: T | None = None, error: BaseException | None = None) -> None:
        """Wake all who wait, with an answer or with a failure."""
        self._result, self._error = result, error
        if self._done is not None:
            self._done.set()

    def join(self) -> None:
        """Be one of those who wait."""
        if self._done is None:
            self._done = threading.Event()

    def wait(self) -> T:
        """Return the answer when it is there, or raise the failure; only after `join`."""
        if self._done is not None:
            self._done.wait()
        if self._error is not None:
            raise self._error
        return cast("T", self._result)  # land() was called without an error


class CallTable:
    """All calls under way."""

    def __init__(self) -> None:
        self._active: dict[Slot, list[Call[object]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._active.values()))

    def find(self, slot: Slot, oldest: float) -> Call[object] | None:
        """Return a call to share that began after `oldest`, to be waited for."""
        for flight in reversed(self._active.get(slot, ())):
            if flight.shared and not flight.invalid and flight.began > oldest:
                flight.join()
                return flight
        return None

    def begin(self, slot: Slot, now: float, *, shared: bool = True) -> Call[object]:
        """Note a call that is about to be made."""
        flight: Call[object] = Call(now, shared=shared)
        self._active.setdefault(slot, []).append(flight)
        return flight

    def end(self, slot: Slot, flight: Call[object]) -> None:
        """Drop a call that came back."""
        flights = self._active[slot]
        flights.remove(flight)
        if not flights:
            del self._active[slot]

    def invalidate(self, slot: Slot) -> None:
        """Note that what the calls of a slot ask about is being, or has been, written."""
        for flight in self._active.get(slot, ()):
            flight.invalid = True

    def invalidate_prefix(self, prefix: str) -> None:
        """Invalidate the calls about all keys that begin with `prefix`, or that lie above it."""
        for (_, key), flights in self._active.items():
            if key.startswith(prefix) or prefix.startswith(key):
                for flight in flights:
                    flight.invalid = True
