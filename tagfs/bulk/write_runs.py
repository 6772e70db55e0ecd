"""What the commands do that change tags: set, replace, rm, restore and undo."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click

from tagfs.bulk.arguments import add_tagging, split_keys, split_tags
from tagfs.bulk.audit import Audit, Record, read_chains
from tagfs.bulk.command_run import CommandRun, start
from tagfs.bulk.edits import Edit, Editor, addition, removal, replacement
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.restore import Task, open_dump
from tagfs.bulk.restore_run import RestoreOrder
from tagfs.bulk.tag_access import Address
from tagfs.bulk.targets import TagOwner
from tagfs.errors import ObjectChanged, SettingsError, TagfsError
from tagfs.store.tags import NO_TAGS, TagSet


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


def add(choices: CommonOptions, words: tuple[str, ...], tagging: str | None) -> None:
    """Set tags; exit."""
    tags, targets = _read_words(words, tagging)
    apply_to(choices, addition(tags), tags, targets)


def replace(choices: CommonOptions, words: tuple[str, ...], tagging: str | None) -> None:
    """Make tags the only ones; exit."""
    tags, targets = _read_words(words, tagging)
    apply_to(choices, replacement(tags), tags, targets)


def remove(choices: CommonOptions, words: tuple[str, ...], *, everything: bool) -> None:
    """Remove tags; exit."""
    try:
        keys, targets = ((), words) if everything else split_keys(words)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    check_targets(targets)
    apply_to(choices, replacement(NO_TAGS) if everything else removal(keys), NO_TAGS, targets)


def restore(choices: CommonOptions, order: RestoreOrder) -> None:
    """Write a file's tags; exit."""
    with open_dump(order.name) as file, start(choices) as job, editor(choices) as pen:
        status = order.run(file, job, pen)
    sys.exit(status)


def undo(choices: CommonOptions, audit_file: Path) -> None:
    """Put old tags back; exit."""
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
