"""Commands that are imported when they are typed."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from tagfs.terminal.loading import INTERRUPTED, Loading, Working

HELP: Final = ["-h", "--help"]
"""What asks any command for its help."""


class Word(click.types.StringParamType):
    """A word of the command line, which may be the name of a file as far as a shell can tell."""

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  (click names them)
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Leave it to the shell."""
        return [CompletionItem(incomplete, type="file")]


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is not imported yet.

    Attributes:
        module: where it is.
        name: what it is called there.
        text: what it is for: the first paragraph of its help, which a list shows without it.
    """

    module: str
    name: str
    text: str

    def load(self) -> click.Command:
        """Import the command."""
        with Loading():
            found = getattr(importlib.import_module(self.module), self.name)
        assert isinstance(found, click.Command)  # noqa: S101  (our own table names it)
        return found


class LazyGroup(click.Group):
    """A group that imports only the command that is typed. Ctrl-C ends it without a word."""

    def __init__(self, *arguments: Any, later: Mapping[str, Later], **words: Any) -> None:
        super().__init__(*arguments, **words)
        self._later = later

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, imported or not."""
        return sorted({*super().list_commands(ctx), *self._later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported if need be."""
        if cmd_name in self._later and cmd_name not in self.commands:
            command = self._later[cmd_name].load()
            command.context_settings.setdefault("help_option_names", HELP)
            for parameter in command.params:
                if isinstance(parameter, click.Argument) and parameter.type is click.STRING:
                    parameter.type = Word()
            self.add_command(command, cmd_name)
            self.on_load(cmd_name, command)
        return super().get_command(ctx, cmd_name)

    def on_load(self, name: str, command: click.Command) -> None:
        """Add to a command what its module does not know."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, which imports none of them."""
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        rows = [(name, self._short(name, limit)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so; none is imported."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._short(name)) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with Working():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def _short(self, name: str, limit: int = 45) -> str:
        text = self._later[name].text if name in self._later else self.commands[name].help
        return click.Command(name, help=text).get_short_help_str(limit)
