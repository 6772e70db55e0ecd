"""What the commands do that keep a vocabulary of tags: rename, merge and copy."""

import sys

import click

from tagfs.bulk.arguments import split_keys
from tagfs.bulk.command_run import start
from tagfs.bulk.edits import Outcome, addition, read, replacement
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.vocabulary import merging, parse_renaming, renaming
from tagfs.bulk.write_runs import apply_to, check_targets
from tagfs.errors import SettingsError
from tagfs.store.tags import NO_TAGS, TagSet


def rename(choices: CommonOptions, old: str, new: str, targets: tuple[str, ...]) -> None:
    """Rename a tag; exit."""
    try:
        wanted = parse_renaming(old, new)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    check_targets(targets)
    apply_to(choices, renaming(wanted), wanted.wanted, targets)


def merge(
    choices: CommonOptions, old: str, new: str, targets: tuple[str, ...], *, force: bool
) -> None:
    """Make one tag of several; exit."""
    try:
        keys, _ = split_keys((old,))
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    check_targets(targets)
    apply_to(choices, merging(keys, new, force=force), TagSet({new: ""}), targets)


def copy(choices: CommonOptions, source: str, targets: tuple[str, ...], *, replace: bool) -> None:
    """Give tags of one object to others; exit."""
    check_targets(targets)
    found = _tags_of(choices, source)
    apply_to(choices, replacement(found) if replace else addition(found), found, targets)


def _tags_of(choices: CommonOptions, source: str) -> TagSet:
    """Return the tags of one target.

    Raises:
        TagfsError: they cannot be read.
    """
    single = CommonOptions(parallel=choices.parallel, options=choices.options)
    with start(single) as job:
        items = job.items((source,), with_bucket=True, recursive=False)
        outcomes: list[Outcome] = [read(item) for item in items]
        failed = job.report.finish("", stopped=False)
    if failed:
        sys.exit(failed)
    if len(outcomes) != 1:
        raise click.UsageError(f"{source!r} is {len(outcomes)} objects: name one")
    if outcomes[0].error is not None:
        raise outcomes[0].error
    return outcomes[0].new or NO_TAGS
