"""The progress file of a restore: which blocks of a dump are done, so that nothing is done twice.

Its first line says which dump it belongs to and how that is restored; each further one is the
number of a block. Lines are written at once and put on the disk several times a second.
"""

import json
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from tagfs.errors import SettingsError
from tagfs.localfiles.append_log import DurableLines

SYNC: Final = 0.25
"""Seconds of work that a power failure may let be done again."""

AHEAD: Final = 1_000_000
"""Blocks that may be done before one that comes earlier in the dump."""

_DIGITS: Final = 18


class ProgressFile(AbstractContextManager["ProgressFile"]):
    """Remembers what is done. `add` is thread-safe.

    Args:
        purpose: what is restored, and how; another purpose's file is refused.
    """

    def __init__(self, path: Path, purpose: Mapping[str, Any]) -> None:
        self.path = path
        self._done = bytearray()
        self._lines = DurableLines(path, exclusive=True)
        self._lock = threading.Lock()
        self._synced = time.monotonic()
        try:
            self._load(json.dumps(purpose, sort_keys=True))
        except SettingsError:
            self._lines.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._lines.close()

    def __contains__(self, number: int) -> bool:
        return number < len(self._done) and bool(self._done[number])

    def add(self, number: int) -> None:
        """Remember that a block is done."""
        self._lines.note(b"%d" % number)
        with self._lock:
            due = time.monotonic() - self._synced > SYNC
            if due:
                self._synced = time.monotonic()
        if due:
            self._lines.sync()

    def finish(self) -> None:
        """Delete the file: there is nothing left to do."""
        self.path.unlink(missing_ok=True)

    def _load(self, purpose: str) -> None:
        with self.path.open("rb") as file:
            first = file.readline().strip()
            if not first:
                self._lines.append(purpose.encode())
                return
            if first != purpose.encode():
                raise SettingsError(
                    f"{self.path} tells of another restore: finish that one, or delete the file"
                )
            for line in file:
                if (text := line.strip()).isdigit() and len(text) <= _DIGITS:
                    self._mark(int(text))

    def _mark(self, number: int) -> None:
        if number > len(self._done) + AHEAD:
            return  # no line of ours
        if number >= len(self._done):
            self._done.extend(bytes(number + 1 - len(self._done)))
        self._done[number] = 1
