"""Keeps a log from being flooded: repeats of one fact are counted, and logged once a minute.

Two lines are the same fact if they differ only in names, numbers and request ids.
"""

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

BURST = 10
"""Lines of one fact that are written within a window before the rest is only counted."""
WINDOW = 60.0
"""Seconds."""
MANY = 512
"""Facts that are counted at a time; the oldest is logged and goes when there are more."""

_VARIABLE = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""  # names as repr() writes them
    r"|request id \S+"
    r"|^/.*?(?=: )"  # a path that begins a line
    r"|\S*/\S*"  # paths and URLs
    r"|[0-9a-fA-F]*\d[0-9a-fA-F]*"
)


@dataclass(slots=True)
class _Message:
    """How often one fact came since `since`, and the last line of it that was not written."""

    since: float
    count: int = 0
    last: logging.LogRecord | None = None

    @property
    def unsaid(self) -> int:
        return max(0, self.count - BURST)


def fact_of(record: logging.LogRecord) -> tuple[str, int, str]:
    """Return what a line is about, without what differs between two of its kind."""
    return record.name, record.levelno, _VARIABLE.sub("?", record.getMessage())


class DeduplicatingHandler(logging.Handler):
    """Passes lines on to another handler, but not the eleventh of one fact within a minute.

    Lines for debugging and those that say `each` (in `extra`) pass always. `clock` is in monotonic
    seconds.
    """

    def __init__(
        self,
        target: logging.Handler,
        clock: Callable[[], float] = time.monotonic,
        *,
        window: float = WINDOW,
    ) -> None:
        super().__init__()
        self.target = target
        self._clock = clock
        self._window = window
        self._facts: OrderedDict[tuple[str, int, str], _Message] = OrderedDict()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line or count it."""
        self._write_old()
        if record.levelno <= logging.DEBUG or getattr(record, "each", False):
            self.target.handle(record)
            return
        key = fact_of(record)
        fact = self._facts.get(key)
        if fact is None:
            fact = self._facts[key] = _Message(self._clock())
            if len(self._facts) > MANY:
                self._write_repeats(self._facts.popitem(last=False)[1])
        fact.count += 1
        if fact.count <= BURST:
            self.target.handle(record)
        else:
            fact.last = record
            self._wake()

    def write_repeats(self) -> None:
        """Write what was only counted so far."""
        with self.lock or threading.RLock():
            facts, self._facts = self._facts, OrderedDict()
            for fact in facts.values():
                self._write_repeats(fact)

    def close(self) -> None:
        """Write what was only counted, and close the other handler."""
        self.write_repeats()
        if self._timer is not None:
            self._timer.cancel()
        self.target.close()
        super().close()

    def flush(self) -> None:
        """Flush the other handler."""
        self.target.flush()

    def _write_old(self) -> None:
        limit = self._clock() - self._window
        while self._facts:
            key, fact = next(iter(self._facts.items()))
            if fact.since > limit:
                break
            del self._facts[key]
            self._write_repeats(fact)

    def _write_repeats(self, fact: _Message) -> None:
        last = fact.last
        if last is None:
            return
        record = logging.makeLogRecord(last.__dict__)
        more = fact.unsaid - 1
        seconds = self._clock() - fact.since
        span = "minute" if seconds >= WINDOW else f"{max(1, round(seconds))} s"
        tail = f" (... and {more:,} more like it in the last {span})" if more else ""
        record.msg, record.args = last.getMessage() + tail, None
        self.target.handle(record)

    def _wake(self) -> None:
        """See to it that counted lines are logged even if nothing else is ever logged."""
        if self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(self._window, self._timed)
            self._timer.daemon = True
            self._timer.start()

    def _timed(self) -> None:
        with self.lock or threading.RLock():
            self._timer = None
            self._write_old()
            if any(fact.last is not None for fact in self._facts.values()):
                self._wake()
