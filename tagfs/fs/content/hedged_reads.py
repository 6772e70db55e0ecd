"""Reads that are asked a second time where the first answer takes unusually long.

Of a hundred reads of an object store one takes many times as long as the others, and the same read
asked again is mostly answered at once ("hedged requests", Dean and Barroso, The Tail at Scale,
2013). What is unusual is measured here: the 99th percentile of what this mount's own reads took.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from threading import Lock
from typing import Final, Protocol, TypeVar

from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.store.objects import Content, ObjectInfo, ObjectType

T = TypeVar("T")

SAMPLES: Final = 256
"""Reads of about one size that are measured before any is asked twice."""

WINDOW: Final = 1024
"""Reads whose times are remembered: the last ones."""

LEAST: Final = 0.05
"""Seconds before which no read is asked a second time."""

SHARE: Final = 0.02
"""Second requests for each read, on average: what hedging may cost a service that is ill."""

AT_ONCE: Final = 4
"""Second requests that may be made in a row, if there were none for long."""


class Readable(Protocol):
    """What a reader asks; see `ObjectReads` and `RemoteCache`."""

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return bytes of an object."""
        ...

    def head(
        self, key: str, *, expected: ObjectType | None = None, max_age: float | None = None
    ) -> ObjectInfo:
        """Describe an object."""
        ...


class ManyReadable(Readable, Protocol):
    """The same, of which small contents are asked for together."""

    def get_many(self, sizes: Mapping[str, int]) -> Mapping[str, Content]:
        """Return the content of several small objects."""
        ...


class _Times:
    """How long reads of about one size took, in seconds."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque(maxlen=WINDOW)
        self._since = 0
        self._unusual: float | None = None

    def add(self, seconds: float) -> None:
        self._taken.append(seconds)
        self._since += 1
        if len(self._taken) >= SAMPLES and self._since >= SAMPLES // 8:
            self._since = 0
            ordered = sorted(self._taken)
            self._unusual = max(LEAST, ordered[len(ordered) * 99 // 100])

    @property
    def unusual(self) -> float | None:
        """Seconds that one of a hundred takes longer than; None while too few are known."""
        return self._unusual


class HedgedReads:
    """Which reads of a mount are asked a second time. Thread-safe.

    A second request is one like any other: it waits for its place among those that may be in flight
    and for the limits of the mount, and its bytes are taken from the budget of memory.
    """

    def __init__(
        self, executor: Executor, budget: MemoryBudget, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`executor` has threads of its own: whoever asks waits for one of them."""
        self._executor = executor
        self._budget = budget
        self._now = now
        self._lock = Lock()
        self._times: dict[int, _Times] = {}
        self._allowance = float(AT_ONCE)
        self._asked = self._won = 0

    def state(self) -> dict[str, int]:
        """Return what the status tells."""
        return {"hedged_reads": self._asked, "hedged_reads_won": self._won}

    def of(self, bucket: ManyReadable) -> ManyReadable:
        """Return what reads a bucket so."""
        return _Hedged(bucket, self)

    def read(self, size: int, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, of which `size` bytes are expected; raises as it does."""
        times = self._times_of(size)
        patience = times.unusual
        if patience is None:
            return self._measured(times, ask)
        first = self._executor.submit(self._measured, times, ask)
        try:
            return first.result(patience)
        except TimeoutError:
            if first.done() or not self._may_ask_again(size):
                return first.result()
        second = self._executor.submit(ask)
        second.add_done_callback(lambda _: self._budget.give_back(size))
        return self._first_answer(first, second)

    def _times_of(self, size: int) -> _Times:
        """Return the times of reads that are at most four times as large or as small."""
        with self._lock:
            return self._times.setdefault(size.bit_length() // 2, _Times())

    def _measured(self, times: _Times, ask: Callable[[], T]) -> T:
        begin = self._now()
        content = ask()
        with self._lock:
            times.add(self._now() - begin)
            self._allowance = min(self._allowance + SHARE, AT_ONCE)
        return content

    def _may_ask_again(self, size: int) -> bool:
        if not self._budget.has_room(size):
            return False
        with self._lock:
            if self._allowance < 1:
                return False
            self._allowance -= 1
            self._asked += 1
        self._budget.take(size)
        return True

    def _first_answer(self, first: Future[T], second: Future[T]) -> T:
        """Return the answer that comes first; an error only if both fail, the first one's.

        The other is read to its end, as a connection can be used again only then, and dropped.
        """
        done, _ = wait((first, second), return_when=FIRST_COMPLETED)
        early = first if first in done else second
        if early.exception() is not None:
            early = second if early is first else first
            if early.exception() is not None:
                return first.result()
        with self._lock:
            self._won += early is second
        return early.result()


class _Hedged:
    """A bucket whose reads may be asked twice."""

    def __init__(self, bucket: ManyReadable, hedged: HedgedReads) -> None:
        self._bucket = bucket
        self._hedged = hedged

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, if_match: str | None = None
    ) -> Content:
        """Return bytes of an object; raises as the bucket."""
        if length is None:
            return self._bucket.get(key, start, length, if_match=if_match)
        return self._hedged.read(
            length, lambda: self._bucket.get(key, start, length, if_match=if_match)
        )

    def get_many(self, sizes: Mapping[str, int]) -> Mapping[str, Content]:
        """Return several contents; all are asked for a second time, as one read."""
        return self._hedged.read(sum(sizes.values()), lambda: self._bucket.get_many(sizes))

    def head(
        self, key: str, *, expected: ObjectType | None = None, max_age: float | None = None
    ) -> ObjectInfo:
        """Describe an object; raises as the bucket."""
        return self._bucket.head(key, expected=expected, max_age=max_age)
