"""What `tagfs index` does, and what it tells meanwhile."""

import sys
import time
from typing import Final

from tagfs.bulk.command_run import CommandRun, start
from tagfs.bulk.indexer import Indexer, Progress
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.report import DONE, FAILED, INTERRUPTED
from tagfs.bulk.targets import Target, below, read_target
from tagfs.errors import SettingsError, TagfsError
from tagfs.terminal.format import duration_text

EVERY_TTY: Final = 0.2
EVERY_LINE: Final = 10.0
"""Seconds between two words about progress, to a terminal and to a log."""


def index(
    choices: CommonOptions, targets: tuple[str, ...], *, watch: float | None, tags_only: bool
) -> None:
    """Index all that the targets mean; exit."""
    with start(choices) as job:
        while True:
            status = _index_all(job, targets, with_detail=not tags_only)
            if watch is None or job.stop:
                break
            _wait(job, watch * 60)
    sys.exit(INTERRUPTED if job.stop else status)


def _wait(job: CommandRun, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not job.stop and time.monotonic() < until:
        time.sleep(min(0.2, max(0.0, until - time.monotonic())))


def _index_all(job: CommandRun, targets: tuple[str, ...], *, with_detail: bool) -> int:
    status = DONE
    for text in targets:
        if job.stop:
            break
        try:
            failed = _index(job, text, read_target(text, job.places), with_detail=with_detail)
        except TagfsError as error:
            sys.stderr.write(f"tagfs: {text}: {error}\n")
            failed = True
        if failed:
            status = FAILED
    return status


def _index(job: CommandRun, text: str, target: Target, *, with_detail: bool) -> bool:
    """Index one target, tell of it, and say whether something failed."""
    prefix, place = below(target), target.place
    if prefix is None:
        raise SettingsError("an index is of a bucket or of a directory")
    if place.bucket is None:
        raise SettingsError("an index needs credentials of its own: a mount would ask for each")
    if place.catalogue is None:
        raise SettingsError(f"no catalogue: {place.no_catalogue}")
    teller = _Teller(text)
    progress = Indexer(
        bucket=place.bucket,
        catalogue=place.catalogue,
        parallel=job.choices.parallel,
        with_detail=with_detail,
        stop=job.stop,
        now_ns=place.now_ns,
        on_progress=teller.step,
    ).run(prefix)
    for reason in progress.reasons:
        sys.stderr.write(f"tagfs: {reason}\n")
    teller.end(progress, stopped=bool(job.stop))
    return progress.failed > 0


class _Teller:
    """Says how far an indexing is: in one line of a terminal, or in a line now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = self._reading = self._last = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._every = EVERY_TTY if self._tty else EVERY_LINE

    def step(self, progress: Progress) -> None:
        """Say it, if it is time."""
        now = time.monotonic()
        if progress.total is None or progress.read == 0:
            self._reading = now
        if now - self._last < self._every:
            return
        self._last = now
        line = f"{self._name}: {self._describe(progress, now)}"
        sys.stderr.write(f"\r{line}\x1b[K" if self._tty else f"{line}\n")
        sys.stderr.flush()

    def end(self, progress: Progress, *, stopped: bool) -> None:
        """Say what came of it."""
        took = duration_text(time.monotonic() - self._began)
        words = f"{progress.listed:,} objects, {progress.read:,} read in {took}"
        if progress.failed:
            words += f", {progress.failed:,} failed"
        if stopped:
            words = f"interrupted: {words}; run it again to go on"
        sys.stderr.write(("\r\x1b[K" if self._tty else "") + f"{self._name}: {words}\n")

    def _describe(self, progress: Progress, now: float) -> str:
        if progress.total is None:
            return f"{progress.listed:,} listed"
        rate = progress.read / max(now - self._reading, 0.001)
        left = (progress.total - progress.read) / rate if rate else 0
        return (
            f"{progress.read:,} of {progress.total:,} read, {rate:,.0f}/s,"
            f" {duration_text(left)} left"
        )
