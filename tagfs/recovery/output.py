"""How recovery speaks: lines for people and scripts, a progress bar on a terminal."""

import sys
from contextlib import ExitStack
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class Output:
    """Lines on stdout, trouble on stderr, and a bar on a terminal. Thread-safe."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._out = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False)
        self._err = Console(file=sys.stderr, soft_wrap=True, highlight=False, markup=False)
        self._progress = Progress(
            TextColumn("recovering"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._err,
            disable=not self._err.is_terminal,
        )
        self._task = self._progress.add_task("", total=0)

    def __enter__(self) -> Self:
        self._stack.enter_context(self._progress)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def say(self, line: str) -> None:
        """Write a line to stdout."""
        self._out.print(line, emoji=False)

    def complain(self, line: str) -> None:
        """Write a line to stderr."""
        self._err.print(line, emoji=False)

    def expect(self, size: int) -> None:
        """Make the bar longer by so many bytes."""
        total = self._progress.tasks[0].total or 0
        self._progress.update(self._task, total=total + size)

    def advance(self, size: int) -> None:
        """Move the bar on by so many bytes."""
        self._progress.advance(self._task, size)
