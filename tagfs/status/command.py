"""The command `tagfs status`: exit status 0 if everything that was asked for answers."""

from pathlib import Path

import click

from tagfs.manual.completed_values import complete_mounts
from tagfs.terminal.loading import Loading

_SHORTEST = 0.1  # seconds between two looks


@click.command("status")
@click.argument(
    "mountpoint",
    type=click.Path(path_type=Path, readable=False),
    required=False,
    shell_complete=complete_mounts,
)
@click.option(
    "--watch",
    type=click.FloatRange(min=_SHORTEST),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="look again every 2 (or so many) seconds, until Ctrl-C",
)
@click.option("--json", "as_json", is_flag=True, help="for programs: one JSON line each time")
def status_command(mountpoint: Path | None, watch: float | None, as_json: bool) -> None:  # noqa: FBT001
    """Show the mounts of this host, or how the one at MOUNTPOINT fares.

    \b
    tagfs status
    tagfs status /mnt
    tagfs status /mnt --watch

    Nothing ever waits for a mount whose server died (stale), or that does not answer (silent). Exit
    status 1: one of those that were asked for is such a one.
    """  # noqa: D301  (click reads the control character)
    with Loading():
        from tagfs.status.look import look  # noqa: PLC0415  (its help needs none of it)
    look(mountpoint, watch, as_json=as_json)
