"""The group `tagfs tag`."""

import click

from tagfs.bulk.read_commands import dump_command, find_command, get_command
from tagfs.bulk.write_commands import (
    replace_command,
    restore_command,
    rm_command,
    set_command,
    undo_command,
)


@click.group("tag")
def tag_group() -> None:
    """Read and change tags of many objects at once.

    A TARGET is a path of a mount (a link is meant itself, not what it points to; a directory its
    own tags, and with -R all below it) or a URL:

    \b
    oss://bucket/key         one object          oss://bucket         the bucket's own tags
    oss://bucket/dir/        a directory         oss://bucket/*.gz    what matches, in one level
    -R oss://bucket/dir      all below it        oss://bucket/**/*.gz at any depth

    URLs are percent-encoded (%2A is a plain *) and need -o endpoint=...; a mount tells it itself.
    Globs in quotes work for paths too. Tags come first, as with env(1): tagfs tag set KEY=VALUE...
    TARGET...

    \b
    Exit status: 0 done, 1 something failed (it is told at the end), 2 bad usage, 130 interrupted.
    """  # noqa: D301  (click reads \b)


for command in (
    get_command,
    set_command,
    replace_command,
    rm_command,
    dump_command,
    restore_command,
    find_command,
    undo_command,
):
    tag_group.add_command(command)
