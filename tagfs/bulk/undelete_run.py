"""What `tagfs undelete` does: it finds what is deleted, and brings it back."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from tagfs.bulk.command_run import CommandRun, start
from tagfs.bulk.options import CommonOptions
from tagfs.bulk.targets import Kind, TagOwner, Target, below, is_shown, item_at, read_target
from tagfs.errors import NotPermitted, SettingsError, TagfsError
from tagfs.globs import Filter
from tagfs.store.object_versions import ObjectVersion, VersionStore, in_order, is_of_trial


@dataclass(frozen=True, slots=True)
class Deleted:
    """One object that may be deleted; its versions, the newest first, where they were listed."""

    item: TagOwner
    versions: Sequence[ObjectVersion] = ()


def undelete(choices: CommonOptions, targets: tuple[str, ...]) -> None:
    """Bring back all that the targets mean; exit."""
    with start(choices) as job:

        def work(one: Deleted) -> tuple[Deleted, str, TagfsError | None]:
            return _undelete(one, dry=choices.dry_run)

        for one, what, error in job.run(_find(job, targets), work, lambda one: one.item):
            if error is not None:
                job.report.fail(one.item.shown, str(error))
            else:
                job.report.did(one.item.shown, what, None if choices.dry_run else one.item)
        would = "would be " if choices.dry_run else ""
        words = f"{job.report.changed} {would}undeleted"
        status = job.report.finish(words, stopped=bool(job.stop))
    sys.exit(status)


def _undelete(one: Deleted, *, dry: bool) -> tuple[Deleted, str, TagfsError | None]:
    """Bring one back; return it, what was done, and what went wrong."""
    address, store = one.item.address, one.item.place.versions
    try:
        if store is None:
            if not dry:
                one.item.place.access.undelete(address)
            return one, "is back", None
        versions = one.versions or store.of_key(address.key)
        version = store.deleted_version(versions)
        if not dry:
            store.undelete(versions)
    except TagfsError as error:
        return one, "", error
    moment = datetime.fromtimestamp(version.info.last_modified_ns // 10**9, UTC)
    return one, f"as of {moment:%Y-%m-%d %H:%M:%S} UTC", None


def _find(job: CommandRun, targets: tuple[str, ...]) -> Iterator[Deleted]:
    """Yield what the targets mean; what cannot be reached is reported as a failure."""
    wanted = Filter(job.choices.include, job.choices.exclude)
    for text in targets:
        try:
            target = read_target(text, job.places)
            if not job.choices.recursive:
                yield _single(target)
            else:
                yield from _below(target, wanted)
        except TagfsError as error:
            job.report.fail(text, str(error))


def _single(target: Target) -> Deleted:
    """Return the object that a target names.

    Raises:
        NotPermitted, SettingsError
    """
    if target.kind is Kind.GLOB:
        raise SettingsError("no glob matches what is deleted: -R with --include does")
    if target.kind in (Kind.DIRECTORY, Kind.BUCKET):
        raise NotPermitted("-R brings back what is below a directory")
    return Deleted(item_at(target, target.key))


def _below(target: Target, wanted: Filter) -> Iterator[Deleted]:
    """Yield all that is deleted at a target and below it."""
    store = target.place.versions
    if store is None:
        raise NotPermitted("-R needs credentials in this shell")
    if target.kind is Kind.GLOB:
        raise SettingsError("no glob matches what is deleted: -R with --include does")
    prefix = below(target)
    if prefix is None:  # no such file: perhaps a directory that was deleted whole
        prefix = target.key + "/"
    if target.kind in (Kind.OBJECT, Kind.NAME):
        itself = store.of_key(target.key)
        if is_deleted(itself):
            yield Deleted(item_at(target, target.key), itself)
    for key, versions in _listed(store, prefix):
        name = key[len(prefix) :] or prefix.rstrip("/").rpartition("/")[2]
        if is_deleted(versions) and wanted.wants(name) and is_shown(target.place, key):
            yield Deleted(item_at(target, key), versions)


def _listed(store: VersionStore, prefix: str) -> Iterator[tuple[str, Sequence[ObjectVersion]]]:
    """Yield all keys with a prefix and their versions, the newest first."""

    def pages() -> Iterator[ObjectVersion]:
        token = None
        while True:
            page = store.list(prefix, delimiter="", token=token)
            # Not every service lists markers among the versions.
            yield from sorted(page.versions, key=lambda version: version.info.key.encode())
            token = page.token
            if token is None:
                return

    for key, versions in groupby(pages(), lambda version: version.info.key):
        yield key, in_order(versions)


def is_deleted(versions: Sequence[ObjectVersion]) -> bool:
    """Say whether an object is deleted, and can come back."""
    if versions and is_of_trial(versions[0].info.key):
        return False
    return bool(versions) and versions[0].is_marker and any(not v.is_marker for v in versions)
