"""The command `tagfs umount`."""

from pathlib import Path

import click

from tagfs.manual.completed_values import complete_mounts
from tagfs.terminal.loading import Loading


@click.command("umount")
@click.argument(
    "mountpoint",
    type=click.Path(path_type=Path, readable=False),
    shell_complete=complete_mounts,
)
@click.option("-z", "--lazy", is_flag=True, help="detach now, finish when nobody uses it")
@click.option("--stale", is_flag=True, help="only if its server died; else do nothing")
def umount_command(mountpoint: Path, lazy: bool, stale: bool) -> None:  # noqa: FBT001
    """Take a mount off MOUNTPOINT, and wait until everything is uploaded.

    Exit status 1: it is in use, or something could not be uploaded, which is said.
    """
    with Loading():
        from tagfs.status.umount import unmount_all  # noqa: PLC0415  (its help needs none of it)
    unmount_all(mountpoint, lazy=lazy, stale=stale, say=lambda text: click.echo(text, err=True))
