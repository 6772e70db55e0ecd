"""What `tagfs tag find` does: it asks for objects, and shows them in order."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import click

from tagfs.bulk.answers import Answers, Index
from tagfs.bulk.command_run import CommandRun, start
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.search import Found
from tagfs.catalogue.expression import Expression, parse_expression
from tagfs.errors import SettingsError
from tagfs.terminal.format import size_text, time_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is looked for, and how it is shown."""

    expression: Expression
    print0: bool
    index: Index
    max_age: float | None
    count: bool
    long: bool
    sort: Literal["name", "size", "time"]
    reverse: bool


def find(
    choices: CommonOptions, expression: str, targets: tuple[str, ...], words: dict[str, Any]
) -> None:
    """Show what matches, as `words` say (`Wish`); exit."""
    try:
        wish = Wish(expression=parse_expression(expression), **words)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    with start(choices) as job:
        answers = Answers(job, wish.expression, wish.index, wish.max_age)
        _show(job, wish, _sorted(wish, answers.all(targets)))
        status = job.report.finish(answers.origin(), stopped=bool(job.stop))
    sys.exit(status)


def _sorted(wish: Wish, found: Iterator[Found]) -> Iterable[Found]:
    if wish.sort == "name" and not wish.reverse:
        return found
    if wish.sort == "name":
        return sorted(found, key=attrgetter("shown"), reverse=wish.reverse)
    return sorted(found, key=_size if wish.sort == "size" else _time, reverse=wish.reverse)


def _size(found: Found) -> int:
    return found.info.size if found.info else 0


def _time(found: Found) -> int:
    return found.info.last_modified_ns if found.info else 0


def _show(job: CommandRun, wish: Wish, found: Iterable[Found]) -> None:
    count = size = 0
    for one in found:
        count += 1
        size += _size(one)
        if not wish.count:
            _show_one(job, wish, one)
    if wish.count and job.choices.json:
        job.report.record({"count": count, "bytes": size})
    elif wish.count:
        job.report.write(f"{count}\t{size_text(size)}\n" if wish.long else f"{count}\n")


def _show_one(job: CommandRun, wish: Wish, found: Found) -> None:
    info = found.info
    if job.choices.json:
        record: dict[str, Any] = {"path": found.shown, "tags": dict(found.tags)}
        if info is not None:
            record |= {"size": info.size, "modified": info.last_modified_ns / 1e9}
        job.report.record(record | {"age": round(found.age, 1)})
    else:
        when = time_text(info.last_modified_ns) if info else "-"
        head = f"{_size(found):>12}  {when:19}  " if wish.long else ""
        job.report.write(head + found.shown + ("\0" if wish.print0 else "\n"))
