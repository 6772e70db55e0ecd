"""The commands that look for objects by their tags: find and untagged."""

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

import click

from tagfs.bulk.options import READING, CommonOptions, shared
from tagfs.terminal.loading import Loading

P = ParamSpec("P")
R = TypeVar("R")

TARGETS: Final = click.argument("targets", nargs=-1, required=True, metavar="TARGET...")

UNTAGGED: Final = "not *"


class _Duration(click.ParamType[float]):
    name = "AGE"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Read a time such as 90, 15m, 2h or 1d."""
        from tagfs.config.values import duration  # noqa: PLC0415  (the help needs none of it)

        try:
            return value if isinstance(value, float) else duration(value)
        except ValueError:
            self.fail("a time such as 90s, 15m, 2h or 1d", param, ctx)


AGE: Final = _Duration()
"""How old an answer may be, in seconds."""


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
    with Loading():
        from tagfs.bulk import find_run  # noqa: PLC0415  (its help needs none of it)
    find_run.find(choices, expression, targets, words)
