"""What a mount has of this host's catalogue: its memory, and which files it shows."""

import logging
import time
from typing import Any

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.database import Unusable
from tagfs.catalogue.expression import parse_expression
from tagfs.catalogue.filtered_bucket import FilteredBucket
from tagfs.catalogue.mount_memory import MountMemory
from tagfs.catalogue.place import open_catalogue
from tagfs.catalogue.query import last_scan, size_on_disk
from tagfs.config.bucket_settings import catalogue_file
from tagfs.config.settings import Settings
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.client.client import Client

log = logging.getLogger(__name__)


def catalogue_of(settings: Settings) -> Catalogue | None:
    """Open this host's catalogue of the bucket; a read-only mount needs no disk and begins none."""
    name = catalogue_file(settings)
    begins = (
        not settings.read_only
        or bool(settings.only)
        or (settings.cache_dir / "catalogue" / name).exists()
    )
    if settings.catalogue == "off" or not begins:
        return None
    try:
        return open_catalogue(settings.cache_dir, name, settings.catalogue_size)
    except Unusable as error:
        log.warning("without a catalogue, and views of tags: %s", error)
        return None


def described(catalogue: Catalogue, prefix: str) -> dict[str, Any]:
    """Return what a mount tells of its catalogue: its size, and when all below was read last.

    Who asks may have interrupted anybody, so no lock is waited for.
    """
    at = last_scan(catalogue, prefix)
    return {
        "index_bytes": size_on_disk(catalogue),
        "index_age_seconds": None if at is None else round(catalogue.clock.age(at), 1),
    }


def part_shown(
    settings: Settings, bucket: CachedBucket, catalogue: Catalogue | None
) -> FilteredBucket | None:
    """Return the part of a bucket that is to be shown, None if that is all of it."""
    if not settings.only:
        return None
    wanted = parse_expression(settings.only)
    if not (settings.read_only or settings.rules or wanted.matches(bucket.default_tags)):
        log.info("new files would not match only=%s: none can be made (default_tags)", wanted)
    return FilteredBucket(bucket, wanted, catalogue)


def memory_of(
    settings: Settings, client: Client, catalogue: Catalogue | None
) -> MountMemory | None:
    """Return what a mount's cache remembers beyond its own time, None for nothing."""
    if catalogue is None:
        return None
    return MountMemory(
        catalogue,
        time.monotonic,
        ttl=settings.ttl,
        tag_ttl=settings.tag_ttl,
        edits_show=client.dialect.edits_show,
    )
