"""What `tagfs mount` does: it checks what was chosen, then serves, or changes what is served."""

import gc
from collections.abc import Mapping
from pathlib import Path

import click

from tagfs.config.resolve import choose
from tagfs.config.settings import parse_url, split_options
from tagfs.config.tag_policy import tag_policy
from tagfs.host.daemonize import run_in_background
from tagfs.host.mountpoint import check_apart, check_mountpoint
from tagfs.host.remount import OF_TABLE, remount
from tagfs.monitoring import logs
from tagfs.terminal.loading import Loading


def mount(url: str, mountpoint: Path, options: tuple[str, ...], *, foreground: bool) -> None:
    """Mount, in the background unless `foreground`; or remount."""
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
    gc.freeze()  # what was loaded stays: each full collection would look through it in vain

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
