"""Completion: the scripts for the shells."""

from typing import Final

import click
from click.shell_completion import (
    BashComplete,
    add_completion_class,
    get_completion_class,
)

from tagfs.manual.bash_completion import bash_script

FILES: Final = {
    "bash": "bash-completion/completions/tagfs",
    "zsh": "zsh/site-functions/_tagfs",
    "fish": "fish/vendor_completions.d/tagfs.fish",
}
"""Where each shell looks for it, below PREFIX/share."""


class Bash(BashComplete):
    """What `_TAGFS_COMPLETE=bash_source tagfs` prints: the script that is installed as well."""

    def source(self) -> str:
        """Return the script."""
        assert isinstance(self.cli, click.Group)  # noqa: S101  (it is ours)
        return bash_script(self.cli)


add_completion_class(Bash, "bash")


def script(group: click.Group, shell: str) -> str:
    """Return the completion script for "bash", "zsh" or "fish"."""
    maker = get_completion_class(shell)
    assert maker is not None  # noqa: S101  (click has these three)
    return maker(group, {}, "tagfs", "_TAGFS_COMPLETE").source()
