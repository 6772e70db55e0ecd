"""The group `tagfs tag`."""

from typing import Final

import click

from tagfs.terminal.lazy_group import Later, LazyGroup

COMMANDS: Final = {
    "check": Later(
        "tagfs.bulk.check_command",
        "check_command",
        "Name what does not follow the rules (-o rules=FILE, or those of the mount).",
    ),
    "copy": Later(
        "tagfs.bulk.vocabulary_commands",
        "copy_command",
        "Give the tags of SOURCE to each TARGET, which keeps its others.",
    ),
    "dump": Later(
        "tagfs.bulk.read_commands",
        "dump_command",
        "Write tags as `getfattr -d` does, for `tagfs tag restore` or `setfattr --restore`.",
    ),
    "find": Later(
        "tagfs.bulk.find_command",
        "find_command",
        "Name all below TARGET... whose tags match EXPRESSION.",
    ),
    "get": Later(
        "tagfs.bulk.read_commands",
        "get_command",
        "Show tags, one `KEY=VALUE` a line; with several targets or -R after the name.",
    ),
    "import": Later(
        "tagfs.bulk.vocabulary_commands",
        "import_command",
        "Set tags from the columns of a CSV file (FILE, or stdin), a line for each object.",
    ),
    "merge": Later(
        "tagfs.bulk.vocabulary_commands",
        "merge_command",
        "Make one tag of several, wherever one of them is.",
    ),
    "rename": Later(
        "tagfs.bulk.vocabulary_commands",
        "rename_command",
        "Give a tag another key, or one of its values another word.",
    ),
    "replace": Later("tagfs.bulk.write_commands", "replace_command", "Make these the only tags."),
    "restore": Later(
        "tagfs.bulk.write_commands",
        "restore_command",
        "Write back what `tagfs tag dump` or `getfattr -d` has written (DUMP, or stdin).",
    ),
    "rm": Later("tagfs.bulk.write_commands", "rm_command", "Remove tags, which need not be there."),
    "set": Later("tagfs.bulk.write_commands", "set_command", "Set tags, keeping all others."),
    "stat": Later(
        "tagfs.bulk.stat_command",
        "stat_command",
        "Count the tags of all below TARGET...: keys, values, objects, bytes, and what has none.",
    ),
    "undo": Later(
        "tagfs.bulk.write_commands",
        "undo_command",
        "Put back the old tags that an --audit file recorded.",
    ),
    "untagged": Later(
        "tagfs.bulk.find_command",
        "untagged_command",
        "Name all below TARGET... that have no tags.",
    ),
}
"""Each with the first paragraph of its help."""


@click.group("tag", cls=LazyGroup, later=COMMANDS)
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
    Exit status: 0 done, 1 something failed (reported at the end), 2 bad usage, 130 interrupted.
    """  # noqa: D301  (click reads \b)
