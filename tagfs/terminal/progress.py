"""How far a command is: one line of a terminal that is written over, and never left behind."""

import shutil
import time
from collections.abc import Callable
from typing import Final, TextIO

from tagfs.terminal.format import duration_text

_BETWEEN: Final = 0.1  # seconds between two looks of it
_ERASE: Final = "\r\x1b[K"


class ProgressLine:
    """The line: how many, of how many, how fast, how long still. For one thread."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._began = self._drawn = clock()
        self._done = 0
        self._total: int | None = None
        self._visible = False

    def start(self) -> None:
        """Begin to count the time."""
        self._began = self._clock()

    def expect(self, total: int) -> None:
        """Say how many there will be."""
        self._total = total

    def advance(self) -> None:
        """Count one."""
        self._done += 1
        if self._clock() - self._drawn >= _BETWEEN:
            self._draw()

    def clear(self) -> None:
        """Take the line away, so that something else can be written there."""
        if self._visible:
            self._visible = False
            self._stream.write(_ERASE)
            self._stream.flush()

    def stop(self) -> None:
        """End."""
        self.clear()

    def text(self) -> str:
        """Return what the line says."""
        passed = max(self._clock() - self._began, 1e-3)
        rate = self._done / passed
        fast = f"{rate:,.0f}/s" if rate >= 1 else f"{rate * 60:,.0f}/min"
        if self._total is None:
            return f"{self._done:,} done  {fast}"
        left = max(self._total - self._done, 0)
        words = [f"{self._done:,} of {self._total:,}", f"{self._done / max(self._total, 1):.0%}"]
        words += [fast, f"{duration_text(left / rate)} left"] if rate else []
        return "  ".join(words)

    def _draw(self) -> None:
        self._drawn = self._clock()
        self._visible = True
        width = shutil.get_terminal_size().columns
        self._stream.write(f"{_ERASE}{self.text()[: width - 1]}")
        self._stream.flush()
