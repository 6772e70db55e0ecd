"""The command `tagfs restore`: archived objects, which cannot be read, become readable."""

from typing import Final

import click

from tagfs.bulk.options import REVIVING, CommonOptions, shared
from tagfs.terminal.loading import Loading

MOST_DAYS: Final = 365


@click.command("restore")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=7,
    show_default=True,
    help="how long they can be read",
)
@shared(REVIVING)
def restore_command(choices: CommonOptions, targets: tuple[str, ...], days: int) -> None:
    """Let archived objects be read for some days; the service takes hours for that.

    What is being restored already is no error; of what -R finds, the rest is left alone.
    `getfattr -n user.object.restore FILE` tells how far one is. Tags that a dump has are written
    back by `tagfs tag restore`.

    \b
    tagfs restore /mnt/2019/report.pdf
    tagfs restore -R --days 30 oss://photos/2019/
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import archived_objects  # noqa: PLC0415  (its help needs none of it)
    archived_objects.restore(choices, targets, days)
