"""The commands that change tags: set, replace, rm, restore and undo."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click

from tagfs.bulk.arguments import add_tagging, split_keys, split_tags
from tagfs.bulk.audit import Audit, Record, read_chains
from tagfs.bulk.edits import Edit, Editor, addition, removal, replacement
from tagfs.bulk.getfattr_format import read_blocks
from tagfs.bulk.options import (
    FROM_FILE,
    RESTORING,
    WRITING,
    CommandRun,
    CommonOptions,
    shared,
    start,
)
from tagfs.bulk.restore import Task, open_dump
from tagfs.bulk.restore_run import RestoreOrder
from tagfs.bulk.tag_access import Address
from tagfs.bulk.targets import TagOwner
from tagfs.errors import ObjectChanged, SettingsError, TagfsError
from tagfs.store.tags import NO_TAGS, TagSet

TAGGING = click.option(
    "--tagging", metavar="K1=V1&K2=V2", help="tags percent-encoded, as user.tagging shows them"
)
WORDS = click.argument("words", nargs=-1, metavar="KEY=VALUE... TARGET...")


@contextlib.contextmanager
def editor(choices: CommonOptions) -> Iterator[Editor]:
    """Make an editor, with its audit file if one was chosen."""
    with ExitStack() as stack:
        audit = None
        if choices.audit is not None and not choices.dry_run:
            audit = stack.enter_context(Audit(choices.audit))
        yield Editor(audit, dry=choices.dry_run)


def _read_words(words: tuple[str, ...], tagging: str | None) -> tuple[TagSet, tuple[str, ...]]:
    try:
        tags, targets = split_tags(words, os.path.lexists)
        tags = add_tagging(tags, tagging)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    if not tags:
        raise click.UsageError("which tags? write KEY=VALUE before the targets")
    check_targets(targets)
    return tags, targets


def check_targets(targets: tuple[str, ...]) -> None:
    """Raise if there are none."""
    if not targets:
        raise click.UsageError("whose tags? name a path of a mount, or oss://bucket/key")


def apply_to(choices: CommonOptions, edit: Edit, tags: TagSet, targets: tuple[str, ...]) -> None:
    """Make one change of all that the targets mean, whose rules have to allow `tags`; exit."""
    with start(choices) as job, editor(choices) as pen:
        items = job.items(targets, with_bucket=False, wanted=tags)
        for outcome in job.run(items, lambda item: pen.apply(item, edit), _itself):
            job.report.edited(outcome)
        status = job.report.finish(job.report.describe_edits(), stopped=bool(job.stop))
    sys.exit(status)


def _itself(item: TagOwner) -> TagOwner:
    return item


@click.command("set")
@WORDS
@TAGGING
@shared(WRITING)
def set_command(choices: CommonOptions, words: tuple[str, ...], tagging: str | None) -> None:
    """Set tags, keeping all others.

    \b
    tagfs tag set team=blue retention=7y /mnt/report.pdf
    tagfs tag set -R team=blue --exclude '*.tmp' /mnt/logs
    tagfs tag set team=blue 'oss://photos/2024/*.jpg' -o endpoint=oss-cn-hangzhou.aliyuncs.com
    tagfs tag set cost=42 oss://photos                       the tags of the bucket itself
    """  # noqa: D301  (click reads \b)
    tags, targets = _read_words(words, tagging)
    apply_to(choices, addition(tags), tags, targets)


@click.command("replace")
@WORDS
@TAGGING
@shared(WRITING)
def replace_command(choices: CommonOptions, words: tuple[str, ...], tagging: str | None) -> None:
    """Make these the only tags.

    One request an object, which does not read what was there (but with --audit it does).

    \b
    tagfs tag replace team=blue /mnt/report.pdf
    """  # noqa: D301  (click reads \b)
    tags, targets = _read_words(words, tagging)
    apply_to(choices, replacement(tags), tags, targets)


@click.command("rm")
@click.argument("words", nargs=-1, metavar="KEY[,KEY...] TARGET...")
@click.option("-a", "--all", "everything", is_flag=True, help="all tags: name targets only")
@shared(WRITING)
def rm_command(choices: CommonOptions, words: tuple[str, ...], *, everything: bool) -> None:
    """Remove tags, which need not be there.

    \b
    tagfs tag rm team,retention /mnt/report.pdf
    tagfs tag rm --all -R oss://photos/tmp/
    """  # noqa: D301  (click reads \b)
    try:
        keys, targets = ((), words) if everything else split_keys(words)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    check_targets(targets)
    apply_to(choices, replacement(NO_TAGS) if everything else removal(keys), NO_TAGS, targets)


@click.command("restore")
@click.argument("dump", default="-")
@shared(RESTORING)
def restore_command(  # noqa: PLR0913  (one for each option)
    choices: CommonOptions,
    dump: str,
    base: str,
    strip: int,
    *,
    replace: bool,
    keep_going: bool,
    resume: Path | None,
) -> None:
    """Write back what `tagfs tag dump` or `getfattr -d` has written (DUMP, or stdin).

    Other tags are kept. One PUT an object, after one GET unless --replace; none if it is so
    already. If it is interrupted or something fails, the same command goes on where it ended.

    \b
    cd /mnt && tagfs tag restore /backup/tags.dump
    tagfs tag restore --base oss://photos -o endpoint=... tags.dump
    """  # noqa: D301  (click reads \b)
    order = RestoreOrder(
        name=dump,
        read=read_blocks,
        base=base,
        strip=strip,
        replace=replace,
        keep_going=keep_going,
        progress=resume,
    )
    with open_dump(dump) as file, start(choices) as job, editor(choices) as pen:
        status = order.run(file, job, pen)
    sys.exit(status)


@click.command("undo")
@click.argument("audit_file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@shared(FROM_FILE)
def undo_command(choices: CommonOptions, audit_file: Path) -> None:
    """Put back the old tags that an --audit file recorded.

    Where the tags are no longer those that the change has set, nothing is done, which is reported.

    \b
    tagfs tag set -R --audit today.jsonl team=blue /mnt/logs
    tagfs tag undo today.jsonl
    """  # noqa: D301  (click reads \b)
    if choices.audit is not None and choices.audit.resolve() == audit_file.resolve():
        raise click.UsageError("--audit must be another file than the one that is undone")
    with start(choices) as job, editor(choices) as pen:
        tasks = _reversed(audit_file, job)
        run = job.run(tasks, lambda task: pen.apply(task.item, task.edit), lambda task: task.item)
        for outcome in run:
            job.report.edited(outcome)
        status = job.report.finish(job.report.describe_edits(), stopped=bool(job.stop))
    sys.exit(status)


def _reversed(path: Path, job: CommandRun) -> Iterator[Task]:
    for number, chain in enumerate(read_chains(path)):
        last = chain[-1]
        shown = f"{last.url}/{last.key}"
        try:
            place = job.places.of_description(last.fields, last.url)
        except TagfsError as error:
            job.report.fail(shown, str(error))
            continue
        yield Task(number, TagOwner(place, Address(last.key), shown), Edit(_opposite(chain)))


def _opposite(chain: list[Record]) -> Callable[[TagSet], TagSet]:
    def change(present: TagSet) -> TagSet:
        tags, foreign = present, False
        for record in reversed(chain):
            if tags == record.new:
                tags = record.old
            elif tags != record.old:
                foreign = True
        if foreign and tags == present and tags != chain[0].old:
            now = " ".join(f"{k}={v}" for k, v in present.items()) or "none"
            raise ObjectChanged(f"not undone: the tags are {now}, which is not what was set")
        return tags

    return change
