"""What a command tells: results on stdout, progress, failures and the sum on stderr."""

import json
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Self, TextIO

from tagfs.bulk.edits import Outcome
from tagfs.bulk.opened_buckets import OpenedBucket
from tagfs.bulk.targets import TagOwner
from tagfs.store.tags import TagSet
from tagfs.terminal.progress import ProgressLine

EVERY: Final = 10.0
"""Seconds between plain lines of progress."""

REPEATED: Final = 100
"""Failures that are repeated at the end."""

DONE, FAILED, INTERRUPTED = 0, 1, 130

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How results are reported.

    Attributes:
        json: a JSON object a line.
        verbose: name every item that was changed.
        dry: nothing was changed, so tell what would be.
    """

    json: bool = False
    verbose: bool = False
    dry: bool = False


class Report:
    """Counts outcomes and tells of them. For one thread."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.failed = 0
        self.changed = 0
        self.unchanged = 0
        self.gone = 0
        self.skipped = 0
        self.requests = [0, 0]
        self._failures: list[str] = []
        self._affected: dict[OpenedBucket, str] = {}
        self._ticker = _ticker(self)
        self._on_screen = sys.stdout.isatty()
        self._by_line = not _is(sys.stdout, stat.S_ISREG)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ticker.stop()
        for place, directory in self._affected.items():
            place.changed(directory)

    def expect(self, total: int) -> None:
        """Say how many items there will be, once that is known."""
        self._ticker.expect(total)

    @property
    def shows_total(self) -> bool:
        """Whether a total is shown where it is known."""
        return isinstance(self._ticker, ProgressLine)

    @property
    def seen(self) -> int:
        """How many items there were."""
        return self.failed + self.changed + self.unchanged + self.gone + self.skipped

    def edited(self, outcome: Outcome) -> None:
        """Tell of one change."""
        for number, count in enumerate(outcome.requests):
            self.requests[number] += count
        if not self._settled(outcome):
            return
        if not outcome.changed:
            self.unchanged += 1
        else:
            self.changed += 1
            if not self.style.dry:
                self._affect(outcome.item)
            self._show_change(outcome)

    def found(self, outcome: Outcome, line: str | bytes | None, record: Mapping[str, Any]) -> None:
        """Tell of tags that were read: `line` as it is, or `record` with --json."""
        if not self._settled(outcome):
            return
        self.unchanged += 1
        if self.style.json:
            self.record(record)
        elif line:
            self.write(line)

    def did(self, shown: str, what: str, item: TagOwner | None = None) -> None:
        """Count something that was done, which is no change of tags: to `item`, if to any."""
        self.changed += 1
        if item is not None:
            self._affect(item)
        self._ticker.advance()
        if self.style.json:
            self.record({"path": shown, "done": what})
        elif self.style.verbose or self.style.dry:
            self.write(f"{printable(shown)}: {what}\n")

    def fail(self, shown: str, reason: str) -> None:
        """Count one failure."""
        self.failed += 1
        self._ticker.advance()
        if len(self._failures) < REPEATED:
            self._failures.append(f"{printable(shown)}: {reason}")
        if self.style.json:
            self.record({"path": shown, "error": reason})

    def skip(self, count: int = 1) -> None:
        """Count what needs no work."""
        self.skipped += count
        self._ticker.advance()

    def write(self, text: str | bytes) -> None:
        """Write to stdout, without adding a line end."""
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        if self._on_screen:
            self._ticker.clear()
        sys.stdout.buffer.write(raw)
        if self._by_line:
            sys.stdout.flush()  # who reads it has each result when it is there

    def record(self, record: Mapping[str, Any]) -> None:
        """Write one JSON object."""
        self.write(json.dumps(record) + "\n")

    def finish(self, summary: str, *, stopped: bool) -> int:
        """Write what failed and the sum; return the exit status."""
        self._ticker.stop()
        sys.stdout.flush()
        for failure in self._failures:
            sys.stderr.write(f"tagfs: {failure}\n")
        if self.failed > len(self._failures):
            sys.stderr.write(f"tagfs: ... and {self.failed - len(self._failures)} more\n")
        parts = [summary] if summary else []
        if self.gone:
            parts.append(f"{self.gone} gone meanwhile")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if stopped:
            parts.insert(0, "interrupted")
        if parts:
            sys.stderr.write(", ".join(parts) + "\n")
        return INTERRUPTED if stopped else FAILED if self.failed else DONE

    def describe_edits(self) -> str:
        """Return the sum of changes in words."""
        words = f"{self.changed} changed, {self.unchanged} unchanged"
        if self.skipped:
            words += f", {self.skipped} done before"
        if self.style.dry:
            reads, writes = self.requests
            words = f"nothing sent: would be {words}, with {reads} GET and {writes} PUT or DELETE"
        return words

    def _settled(self, outcome: Outcome) -> bool:
        if outcome.error is not None:
            self.fail(outcome.item.shown, str(outcome.error))
            return False
        self._ticker.advance()
        self.gone += outcome.gone
        return not outcome.gone

    def _show_change(self, outcome: Outcome) -> None:
        old, new = outcome.old, outcome.new or TagSet()
        if self.style.json:
            was = None if old is None else dict(old)
            record = {"path": outcome.item.shown, "old": was, "new": dict(new)}
            self.record({**record, "dry_run": True} if self.style.dry else record)
        elif self.style.dry or self.style.verbose:
            self.write(f"{printable(outcome.item.shown)}: {describe_change(old, new)}\n")

    def _affect(self, item: TagOwner) -> None:
        """Widen the prefix below which something was changed."""
        place, key = item.place, item.address.key
        known = self._affected.get(place)
        if known is None:
            self._affected[place] = _directory(key)
        elif not key.startswith(known):
            common = PurePosixPath(known)
            while str(common) != "." and not key.startswith(f"{common}/"):
                common = common.parent
            self._affected[place] = "" if str(common) == "." else f"{common}/"


