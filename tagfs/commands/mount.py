"""The command `tagfs mount`."""

from pathlib import Path

import click

from tagfs.manual.completed_values import complete_options
from tagfs.manual.mount_options import help_text
from tagfs.terminal.loading import Loading


@click.command("mount", epilog=help_text())
@click.argument("url")
@click.argument("mountpoint", type=click.Path(path_type=Path, readable=False))
@click.option(
    "-o",
    "options",
    multiple=True,
    metavar="OPT[,OPT=VALUE...]",
    help="mount options",
    shell_complete=complete_options,
)
@click.option(
    "-f",
    "--foreground",
    is_flag=True,
    help="stay in the foreground, log to stderr unless there is a log_file",
)
def mount_command(url: str, mountpoint: Path, options: tuple[str, ...], foreground: bool) -> None:  # noqa: FBT001
    """Mount URL (oss://, obs:// or s3://bucket[/prefix]) on the directory MOUNTPOINT.

    \b
    tagfs mount oss://photos /mnt -o endpoint=oss-cn-hangzhou.aliyuncs.com
    tagfs mount obs://photos /mnt -o region=cn-north-4
    tagfs mount s3://photos /mnt -o region=eu-west-1
    """  # noqa: D301  (click reads the control character)
    with Loading():
        from tagfs.commands import mount_run  # noqa: PLC0415  (its help needs none of it)
    mount_run.mount(url, mountpoint, options, foreground=foreground)
