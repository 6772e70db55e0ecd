"""The command `tagfs help`."""

import click

from tagfs.terminal.loading import Loading


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND...]")
@click.pass_context
def help_command(context: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command.

    \b
    tagfs help
    tagfs help mount
    tagfs help tag set
    """  # noqa: D301  (click reads the control character)
    parent = context.parent
    assert parent is not None  # noqa: S101  (it is a command of the group)
    with Loading():  # nothing more is done
        parent.command.main([*words, "--help"], prog_name="tagfs")
