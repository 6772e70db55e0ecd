"""What a command works with while it runs."""

import contextlib
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tagfs.bulk.lookahead import run_ahead
from tagfs.bulk.opened_buckets import OpenedBuckets
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.ordered_pool import OrderedPool, Stop, stop_on_signals
from tagfs.bulk.report import Report, Style
from tagfs.bulk.targets import Kind, TagOwner, find_items, read_target, rules_for
from tagfs.config.resolve import check_usage
from tagfs.config.settings import split_options
from tagfs.errors import NotFound, TagfsError
from tagfs.globs import Filter
from tagfs.store.tags import NO_TAGS, TagSet

T = TypeVar("T")
R = TypeVar("R")


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
