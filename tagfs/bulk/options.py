"""Options that the commands share."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tagfs.config.limits import MAX_PARALLEL
from tagfs.manual.completed_values import complete_options

R = TypeVar("R")

_OPTIONS: Final = {
    "recursive": click.option("-R", "--recursive", is_flag=True, help="with all that is below"),
    "include": click.option(
        "--include", multiple=True, metavar="GLOB", help="only files whose name (or path) matches"
    ),
    "exclude": click.option(
        "--exclude", multiple=True, metavar="GLOB", help="no files or directories that match"
    ),
    "dry_run": click.option(
        "-n", "--dry-run", is_flag=True, help="tell what would change and the number of requests"
    ),
    "audit": click.option(
        "--audit",
        type=click.Path(path_type=Path, dir_okay=False),
        help="append the old and new tags of every change to this file",
    ),
    "verbose": click.option("-v", "--verbose", is_flag=True, help="name everything that changes"),
    "parallel": click.option(
        "--parallel",
        type=click.IntRange(1, MAX_PARALLEL),
        default=64,
        show_default=True,
        help="requests at once",
    ),
    "json": click.option("--json", is_flag=True, help="tell results as one JSON object a line"),
    "options": click.option(
        "-o",
        "options",
        multiple=True,
        metavar="OPT=VALUE[,...]",
        shell_complete=complete_options,
        help="endpoint, region, addressing, ca_bundle, proxy, timeout, ..., as for tagfs mount",
    ),
    "base": click.option(
        "--base",
        default=".",
        metavar="DIR|URL",
        help="where the file's paths begin: this directory unless chosen, or oss://bucket[/prefix]",
    ),
    "strip": click.option(
        "--strip", default=0, type=click.IntRange(0), help="drop that many components of each path"
    ),
    "replace": click.option(
        "--replace", is_flag=True, help="remove tags that the file does not name"
    ),
    "keep_going": click.option(
        "-k", "--keep-going", is_flag=True, help="write the rest of a file with mistakes"
    ),
    "resume": click.option(
        "--resume",
        type=click.Path(path_type=Path, dir_okay=False),
        help="the progress file, unless FILE.progress",
    ),
}

READING: Final = ("recursive", "include", "exclude", "parallel", "json", "options")
WRITING: Final = (*READING, "dry_run", "audit", "verbose")
REVIVING: Final = (*READING, "dry_run", "verbose")
FROM_FILE: Final = ("dry_run", "audit", "verbose", "parallel", "json", "options")
RESTORING: Final = ("base", "strip", "replace", "keep_going", "resume", *FROM_FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOptions:
    """What the user chose of the shared options."""

    recursive: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dry_run: bool = False
    audit: Path | None = None
    verbose: bool = False
    parallel: int = 64
    json: bool = False
    options: tuple[str, ...] = ()


def shared(names: tuple[str, ...]) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command some of the shared options, as its first argument."""

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def call(**words: Any) -> R:
            known = {f.name for f in fields(CommonOptions)} & words.keys()
            choices = CommonOptions(**{name: words.pop(name) for name in known})
            return command(choices, **words)

        for name in reversed(names):
            call = _OPTIONS[name](call)
        return call

    return decorate
