"""The commands that keep a vocabulary of tags: rename, merge, copy and import."""

from pathlib import Path

import click

from tagfs.bulk.options import RESTORING, WRITING, CommonOptions, shared
from tagfs.errors import SettingsError
from tagfs.terminal.loading import Loading


@click.command("rename")
@click.argument("old", metavar="KEY[=VALUE]")
@click.argument("new", metavar="NEW")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@shared(WRITING)
def rename_command(choices: CommonOptions, old: str, new: str, targets: tuple[str, ...]) -> None:
    """Give a tag another key, or one of its values another word.

    Other tags stay. An object that has the new key already, with another value, is a failure and
    stays as it is.

    \b
    tagfs tag rename -R Team team oss://photos             a key, whatever its value
    tagfs tag rename -R team=blue navy oss://photos        a value
    tagfs tag rename -R team=blue squad=navy oss://photos  both
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import vocabulary_runs  # noqa: PLC0415  (its help needs none of it)
    vocabulary_runs.rename(choices, old, new, targets)


@click.command("merge")
@click.argument("old", metavar="KEY[,KEY...]")
@click.argument("new", metavar="NEW")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option("--force", is_flag=True, help="where values differ, keep NEW's or the first KEY's")
@shared(WRITING)
def merge_command(
    choices: CommonOptions, old: str, new: str, targets: tuple[str, ...], *, force: bool
) -> None:
    """Make one tag of several, wherever one of them is.

    An object on which they have different values is a failure and stays as it is, unless --force.

    \b
    tagfs tag merge -R Team,TEAM,tema team oss://photos
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import vocabulary_runs  # noqa: PLC0415  (its help needs none of it)
    vocabulary_runs.merge(choices, old, new, targets, force=force)


@click.command("copy")
@click.argument("source")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option("--replace", is_flag=True, help="the targets lose the tags that SOURCE has not")
@shared(WRITING)
def copy_command(
    choices: CommonOptions, source: str, targets: tuple[str, ...], *, replace: bool
) -> None:
    """Give the tags of SOURCE to each TARGET, which keeps its others.

    -R, --include and --exclude are about the targets.

    \b
    tagfs tag copy /mnt/old.pdf /mnt/new.pdf
    tagfs tag copy -R oss://photos/2023/ oss://photos/2024/    a directory's own tags, to all below
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import vocabulary_runs  # noqa: PLC0415  (its help needs none of it)
    vocabulary_runs.copy(choices, source, targets, replace=replace)


@click.command("import")
@click.argument("file", default="-")
@click.option("--key", default="key", show_default=True, help="the column of keys or paths")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="COLUMN[=TAGKEY]",
    help="a column that is a tag; may come again. Else all whose name begins with tag:",
)
@click.option("--encoded", is_flag=True, help="keys are percent-encoded, as in S3's inventories")
@shared(RESTORING)
def import_command(  # noqa: PLR0913  (one for each option)
    choices: CommonOptions,
    file: str,
    key: str,
    columns: tuple[str, ...],
    base: str,
    strip: int,
    *,
    encoded: bool,
    replace: bool,
    keep_going: bool,
    resume: Path | None,
) -> None:
    """Set tags from the columns of a CSV file (FILE, or stdin), a line for each object.

    The first line names the columns. An empty cell says nothing of its tag. All is checked before
    the first change; other tags are kept. If it is interrupted, the same command goes on.

    \b
    key,tag:team,tag:retention
    2024/a.jpg,blue,7y
    tagfs tag import --base oss://photos -o endpoint=... tags.csv
    tagfs tag import --key path --column owner=team --base /mnt athena.csv
    """  # noqa: D301  (click reads \b)
    with Loading():
        from tagfs.bulk import write_runs  # noqa: PLC0415  (its help needs none of it)
        from tagfs.bulk.csv_tags import Columns, parse_columns  # noqa: PLC0415
        from tagfs.bulk.restore_run import RestoreOrder  # noqa: PLC0415
    try:
        table = Columns(key, parse_columns(columns), encoded=encoded)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    order = RestoreOrder(
        name=file,
        read=table.read,
        base=base,
        strip=strip,
        replace=replace,
        keep_going=keep_going,
        progress=resume,
    )
    write_runs.restore(choices, order)
