"""Completion: the scripts for the shells, and the mount options after -o."""

from typing import Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
)

from tagfs.config.fuse_options import FUSE_OPTIONS
from tagfs.config.options import TABLE, MountOption
from tagfs.manual.bash_completion import bash_script
from tagfs.manual.mount_options import written

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


def complete_mounts(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the mounts of this host, as its table has them."""
    from tagfs.host.mount_table import present_mounts  # noqa: PLC0415  (two commands need it)

    paths = [mount.path for mount in present_mounts()]
    return [CompletionItem(path) for path in paths if path.startswith(incomplete)]


def complete_options(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return what may stand after -o: names, and values where there are few."""
    before, comma, last = incomplete.rpartition(",")
    name, equals, value = last.partition("=")
    if equals:
        option = TABLE.get(name)
        found = [f"{name}={v}" for v in (option.values if option else ()) if v.startswith(value)]
        return [CompletionItem(before + comma + text) for text in found]
    return [
        CompletionItem(before + comma + text, help=described)
        for text, described in _names()
        if text.startswith(name)
    ]


def _names() -> list[tuple[str, str]]:
    own = [(_bare(option), option.text) for option in TABLE.values()]
    others = [(name, "of libfuse") for name in sorted(FUSE_OPTIONS - set(TABLE))]
    return [*own, ("remount", "change a mount that runs"), *others]


def _bare(option: MountOption) -> str:
    return option.name + "=" * ("=" in written(option))
