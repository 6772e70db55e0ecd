"""The command line. Exit codes: 0 done, 1 the operation failed, 2 bad usage.

Nothing is imported here that one command alone needs; `__main__` begins a process.
"""

import os
import sys
from pathlib import Path
from typing import Final

import click

from tagfs import __version__
from tagfs.errors import BadUsage, TagfsError
from tagfs.host.hidden_arguments import hide_passwords
from tagfs.manual.examples import add_example
from tagfs.terminal.lazy_group import HELP, Later, LazyGroup

EPILOG = """
Credentials come from credentials=FILE, from the variables and files of each
vendor's tools, or from the machine's role; see tagfs-mount(8):

\b
oss://  OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET, OSS_SESSION_TOKEN
obs://  OBS_ACCESS_KEY_ID, OBS_SECRET_ACCESS_KEY, OBS_SECURITY_TOKEN
s3://   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
"""


COMMANDS: Final = {
    "demo": Later(
        "tagfs.commands.demo",
        "demo_command",
        "Show a mounted bucket with tags, with no account: a local service, filled and mounted.",
    ),
    "doctor": Later(
        "tagfs.doctor.command",
        "doctor_command",
        "Say what would keep URL from being mounted and used, and what to do about it.",
    ),
    "emulator": Later(
        "tagfs.commands.emulator",
        "emulator_command",
        "Run a local object-storage service (see `tagfs emulator --help`).",
    ),
    "help": Later("tagfs.commands.help", "help_command", "Show the help of a command."),
    "index": Later(
        "tagfs.bulk.index_command",
        "index_command",
        "Read tags and attributes of all below TARGET... into this host's index of the bucket.",
    ),
    "mount": Later(
        "tagfs.commands.mount",
        "mount_command",
        "Mount URL (oss://, obs:// or s3://bucket[/prefix]) on the directory MOUNTPOINT.",
    ),
    "recover": Later(
        "tagfs.recovery.command",
        "recover_command",
        "Finish what mounts that ended early had staged in CACHE_DIR.",
    ),
    "restore": Later(
        "tagfs.bulk.restore_command",
        "restore_command",
        "Let archived objects be read for some days; the service takes hours for that.",
    ),
    "status": Later(
        "tagfs.status.command",
        "status_command",
        "Show the mounts of this host, or how the one at MOUNTPOINT fares.",
    ),
    "tag": Later(
        "tagfs.bulk.commands",
        "tag_group",
        "Read and change tags of many objects at once.",
    ),
    "umount": Later(
        "tagfs.commands.umount",
        "umount_command",
        "Take a mount off MOUNTPOINT, and wait until everything is uploaded.",
    ),
    "undelete": Later(
        "tagfs.bulk.undelete_command",
        "undelete_command",
        "Bring back what was deleted in a bucket that keeps versions, with its tags.",
    ),
}
"""Each with the first paragraph of its help."""


class MainGroup(LazyGroup):
    """All commands, with their examples."""

    def on_load(self, name: str, command: click.Command) -> None:
        """Add the examples of a command."""
        add_example(f"tagfs {name}", command)


@click.group(
    cls=MainGroup,
    later=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": HELP},
)
@click.version_option(__version__, prog_name="tagfs")
def main_group() -> None:
    """Mount an object-storage bucket and edit its tags as extended attributes."""


add_example("tagfs", main_group)


def main() -> None:
    """Run a command; a failure is one line on stderr and exit status 1, or 2 for a wrong option.

    For mount(8) that is 1 as well: 2 would be an error of the system to it.
    """
    hide_passwords()
    arguments = sys.argv[1:]
    usage = 2
    if Path(sys.argv[0]).name.startswith("mount."):
        arguments = as_helper(arguments)
    if arguments and "://" in arguments[0]:
        arguments.insert(0, "mount")  # as mount.fuse(8) calls it: tagfs URL MOUNTPOINT -o ...
        usage = 1
    if "_TAGFS_COMPLETE" in os.environ:
        import tagfs.manual.completion  # noqa: F401, PLC0415  (bash has a script of its own)
    try:
        main_group.main(arguments, prog_name="tagfs")
    except TagfsError as error:
        sys.stderr.write(f"tagfs: {error}\n")
        sys.exit(usage if isinstance(error, BadUsage) else 1)


def as_helper(arguments: list[str]) -> list[str]:
    """Return what mount(8) means when it calls us as /sbin/mount.fuse.tagfs.

    Its flags are others than ours: -s, -n and -v change nothing here, -t names the type, and -f
    is a rehearsal.
    """
    left = iter(arguments)
    kept = []
    for argument in left:
        if argument == "-t":
            next(left, None)
        elif argument == "-f":
            sys.exit(0)
        elif argument not in {"-s", "-n", "-v"}:
            kept.append(argument)
    return kept
