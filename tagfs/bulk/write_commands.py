"""The commands that change tags: set, replace, rm, restore and undo."""

from pathlib import Path

import click

from tagfs.bulk.options import FROM_FILE, RESTORING, WRITING, CommonOptions, shared
from tagfs.terminal.loading import Loading

TAGGING = click.option(
    "--tagging", metavar="K1=V1&K2=V2", help="tags percent-encoded, as user.tagging shows them"
)
WORDS = click.argument("words", nargs=-1, metavar="KEY=VALUE... TARGET...")


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
    with Loading():
        from tagfs.bulk import write_runs  # noqa: PLC0415  (its help needs none of it)
    write_runs.add(choices, words, tagging)


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
    with Loading():
        from tagfs.bulk import write_runs  # noqa: PLC0415  (its help needs none of it)
    write_runs.replace(choices, words, tagging)


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
    with Loading():
        from tagfs.bulk import write_runs  # noqa: PLC0415  (its help needs none of it)
    write_runs.remove(choices, words, everything=everything)


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
    with Loading():
        from tagfs.bulk import write_runs  # noqa: PLC0415  (its help needs none of it)
        from tagfs.bulk.getfattr_format import read_blocks  # noqa: PLC0415
        from tagfs.bulk.restore_run import RestoreOrder  # noqa: PLC0415
    order = RestoreOrder(
        name=dump,
        read=read_blocks,
        base=base,
        strip=strip,
        replace=replace,
        keep_going=keep_going,
        progress=resume,
    )
    write_runs.restore(choices, order)


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
    with Loading():
        from tagfs.bulk import write_runs  # noqa: PLC0415  (its help needs none of it)
    write_runs.undo(choices, audit_file)