def _directory(key: str) -> str:
    head, slash, _ = key.rstrip("/").rpartition("/")
    return head + slash


def printable(text: str) -> str:
    """Return a name as one line."""
    return _CONTROL.sub(lambda found: f"\\{ord(found[0]):03o}", text)


def describe_change(old: TagSet | None, new: TagSet) -> str:
    """Say how one tag set becomes another."""
    if old is None:
        return "tags are now " + (" ".join(f"{k}={v}" for k, v in new.items()) or "none")
    words = [f"-{k}={v}" for k, v in old.items() if k not in new]
    words += [f"+{k}={v}" for k, v in new.items() if k not in old]
    words += [f"{k}={old[k]} -> {v}" for k, v in new.items() if k in old and old[k] != v]
    return " ".join(words)


class _Lines:
    """Progress where nobody watches: a line every few seconds."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._due = time.monotonic() + EVERY

    def start(self) -> None:
        """Begin."""

    def expect(self, total: int) -> None:
        """Need no total."""

    def clear(self) -> None:
        """Leave lines where they are."""

    def advance(self) -> None:
        """Say something if it is time."""
        if time.monotonic() >= self._due:
            self._due += EVERY
            report = self._report
            sys.stderr.write(f"{report.seen} done, {report.failed} failed\n")

    def stop(self) -> None:
        """End."""


class _Silence:
    """Progress where it would be drawn into what another program shows, such as a pager."""

    def start(self) -> None:
        """Begin."""

    def expect(self, total: int) -> None:
        """Need no total."""

    def advance(self) -> None:
        """Say nothing."""

    def clear(self) -> None:
        """Nothing is there."""

    def stop(self) -> None:
        """End."""


def _ticker(report: Report) -> ProgressLine | _Lines | _Silence:
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return _Lines(report)
    return _Silence() if _leads_to_a_program() else ProgressLine(sys.stderr)


def _leads_to_a_program() -> bool:
    return _is(sys.stdout, stat.S_ISFIFO) or _is(sys.stdout, stat.S_ISSOCK)


def _is(stream: TextIO, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # a stream of a test
        return False
