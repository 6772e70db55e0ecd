"""The command `tagfs restore`: archived objects, which cannot be read, become readable."""

import sys
from typing import Final

import click

from tagfs.bulk.options import REVIVING, CommonOptions, shared, start
from tagfs.bulk.targets import TagOwner
from tagfs.errors import NotFound, NotPermitted, TagfsError

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
    with start(choices) as job:

        def work(item: TagOwner) -> tuple[TagOwner, TagfsError | None, bool]:
            return _restore(item, days, dry=choices.dry_run)

        items = job.items(targets, with_bucket=False)
        for item, error, archived in job.run(items, work, lambda item: item):
            if error is not None:
                job.report.fail(item.shown, str(error))
            elif archived:
                job.report.did(item.shown, f"restored for {days} days")
            else:
                job.report.skip()
        would = "would be " if choices.dry_run else ""
        words = f"{job.report.changed} {would}restored, {job.report.skipped} not archived"
        status = job.report.finish(words, stopped=bool(job.stop))
    sys.exit(status)


def _restore(item: TagOwner, days: int, *, dry: bool) -> tuple[TagOwner, TagfsError | None, bool]:
    """Restore one; return it, what went wrong, and whether it is archived."""
    from tagfs.bulk.direct_buckets import dialect_of  # noqa: PLC0415  (its help needs none of it)

    archived = dialect_of(item.place.settings).archived
    if item.info is not None and item.info.storage_class not in archived:
        return item, None, False
    if not item.address.key or item.address.key.endswith("/"):
        wrong = None if item.listed else NotPermitted("a directory: -R restores what is below it")
        return item, wrong, False
    try:
        if not dry:
            item.place.access.restore(item.address, days)
    except NotPermitted as error:
        return item, None if item.listed else error, False
    except NotFound as error:
        return item, None if item.listed else error, False
    except TagfsError as error:
        return item, error, False
    return item, None, True
