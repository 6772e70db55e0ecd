"""The command `tagfs index`."""

from typing import Final

import click

from tagfs.bulk.options import CommonOptions, shared
from tagfs.terminal.loading import Loading

INDEXING: Final = ("parallel", "options")


@click.command("index")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--watch", type=click.FloatRange(min=0), metavar="MINUTES", help="again, for ever")
@click.option("--tags-only", is_flag=True, help="no attributes: half of the requests")
@shared(INDEXING)
def index_command(
    choices: CommonOptions, targets: tuple[str, ...], *, watch: float | None, tags_only: bool
) -> None:
    """Read tags and attributes of all below TARGET... into this host's index of the bucket.

    `tagfs tag find --max-age 1h` then answers at once, and a mount shows attributes by its listings
    alone. What was cut off is gone on with when it is run again within an hour.

    \b
    tagfs index /mnt
    tagfs index oss://photos/2024/ --watch 15 -o endpoint=...
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import index_run  # noqa: PLC0415  (its help needs none of it)
    index_run.index(choices, targets, watch=watch, tags_only=tags_only)
