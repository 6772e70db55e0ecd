"""What `tagfs tag stat` does: it counts, and shows the counts as a table."""

import sys
from collections.abc import Callable, Iterator
from typing import Final, Literal

from tagfs.bulk.answers import Answers
from tagfs.bulk.command_run import CommandRun, start
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.search import Found, index_age
from tagfs.bulk.statistics import TagSums
from tagfs.bulk.targets import read_target
from tagfs.catalogue.expression import Expression, parse_expression
from tagfs.errors import TagfsError
from tagfs.store.tags import TagSet
from tagfs.terminal.columns import line, widths

EVERYTHING: Final[Expression] = parse_expression("* or not *")

DIRECTORIES: Final = ["DIRECTORY", "KEYS", "UNTAGGED", "OBJECTS", "SIZE"]


def count(  # noqa: PLR0913  (one for each option)
    choices: CommonOptions,
    targets: tuple[str, ...],
    *,
    keys: tuple[str, ...],
    depth: int,
    values: int,
    index: Literal["auto", "local", "walk"],
    max_age: float | None,
) -> None:
    """Count the tags of all that the targets mean; exit."""
    with start(choices) as job:
        answers = _Indexed(job, index, max_age)
        sums: dict[str, TagSums] = {} if depth else {"": TagSums()}
        for target, found in answers.all(targets):
            name = _directory(target, found.shown, depth)
            tags = TagSet({k: v for k, v in found.tags.items() if not keys or k in keys})
            size = found.info.size if found.info else 0
            sums.setdefault(name, TagSums()).add(tags, size)
        _show(job, sums, values)
        status = job.report.finish("; ".join(answers.origins), stopped=bool(job.stop))
    sys.exit(status)


class _Indexed:
    """Finds everything: by this host's index where that is young enough."""

    def __init__(
        self, job: CommandRun, index: Literal["auto", "local", "walk"], max_age: float | None
    ) -> None:
        self._job = job
        self._index = index
        self._max_age = max_age
        self.origins: list[str] = []

    def all(self, targets: tuple[str, ...]) -> Iterator[tuple[str, Found]]:
        """Yield all below each target, with the target."""
        for text in targets:
            answers = Answers(self._job, EVERYTHING, self._way(text), self._max_age)
            for found in answers.all((text,)):
                yield text, found
            if (origin := answers.origin()) and origin not in self.origins:
                self.origins.append(origin)

    def _way(self, text: str) -> Literal["local", "walk"]:
        if self._index != "auto":
            return self._index
        if self._max_age is None:
            return "walk"
        try:
            age = index_age(read_target(text, self._job.places))
        except TagfsError:
            return "walk"  # which says why
        return "local" if age is not None and age <= self._max_age else "walk"


def _directory(target: str, name: str, depth: int) -> str:
    """Return the directory that an object counts for: what it is in, as far as `depth` says."""
    if not depth:
        return ""
    base = target.rstrip("/")
    below = name.rstrip("/")[len(base) :].strip("/")
    parts = below.split("/")[:-1][:depth]
    return "/".join([base, *parts])


def _show(job: CommandRun, sums: dict[str, TagSums], values: int) -> None:
    if job.choices.json:
        for name, one in sorted(sums.items()):
            job.report.record({"directory": name, **one.as_json()} if name else one.as_json())
        return
    if "" in sums:
        _table(job.report.write, list(sums[""].rows(values)), left=2)
    else:
        rows = [one.row(name) for name, one in sorted(sums.items())]
        _table(job.report.write, [DIRECTORIES, *rows], left=2)


def _table(write: Callable[[str], None], rows: list[list[str]], *, left: int) -> None:
    kept = range(len(rows[0]))
    wide = widths(rows, list(kept))
    for row in rows:
        write(line(row, list(kept), wide, left=left).rstrip() + "\n")
