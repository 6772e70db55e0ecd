"""What `tagfs restore` does: archived objects become readable."""

import sys

from tagfs.bulk.command_run import start
from tagfs.bulk.direct_buckets import dialect_of
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.targets import TagOwner
from tagfs.errors import NotFound, NotPermitted, TagfsError


def restore(choices: CommonOptions, targets: tuple[str, ...], days: int) -> None:
    """Restore all that the targets mean; exit."""
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
