"""The command `tagfs mount`."""

from collections.abc import Mapping
from pathlib import Path

import click

from tagfs.config.resolve import choose
from tagfs.config.settings import parse_url, split_options
from tagfs.config.tag_policy import tag_policy
from tagfs.host.daemonize import run_in_background
from tagfs.host.mountpoint import check_apart, check_mountpoint
from tagfs.host.remount import OF_TABLE, remount
from tagfs.manual.completion import complete_options
from tagfs.manual.mount_options import help_text
from tagfs.monitoring import logs
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
    given = split_options(options)
    if given.pop("remount", False):
        _remount(url, mountpoint, given)
        return
    chosen = choose(parse_url(url), given)
    directory = check_mountpoint(mountpoint, nonempty=bool(chosen.fuse_options.get("nonempty")))
    names = (
        "cache_dir",
        "log_file",
        "request_log",
        "credentials",
        "ca_bundle",
        "sse_c_key_file",
        "rules",
    )
    check_apart(directory, {name: getattr(chosen, name) for name in names})
    tag_policy(chosen)  # what is wrong with its rules is said here
    with Loading():
        from tagfs.session import serve  # noqa: PLC0415  (after what is mistyped has been said)

    if foreground:
        if chosen.log_file is None:
            logs.to_stderr(chosen.log_level)
        else:
            logs.to_file(chosen.log_level, chosen.log_file)
        serve(chosen, directory, lambda: None, foreground=True)
        return

    def work(ready: object) -> None:
        fallback = chosen.cache_dir / "tagfs.log"
        logs.to_background(chosen.log_level, chosen.log_file, fallback, optional=chosen.read_only)
        serve(chosen, directory, ready)  # type: ignore[arg-type]

    from tagfs.recovery.startup_notice import notice  # noqa: PLC0415

    waiting = notice(chosen)
    if waiting:
        click.echo(f"tagfs: {waiting}", err=True)
    run_in_background(work)


def _remount(url: str, mountpoint: Path, given: Mapping[str, str | bool]) -> None:
    words = {name: value for name, value in given.items() if name not in OF_TABLE}
    if kept := remount(choose(parse_url(url), words), mountpoint, list(words)):
        click.echo(f"tagfs: not changed by remount: {', '.join(kept)}", err=True)
