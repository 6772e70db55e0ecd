"""The command `tagfs undelete`: what was deleted is there again, with its tags."""

import click

from tagfs.bulk.options import REVIVING, CommonOptions, shared
from tagfs.terminal.loading import Loading


@click.command("undelete")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@shared(REVIVING)
def undelete_command(choices: CommonOptions, targets: tuple[str, ...]) -> None:
    """Bring back what was deleted in a bucket that keeps versions, with its tags.

    The delete markers are taken away; without the right to that, the last version is copied. What
    is there is left alone. -n tells what -R would bring back. Older versions are files in
    MOUNTPOINT/.tagfs/versions/PATH/.

    \b
    tagfs undelete /mnt/2019/report.pdf
    tagfs undelete -R -n oss://photos/2019/
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import undelete_run  # noqa: PLC0415  (its help needs none of it)
    undelete_run.undelete(choices, targets)
