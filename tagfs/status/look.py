"""What `tagfs status` does: it looks at mounts, once or again and again, and shows what it sees."""

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import click

from tagfs.errors import SettingsError
from tagfs.host.mount_table import find_mount, present_mounts
from tagfs.status import query, render
from tagfs.status.query import Report, State
from tagfs.terminal.loading import Loading


def look(mountpoint: Path | None, watch: float | None, *, as_json: bool) -> None:
    """Show all mounts, or the one at `mountpoint`, every `watch` seconds; exit."""
    if watch is None:
        reports = _look(mountpoint)
        _show(reports, mountpoint, as_json=as_json)
        sys.exit(any(report.state in (State.STALE, State.SILENT) for report in reports))
    interrupted = threading.Event()  # an exception alone is lost where it strikes a destructor

    def on_interrupt(_number: int, _frame: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, on_interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        if not as_json:
            _watch(mountpoint, watch, interrupted)
        while not interrupted.is_set():
            _show(_look(mountpoint), mountpoint, as_json=True)
            time.sleep(watch)


def _look(mountpoint: Path | None) -> list[Report]:
    if mountpoint is None:
        return query.ask_all()
    wanted = os.path.abspath(mountpoint)  # noqa: PTH100  (nothing of a mount that hangs is touched)
    mount = find_mount(wanted, present_mounts())
    if mount is None:
        raise SettingsError(f"{wanted} is not on a mount of tagfs: see `tagfs status`")
    return [query.ask(mount)]


def _show(reports: list[Report], mountpoint: Path | None, *, as_json: bool) -> None:
    if as_json:
        found = [report.as_json() for report in reports]
        click.echo(json.dumps(found if mountpoint is None else found[0]))
        return
    if mountpoint is not None:
        for line in render.page(reports[0]):
            click.echo(line)
        return
    if not reports:
        click.echo("no bucket is mounted here")
        return
    for line in render.table(reports, _width()):
        click.echo(line)
    for report in reports:
        if report.advice:
            click.echo(f"{report.mountpoint}: {report.state}: {report.advice}")


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _watch(mountpoint: Path | None, seconds: float, interrupted: threading.Event) -> None:
    with Loading():
        from rich.live import Live  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

    with Live(auto_refresh=False, screen=False) as live:
        while not interrupted.is_set():
            lines = render.table(_look(mountpoint), _width())
            live.update(Text("\n".join(lines), no_wrap=True), refresh=True)
            time.sleep(seconds)
