"""The commands that look for objects by their tags: find and untagged."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal, ParamSpec, TypeVar

import click

from tagfs.bulk.answers import Answers, Index
from tagfs.bulk.options import READING, CommandRun, CommonOptions, shared, start
from tagfs.bulk.search import Found
from tagfs.catalogue.expression import Expression, parse_expression
from tagfs.config.values import duration
from tagfs.errors import SettingsError
from tagfs.terminal.format import size_text, time_text

P = ParamSpec("P")
R = TypeVar("R")

TARGETS: Final = click.argument("targets", nargs=-1, required=True, metavar="TARGET...")

UNTAGGED: Final = "not *"


class _Duration(click.ParamType[float]):
    name = "AGE"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Read a time such as 90, 15m, 2h or 1d."""
        try:
            return value if isinstance(value, float) else duration(value)
        except ValueError:
            self.fail("a time such as 90s, 15m, 2h or 1d", param, ctx)


AGE: Final = _Duration()
"""How old an answer may be, in seconds."""


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


_OPTIONS: Final = (
    click.option("-0", "--print0", is_flag=True, help="end names with NUL, for xargs -0"),
    click.option("-c", "--count", is_flag=True, help="only how many there are"),
    click.option("-l", "--long", is_flag=True, help="with size and time"),
    click.option(
        "--sort", type=click.Choice(["name", "size", "time"]), default="name", show_default=True
    ),
    click.option("-r", "--reverse", is_flag=True, help="the other way round"),
    click.option(
        "--index",
        type=click.Choice(["auto", "local", "service", "walk"]),
        default="auto",
        show_default=True,
        help="local: what `tagfs index` read; service: its own index (MetaQuery of OSS), each"
        " object confirmed; walk: ask for every object; auto: see --max-age",
    ),
    click.option(
        "--max-age",
        type=AGE,
        help="an index of at most this age will do, such as 15m, 2h, 1d; else that of the service,"
        " if the bucket has one; else every object is asked for",
    ),
)


def _finding(command: Callable[P, R]) -> Callable[P, R]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("find")
@click.argument("expression")
@TARGETS
@_finding
@shared(READING)
def find_command(
    choices: CommonOptions, expression: str, targets: tuple[str, ...], **words: Any
) -> None:
    """Name all below TARGET... whose tags match EXPRESSION.

    \b
    team              has such a tag        team=blue      has it with this value
    team!=blue        not team=blue         team~^b        its value matches a regex
    not X   X and Y   X or Y   ( X )        team=b* cost-? are globs, "b*" is literal

    \b
    tagfs tag find 'team=blue and not retention' /mnt
    tagfs tag find -0 'not *' oss://photos | xargs -0 tagfs tag set team=unknown
    tagfs index /mnt && tagfs tag find --max-age 1h --count team /mnt
    """  # noqa: D301  (click reads \b)
    _find(choices, expression, targets, words)


@click.command("untagged")
@TARGETS
@_finding
@shared(READING)
def untagged_command(choices: CommonOptions, targets: tuple[str, ...], **words: Any) -> None:
    """Name all below TARGET... that have no tags.

    \b
    tagfs tag untagged --count /mnt
    tagfs tag untagged -0 oss://photos | xargs -0 tagfs tag set team=unknown
    """  # noqa: D301  (click reads \b)
    _find(choices, UNTAGGED, targets, words)


def _find(
    choices: CommonOptions, expression: str, targets: tuple[str, ...], words: dict[str, Any]
) -> None:
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
