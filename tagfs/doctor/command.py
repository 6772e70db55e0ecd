"""The command `tagfs doctor`: exit status 1 if anything fails."""

import contextlib
import json
import logging
import os
import signal
import sys

import click

from tagfs.doctor.findings import Level
from tagfs.manual.completed_values import complete_options
from tagfs.terminal.loading import Loading

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAIL: "red"}


@click.command("doctor")
@click.argument("url")
@click.option(
    "-o",
    "options",
    multiple=True,
    metavar="OPT[,OPT=VALUE...]",
    help="mount options",
    shell_complete=complete_options,
)
@click.option(
    "--write", is_flag=True, help="try the rights to write, on scratch objects that are removed"
)
@click.option("--json", "as_json", is_flag=True, help="for programs: one JSON line a finding")
def doctor_command(url: str, options: tuple[str, ...], write: bool, as_json: bool) -> None:  # noqa: FBT001
    """Say what would keep URL from being mounted and used, and what to do about it.

    \b
    tagfs doctor oss://photos -o endpoint=oss-cn-hangzhou.aliyuncs.com
    tagfs doctor s3://photos/2026 -o region=eu-west-1,allow_other --write

    Each line is ok, a warning or FAIL. Without --write nothing is changed. Exit status 1: something
    fails.
    """  # noqa: D301  (click reads the control character)
    with Loading():
        from tagfs.config.resolve import choose  # noqa: PLC0415  (its help needs none of it)
        from tagfs.config.settings import parse_url, split_options  # noqa: PLC0415
        from tagfs.doctor.run import examine  # noqa: PLC0415
    settings = choose(parse_url(url), split_options(options))
    log = logging.getLogger("tagfs")  # findings are reported once, here
    log.addHandler(logging.NullHandler())
    log.propagate = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    failed = False
    # Closed whatever happens here: what was written on trial goes then.
    with contextlib.closing(examine(settings, write=write and not settings.read_only)) as findings:
        for finding in findings:
            failed |= finding.level is Level.FAIL
            if as_json:
                click.echo(json.dumps(finding.as_json()))
                continue
            level, _, rest = str(finding).partition(" ")
            plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
            styled = level if plain else click.style(level, fg=_COLOURS[finding.level])
            click.echo(f"{styled} {rest}")
    sys.exit(failed)
