"""The command `tagfs tag check`: what does not follow the rules, and mending it."""

import click

from tagfs.bulk.options import WRITING, CommonOptions, shared
from tagfs.terminal.loading import Loading


@click.command("check")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--fix", is_flag=True, help="set the required tags that are missing, where rules say")
@shared(WRITING)
def check_command(choices: CommonOptions, targets: tuple[str, ...], *, fix: bool) -> None:
    """Name what does not follow the rules (-o rules=FILE, or those of the mount).

    With --fix, required tags that are missing are set, where the rules have a value for them or the
    directory hands one on; values that are not allowed are only reported. Exit status 1 when
    something does not follow the rules in the end.

    \b
    tagfs tag check -R /mnt
    tagfs tag check -R --fix --dry-run oss://photos -o rules=/etc/photos-rules.toml,endpoint=...
    tagfs tag check -R --fix --audit today.jsonl /mnt ; tagfs tag undo today.jsonl
    """  # noqa: D301  (click reads \b)
    if not fix and (choices.dry_run or choices.audit):
        raise click.UsageError("without --fix nothing is changed")
    with Loading():
        from tagfs.bulk import check_run  # noqa: PLC0415  (its help needs none of it)
    check_run.check(choices, targets, fix=fix)
