"""Examples for `--help` of the commands whose own text has none, and for tagfs(1)."""

from collections.abc import Iterator
from typing import Final

import click

from tagfs.terminal.lazy_group import HELP

EXAMPLES: Final = {
    "tagfs": (
        "tagfs demo",
        "tagfs mount oss://photos /mnt -o endpoint=oss-cn-hangzhou.aliyuncs.com",
        "setfattr -n user.tag.team -v blue /mnt/report.pdf",
        "getfattr -d /mnt/report.pdf",
        "tagfs umount /mnt",
    ),
    "tagfs umount": ("tagfs umount /mnt", "tagfs umount -z /mnt"),
    "tagfs demo": ("tagfs demo", "tagfs demo --service s3 /mnt"),
    "tagfs recover": (
        "tagfs recover --list",
        "tagfs recover",
        "tagfs recover --export /tmp/kept /var/cache/tagfs",
    ),
    "tagfs emulator": (
        "tagfs emulator --service oss --listen 127.0.0.1:9000 --data /tmp/data --bucket photos",
    ),
    "tagfs tag": (
        "tagfs tag get /mnt/report.pdf",
        "tagfs tag set team=blue -R /mnt/reports",
        "tagfs tag find team=blue /mnt",
    ),
    "tagfs doctor": ("tagfs doctor oss://photos -o endpoint=oss-cn-hangzhou.aliyuncs.com",),
    "tagfs status": ("tagfs status", "tagfs status /mnt"),
}


def add_example(path: str, command: click.Command) -> None:
    """Give a command, typed as `path`, the examples that its own text lacks."""
    lines = EXAMPLES.get(path, ())
    if lines and not has_example(path, command.help or ""):
        text = "\b\n" + "\n".join(["Examples:", *(f"  {line}" for line in lines)])
        command.epilog = f"{text}\n\n{command.epilog or ''}".rstrip()


def has_example(path: str, text: str) -> bool:
    """Say whether a line of a command's text begins with it, as what people type does."""
    return any(line.strip().startswith(f"{path} ") for line in text.splitlines()[1:])


def commands(command: click.Command, path: str = "tagfs") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, with what is typed for each."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, help_option_names=HELP)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from commands(child, f"{path} {name}")
