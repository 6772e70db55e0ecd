"""The command `tagfs tag stat`: which tags there are, how often, of how many bytes."""

from typing import Any

import click

from tagfs.bulk.find_command import AGE, TARGETS
from tagfs.bulk.options import READING, CommonOptions, shared
from tagfs.terminal.loading import Loading


@click.command("stat")
@TARGETS
@click.option("-k", "--key", "keys", multiple=True, help="only this tag; may come again")
@click.option(
    "-d", "--depth", default=0, type=click.IntRange(0), help="sums for directories, so many levels"
)
@click.option(
    "--values",
    default=10,
    type=click.IntRange(0),
    show_default=True,
    help="values of a key that are shown, the most frequent ones; 0: all",
)
@click.option(
    "--index",
    type=click.Choice(["auto", "local", "walk"]),
    default="auto",
    show_default=True,
    help="local: what `tagfs index` read; walk: ask for every object; auto: see --max-age",
)
@click.option(
    "--max-age",
    type=AGE,
    help="an index of at most this age will do, such as 15m, 2h, 1d; else every object is asked",
)
@shared(tuple(name for name in READING if name != "recursive"))
def stat_command(choices: CommonOptions, targets: tuple[str, ...], **words: Any) -> None:
    """Count the tags of all below TARGET...: keys, values, objects, bytes, and what has none.

    \b
    tagfs tag stat /mnt
    tagfs tag stat --max-age 1d --depth 1 oss://photos
    tagfs tag stat -k team --values 0 --json /mnt | jq '.keys.team.values'
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import stat_run  # noqa: PLC0415  (its help needs none of it)
    stat_run.count(choices, targets, **words)
