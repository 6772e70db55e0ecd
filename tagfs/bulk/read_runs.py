"""What the commands do that show tags: get and dump."""

import sys

from tagfs.bulk.command_run import CommandRun, start
from tagfs.bulk.edits import Outcome, read
from tagfs.bulk.getfattr_format import render_block
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.report import printable
from tagfs.bulk.targets import TagOwner
from tagfs.store.tags import NO_TAGS


def _itself(item: TagOwner) -> TagOwner:
    return item


def get(choices: CommonOptions, targets: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Show tags; exit."""
    alone = len(targets) == 1 and not choices.recursive
    with start(choices) as job:
        for outcome in job.run(job.items(targets, with_bucket=True), read, _itself):
            _show(job, outcome, keys, alone=alone)
        status = job.report.finish("", stopped=bool(job.stop))
    sys.exit(status)


def _show(job: CommandRun, outcome: Outcome, keys: tuple[str, ...], *, alone: bool) -> None:
    tags = {k: v for k, v in (outcome.new or NO_TAGS).items() if not keys or k in keys}
    item = outcome.item
    missing = [key for key in keys if key not in tags]
    if missing and outcome.error is None and not item.listed:
        job.report.fail(item.shown, f"no tag {missing[0]!r}")
        return
    head = "" if alone and not item.listed else f"{printable(item.shown)}: "
    lines = "".join(f"{head}{k}={v}\n" for k, v in tags.items())
    job.report.found(outcome, lines, {"path": item.shown, "tags": tags})


def dump(choices: CommonOptions, targets: tuple[str, ...]) -> None:
    """Write a dump; exit."""
    shadows = Shadows()
    with start(choices) as job:
        for outcome in job.run(job.items(targets, with_bucket=True), read, _itself):
            item = outcome.item
            path = dump_path(item, is_shadow=shadows.cast(item.address.key))
            tags = outcome.new or NO_TAGS
            block = render_block(path, tags, link=item.is_link)
            job.report.found(outcome, block, {"path": path, "tags": dict(tags)})
        status = job.report.finish("", stopped=bool(job.stop))
    sys.exit(status)


class Shadows:
    """Notices a directory's marker whose name an object has too: there the "/" is kept.

    Keys come in order, so an object `a` is remembered only while keys begin with "a".
    """

    def __init__(self) -> None:
        self._open: list[str] = []

    def cast(self, key: str) -> bool:
        """Take the next key; say whether it is a marker beside an object of that name."""
        while self._open and not key.startswith(self._open[-1]):
            self._open.pop()
        if key.endswith("/"):
            return key[:-1] in self._open
        self._open.append(key)
        return False


def dump_path(item: TagOwner, *, is_shadow: bool) -> str:
    """Return the path of a dump's block: of a mount, as getfattr names what it was given."""
    key = item.address.key
    path = item.shown if item.place.mount is not None else key
    if item.place.mount is not None:
        path = path[2:].lstrip("/") if path.startswith("./") else path.lstrip("/")
    plain = not is_shadow and not key.endswith("//")
    if key.endswith("/"):
        path = path.rstrip("/") + "/" * (not plain) if item.place.mount else path[: -plain or None]
    return path or "."
