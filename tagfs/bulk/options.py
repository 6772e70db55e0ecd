"""Options that the commands share, and what a command works with while it runs."""

import contextlib
import functools
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import click

from tagfs.bulk.lookahead import run_ahead
from tagfs.bulk.opened_buckets import OpenedBuckets
from tagfs.bulk.ordered_pool import OrderedPool, Stop, stop_on_signals
from tagfs.bulk.report import Report, Style
from tagfs.bulk.targets import Kind, TagOwner, find_items, read_target, rules_for
from tagfs.config.resolve import check_usage
from tagfs.config.settings import split_options
from tagfs.config.values import MAX_PARALLEL
from tagfs.errors import NotFound, TagfsError
from tagfs.globs import Filter
from tagfs.manual.completion import complete_options
from tagfs.store.tags import NO_TAGS, TagSet

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

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


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A running command."""

    choices: CommonOptions
    places: OpenedBuckets
    report: Report
    stop: Stop

    def items(
        self,
        targets: tuple[str, ...],
        *,
        with_bucket: bool,
        recursive: bool | None = None,
        wanted: TagSet = NO_TAGS,
    ) -> Iterator[TagOwner]:
        """Yield what the targets mean; a target that cannot be reached is reported as a failure.

        So is one, before any request, on which the tags `wanted` cannot be.
        """
        chosen = Filter(self.choices.include, self.choices.exclude)
        deep = self.choices.recursive if recursive is None else recursive
        before = 0
        for position, text in enumerate(targets, 1):
            try:
                target = read_target(text, self.places)
                rules_for(target, recursive=deep).check(wanted)
                found = find_items(target, chosen, recursive=deep, with_bucket=with_bucket)
                if self.report.shows_total:
                    found = self._counted(found, before if position == len(targets) else None)
                count = yield from _count(found)
                if target.kind is Kind.GLOB and not count and not chosen.is_set:
                    raise NotFound("nothing matches")
                before += count
            except TagfsError as error:
                self.report.fail(text, str(error))
                before += 1

    def _counted(self, found: Iterator[TagOwner], before: int | None) -> Iterator[TagOwner]:
        def known(total: int) -> None:
            if before is not None:
                self.report.expect(before + total)

        return run_ahead(found, known)

    def run(
        self, things: Iterable[T], work: Callable[[T], R], item_of: Callable[[T], TagOwner]
    ) -> Iterator[R]:
        """Yield what `work` makes of each thing, in their order, many at a time."""

        def identity(thing: T) -> tuple[int, str]:
            item = item_of(thing)
            return id(item.place), item.address.key.rstrip("/")

        return OrderedPool(work, identity, self.stop, self.choices.parallel).run(things)


def _count(found: Iterator[TagOwner]) -> Generator[TagOwner, None, int]:
    count = 0
    for item in found:
        count += 1
        yield item
    return count


@contextlib.contextmanager
def start(choices: CommonOptions) -> Iterator[CommandRun]:
    """Begin a command: nothing has been asked of any service yet.

    Raises:
        BadUsage: `-o` is wrong, whatever the targets are.
    """
    chosen = split_options(choices.options)
    check_usage(chosen)
    logging.getLogger("tagfs").addHandler(logging.NullHandler())  # the report has the failures
    style = Style(json=choices.json, verbose=choices.verbose, dry=choices.dry_run)
    with (
        OpenedBuckets(chosen, choices.parallel) as places,
        stop_on_signals() as stop,
        Report(style) as report,
    ):
        yield CommandRun(choices, places, report, stop)
