"""Which objects have tags that match, by one of the ways to know: each yields `Found`, in order."""

from collections.abc import Iterator
from dataclasses import dataclass

from tagfs.bulk.command_run import CommandRun
from tagfs.bulk.edits import read
from tagfs.bulk.tag_access import Address
from tagfs.bulk.targets import TagOwner, Target, below, find_items, is_shown
from tagfs.catalogue import query
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.expression import Expression
from tagfs.catalogue.index_condition import narrow
from tagfs.globs import Filter
from tagfs.store.objects import ObjectInfo
from tagfs.store.tag_index import TagIndex
from tagfs.store.tags import NO_TAGS, TagSet


@dataclass(frozen=True, slots=True)
class Found:
    """An object that matches.

    Attributes:
        info: as it was listed; None where nobody did.
        age: how many seconds ago its tags were read.
    """

    shown: str
    tags: TagSet
    info: ObjectInfo | None
    age: float = 0.0


def walk(job: CommandRun, target: Target, wanted: Expression) -> Iterator[Found]:
    """Ask for the tags of everything below a target."""
    chosen = Filter(job.choices.include, job.choices.exclude)
    yield from confirmed(job, find_items(target, chosen, recursive=True, with_bucket=False), wanted)


def confirmed(job: CommandRun, items: Iterator[TagOwner], wanted: Expression) -> Iterator[Found]:
    """Ask for the tags of items, and yield those that match."""
    for outcome in job.run(items, read, _itself):
        tags = outcome.new or NO_TAGS
        item = outcome.item
        if outcome.error is not None or outcome.gone:
            job.report.found(outcome, None, {})
        elif wanted.matches(tags):
            job.report.skip()
            yield Found(item.shown, tags, item.info)
        else:
            job.report.skip()


def _itself(item: TagOwner) -> TagOwner:
    return item


def index_age(target: Target) -> float | None:
    """Return how old the index of all below a target is, in seconds; None without any."""
    prefix, catalogue = below(target), target.place.catalogue
    if prefix is None or catalogue is None:
        return None
    at = catalogue.scanned_at(prefix)
    return None if at is None else catalogue.clock.age(at)


def from_index(job: CommandRun, target: Target, wanted: Expression) -> Iterator[Found]:
    """Answer from the catalogue, without a request."""
    prefix, catalogue = below(target), target.place.catalogue
    assert prefix is not None  # noqa: S101  (who calls asked for the age)
    assert catalogue is not None  # noqa: S101
    chosen = Filter(job.choices.include, job.choices.exclude)
    for known in query.find(catalogue, prefix, wanted):
        if (
            known.tags is None
            or not chosen.wants(_name(known.key, prefix))
            or not is_shown(target.place, known.key)
        ):
            continue
        age = catalogue.clock.age(known.tags_at)
        yield Found(target.show(known.key), known.tags, known.info, age)


def from_service(
    job: CommandRun, target: Target, index: TagIndex, wanted: Expression
) -> Iterator[Found]:
    """Ask the service's index, and each object that matches there whether it does."""
    prefix = below(target)
    assert prefix is not None  # noqa: S101  (who calls asked for the index)
    chosen = Filter(job.choices.include, job.choices.exclude)

    def candidates() -> Iterator[TagOwner]:
        for one in index.find(prefix, narrow(wanted)):
            key = one.info.key
            if not wanted.matches(one.tags) or not is_shown(target.place, key):
                continue
            if chosen.wants(_name(key, prefix)):
                address, shown = Address(key), target.show(key)
                yield TagOwner(target.place, address, shown, listed=True, info=one.info)

    return confirmed(job, candidates(), wanted)


def _name(key: str, prefix: str) -> str:
    """Return what a glob is compared with: the path below a prefix."""
    return key[len(prefix) :] or prefix.rstrip("/").rpartition("/")[2]


def left_out(target: Target) -> int:
    """Return of how many objects below a target the catalogue does not know the tags."""
    prefix, catalogue = below(target), target.place.catalogue
    return _unknown(catalogue, prefix) if catalogue and prefix is not None else 0


def _unknown(catalogue: Catalogue, prefix: str) -> int:
    return query.unknown_tags(catalogue, prefix)
