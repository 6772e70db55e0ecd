"""Reads all of a bucket, or of a part of it, into the catalogue: `tagfs index`.

First the listing, then what it leaves unknown: tags anew, attributes where the listing does not
prove those that are known. What was read is written at once, so that a run that was cut off is
gone on with.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tagfs.bulk.ordered_pool import OrderedPool, Stop
from tagfs.bulk.tag_access import pages_ahead
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.query import Missing, count_missing, missing
from tagfs.errors import NotFound, TagfsError
from tagfs.store.bucket import Bucket
from tagfs.store.versions import is_settled

WAITING: Final = 20_000
"""Listed objects that wait to be written at most."""


@dataclass(slots=True)
class Progress:
    """How far an indexing is.

    Attributes:
        listed: objects that were listed.
        total: those of which something has to be read; None until the listing is complete.
        read: those of which that was done.
        failed: those of which it could not be, and why the first ones could not.
    """

    listed: int = 0
    total: int | None = None
    read: int = 0
    failed: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexer:
    """Fills a catalogue.

    Args:
        with_detail: read attributes as well as tags.
        now_ns: the service's clock, which Last-Modified is of.
        on_progress: called after every step.
    """

    bucket: Bucket
    catalogue: Catalogue
    parallel: int
    with_detail: bool
    stop: Stop
    now_ns: Callable[[], int]
    on_progress: Callable[[Progress], None]

    def run(self, prefix: str) -> Progress:
        """Read all keys that begin with `prefix`.

        Raises:
            TagfsError: it cannot be listed, or the catalogue takes no more.
        """
        progress = Progress()
        began = self.catalogue.begin_scan(prefix)
        self._list(prefix, progress)
        self.catalogue.flush()
        self.catalogue.check_scan(began)
        if self.stop:
            return progress
        wanted = self.with_detail
        progress.total = count_missing(self.catalogue, prefix, began, with_detail=wanted)
        self.on_progress(progress)
        items = missing(self.catalogue, prefix, began, with_detail=wanted)
        pool = OrderedPool(self._read, lambda item: item.key, self.stop, self.parallel)
        for error in pool.run(items):
            progress.read += 1
            if error is not None:
                progress.failed += 1
                progress.reasons = (*progress.reasons, error)[:5]
            self.on_progress(progress)
            self.catalogue.check_scan(began)
        if not self.stop:
            self.catalogue.end_scan(prefix, began)
        self.catalogue.flush()
        return progress

    def _list(self, prefix: str, progress: Progress) -> None:
        asked = time.monotonic()
        for page in pages_ahead(self.bucket, prefix, delimiter=""):
            age = time.monotonic() - asked
            for info in page.objects:
                self.catalogue.saw(info, age=age)
            progress.listed += len(page.objects)
            self.on_progress(progress)
            if self.catalogue.waiting > WAITING:
                self.catalogue.flush()
            if self.stop:
                return

    def _read(self, item: Missing) -> str | None:
        """Read what is missing of one object; return why it could not be."""
        try:
            if item.detail:
                self._read_detail(item)
            if item.tags:
                asked = time.monotonic()
                tags = self.bucket.get_tags(item.key)
                self.catalogue.saw_tags(item.key, tags, age=time.monotonic() - asked)
        except NotFound:
            self.catalogue.drop(item.key)
        except TagfsError as error:
            return f"{item.key}: {error}"
        return None

    def _read_detail(self, item: Missing) -> None:
        asked = time.monotonic()
        info = self.bucket.head(item.key, expected=item.type)
        age = time.monotonic() - asked
        settled = is_settled(info.last_modified_ns, self.now_ns() - int(age * 1e9))
        self.catalogue.saw(info, age=age, detail_age=age, settled=settled)
