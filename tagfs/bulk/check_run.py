"""What `tagfs tag check` does: it tells what does not follow the rules, and mends it."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from tagfs.bulk.checker import Checked, Checker
from tagfs.bulk.command_run import CommandRun, start
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.report import printable
from tagfs.bulk.targets import TagOwner
from tagfs.bulk.write_runs import editor
from tagfs.errors import RulesError, SettingsError
from tagfs.rules.rule import Breach


def check(choices: CommonOptions, targets: tuple[str, ...], *, fix: bool) -> None:
    """Check all that the targets mean; exit."""
    with start(choices) as job, editor(choices) as pen:
        checker = Checker(pen if fix else None, time.time_ns())
        table = _Table(job, fixes=fix)
        for item, checked in job.run(_items(job, targets, checker), _look(checker), _item_of):
            table.add(item, checked)
        status = table.finish()
    sys.exit(status)


def _items(job: CommandRun, targets: tuple[str, ...], checker: Checker) -> Iterator[TagOwner]:
    """Yield what the targets mean, all of buckets that have rules."""
    for item in job.items(targets, with_bucket=False):
        try:
            checker.rules(item.place)
        except RulesError:
            raise
        except SettingsError as error:
            raise click.UsageError(str(error)) from None
        yield item


def _look(checker: Checker) -> Any:
    return lambda item: (item, checker.check(item))


def _item_of(item: TagOwner) -> TagOwner:
    return item


class _Table:
    """Tells of each breach, and at the end how often each rule is broken."""

    def __init__(self, job: CommandRun, *, fixes: bool) -> None:
        self._job = job
        self._fixes = fixes
        self._broken = 0
        self._seen = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, item: TagOwner, checked: Checked | None) -> None:
        """Take what was found of one object."""
        report = self._job.report
        self._seen += 1
        if checked is None:
            report.unchanged += 1
            return
        if self._fixes:
            report.edited(checked.outcome)
        elif _failed(checked):
            report.found(checked.outcome, None, {})
        else:
            report.skip()
        self._broken += bool(checked.breaches)
        for breach in checked.breaches:
            self._counts[breach.rule, _what(breach)] += 1
            if self._job.choices.json:
                report.record(_record(item, breach))
            else:
                report.write(f"{printable(item.shown)}: {breach.text} ({breach.rule})\n")

    def finish(self) -> int:
        """Say how many; return the exit status."""
        job = self._job
        words = f"{self._seen} checked, {self._broken} break a rule"
        if self._fixes:
            words += f"; {job.report.describe_edits()}"
        if self._counts and not job.choices.json:
            sys.stdout.flush()
            for (rule, what), count in sorted(self._counts.items()):
                sys.stderr.write(f"{count:>8}  {what}  ({rule})\n")
        status = job.report.finish(words, stopped=bool(job.stop))
        return status or int(self._broken > 0)


def _failed(checked: Checked) -> bool:
    return checked.outcome.error is not None or checked.outcome.gone


def _what(breach: Breach) -> str:
    return f"{breach.key}: {breach.fault.value}"


def _record(item: TagOwner, breach: Breach) -> dict[str, str]:
    return {
        "path": item.shown,
        "key": breach.key,
        "fault": breach.fault.value,
        "text": breach.text,
        "rule": breach.rule,
    }
