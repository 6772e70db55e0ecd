"""The command `tagfs emulator`."""

import sys

import click

from tagfs.errors import TagfsError
from tagfs.extras import EMULATOR, how_to_add
from tagfs.terminal.loading import Loading


@click.command(
    "emulator",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def emulator_command(arguments: tuple[str, ...]) -> None:
    """Run a local object-storage service (see `tagfs emulator --help`)."""
    try:
        with Loading():
            from tagfs.emulator.__main__ import main as emulator_main  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise TagfsError(f"the emulator needs {how_to_add(EMULATOR)} ({error})") from None
    sys.exit(emulator_main(list(arguments)))
