"""The commands that show tags: get and dump."""

import click

from tagfs.bulk.options import READING, CommonOptions, shared
from tagfs.terminal.loading import Loading

TARGETS = click.argument("targets", nargs=-1, required=True, metavar="TARGET...")


@click.command("get")
@TARGETS
@click.option("-k", "--key", "keys", multiple=True, help="only this tag; may come again")
@shared(READING)
def get_command(choices: CommonOptions, targets: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Show tags, one `KEY=VALUE` a line; with several targets or -R after the name.

    \b
    tagfs tag get /mnt/report.pdf
    tagfs tag get -R -k team oss://photos/2024/
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import read_runs  # noqa: PLC0415  (its help needs none of it)
    read_runs.get(choices, targets, keys)


@click.command("dump")
@TARGETS
@shared(READING)
def dump_command(choices: CommonOptions, targets: tuple[str, ...]) -> None:
    """Write tags as `getfattr -d` does, for `tagfs tag restore` or `setfattr --restore`.

    Directories are named without a "/" at the end; of a bucket's URL, paths are keys.

    \b
    cd /mnt && tagfs tag dump -R . > /backup/tags.dump
    tagfs tag dump -R oss://photos -o endpoint=... > tags.dump
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import read_runs  # noqa: PLC0415  (its help needs none of it)
    read_runs.dump(choices, targets)
