"""A cache over a bucket in memory and over a catalogue on disk, one clock for all."""

import tempfile
from pathlib import Path

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.clock import HostClock
from tagfs.catalogue.mount_memory import MountMemory
from tagfs.catalogue.place import open_catalogue
from tagfs.store.cache.cached_bucket import CachedBucket
from tests.unit.store.cachekit import TAG_TTL, TTL, Kit


class CatalogueKit(Kit):
    """A `Kit` whose cache may begin anew, as a mount does, and remember what a catalogue has."""

    def __init__(
        self, *, ttl: float = TTL, tag_ttl: float = TAG_TTL, edits_show: bool = True, **words
    ) -> None:
        super().__init__(ttl=ttl, tag_ttl=tag_ttl, **words)
        self._words = {"ttl": ttl, "tag_ttl": tag_ttl, **words}
        self._edits_show = edits_show
        self.step = 0.0
        self.boots = 1
        self.booted = self.clock.now - 1000
        self._folder = tempfile.TemporaryDirectory(prefix="tagfs-catalogue-")
        self.catalogue: Catalogue | None = None
        self.remount()

    def remount(self, *, killed: bool = False, booted: bool = False) -> None:
        """Begin anew; `killed`: what was learnt last may be lost; `booted`: the host as well."""
        if self.catalogue is not None:
            if not killed:
                self.catalogue.flush()
            self.catalogue.abandon()
        if booted:
            self.boots += 1
            self.booted = self.clock.now
        host = HostClock(
            lambda: f"boot {self.boots}",
            lambda: self.clock.now - self.booted,
            lambda: self.clock.now + self.step,
        )
        self.catalogue = open_catalogue(Path(self._folder.name), "b.sqlite", 2**30, host)
        self.memory = MountMemory(
            self.catalogue,
            self.clock,
            ttl=self._words["ttl"],
            tag_ttl=self._words["tag_ttl"],
            edits_show=self._edits_show,
        )
        self.cache = CachedBucket(
            self.inner,
            clock=self.clock,
            wall=self.clock.ns,
            memory=self.memory,
            edits_show=self._edits_show,
            **self._words,
        )

    def close(self) -> None:
        """Give everything back."""
        if self.catalogue is not None:
            self.catalogue.abandon()
        self._folder.cleanup()
