"""Where tags are: the buckets that a command talks to, opened once each.

A path of a mount leads to the bucket that it shows; the command talks to the service itself, with
its own credentials, or by the mount if it has none.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tagfs.bulk.mount_access import MountAccess
from tagfs.bulk.tag_access import DirectAccess, TagAccess
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.database import Unusable
from tagfs.catalogue.place import open_catalogue
from tagfs.config.options import REACHING
from tagfs.config.resolve import choose
from tagfs.config.settings import BucketUrl, Settings, reaching
from tagfs.errors import BadCredentials
from tagfs.fs.mapping.paths import Root
from tagfs.host.mount_table import (
    Mount,
    ask_catalogue,
    ask_settings,
    find_mount,
    present_mounts,
    refresh,
)
from tagfs.store.bucket import Bucket
from tagfs.store.object_versions import VersionStore
from tagfs.store.tag_index import TagIndex

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedBucket:
    """One bucket, and the mount by which it was named.

    Attributes:
        settings: how it is reached; `url` has the mount's prefix.
        root: where the mount begins in the bucket; None for a bucket named by its URL.
        through: the mountpoint, when tags are read and written through the mount.
        bucket: the bucket itself; None when the mount is asked.
        versions: what its objects were; None when the mount is asked.
        catalogue: what is kept of it on this host; None when there is none.
        no_catalogue: why there is none.
        index: what the service keeps of it itself, if it keeps such things.
        now_ns: the service's clock.
    """

    settings: Settings
    access: TagAccess
    mount: Mount | None = None
    root: Root | None = None
    through: str | None = None
    bucket: Bucket | None = None
    versions: VersionStore | None = None
    catalogue: Catalogue | None = None
    no_catalogue: str = ""
    index: TagIndex | None = None
    now_ns: Callable[[], int] = time.time_ns

    @property
    def url(self) -> BucketUrl:
        """The whole bucket."""
        return replace(self.settings.url, prefix="")

    def describe(self) -> dict[str, str | None]:
        """Return what finds this place again."""
        return {
            "url": str(self.url),
            **reaching(self.settings),
            "through": self.through,
        }

    def changed(self, directory: str) -> None:
        """Tell mounts that tags of keys in the prefix `directory` are no longer as they were."""
        if self.through is None:
            refresh(self.url, directory)


class OpenedBuckets(AbstractContextManager["OpenedBuckets"]):
    """The places of one command.

    Args:
        options: as for `tagfs mount -o`.
        parallel: requests under way at most.
    """

    def __init__(self, options: Mapping[str, str | bool], parallel: int) -> None:
        self._options = options
        self._parallel = parallel
        self._open: dict[Any, OpenedBucket] = {}
        self._catalogues: dict[tuple[Path, str], Catalogue | str] = {}

    def __exit__(self, *_: object) -> None:
        for place in self._open.values():
            place.access.close()
        for catalogue in self._catalogues.values():
            if isinstance(catalogue, Catalogue):
                catalogue.close()

    def of_bucket(self, url: BucketUrl) -> OpenedBucket:
        """Return the place of a bucket named by its URL.

        Raises:
            SettingsError, BadCredentials
        """
        settings = choose(replace(url, prefix=""), self._options)
        return self._direct(settings)

    def of_mount(self, mount: Mount) -> OpenedBucket:
        """Return the place that a mount shows.

        Raises:
            SettingsError: the mount does not answer.
        """
        if mount not in self._open:
            shown = ask_settings(mount)
            reached = {name: value for name, value in reaching(shown).items() if value}
            reached |= ask_catalogue(mount)
            settings = choose(shown.url, {**reached, **self._options}, fixed=REACHING)
            dialect = _loaded().dialect_of(settings)
            root = Root(settings.url.prefix, dialect.limits.max_key)
            try:
                direct = self._direct(settings)
                place = replace(direct, settings=settings, mount=mount, root=root)
            except BadCredentials as missing:
                sys.stderr.write(
                    f"tagfs: {_briefly(missing)}: going through the mount {mount.path}\n"
                )
                place = OpenedBucket(
                    settings=settings,
                    access=MountAccess(mount, root, dialect),
                    mount=mount,
                    root=root,
                    through=mount.path,
                )
            self._open[mount] = place
        return self._open[mount]

    def of_description(self, fields: Mapping[str, str | None], url: BucketUrl) -> OpenedBucket:
        """Return the bucket that `OpenedBucket.describe` described; options given now go first."""
        mount = find_mount(fields.get("through") or "", present_mounts())
        if mount is not None:
            return self.of_mount(mount)
        kept = {name: value for name in REACHING if (value := fields.get(name))}
        return self._direct(choose(url, {**kept, **self._options}, fixed=REACHING))

    def _direct(self, settings: Settings) -> OpenedBucket:
        key = (str(replace(settings.url, prefix="")), settings.endpoint, settings.region)
        if key not in self._open:
            bucket = _loaded().open_directly(settings, self._parallel)
            found = self._catalogue(settings)
            catalogue, why_not = (None, found) if isinstance(found, str) else (found, "")
            self._open[key] = OpenedBucket(
                settings=settings,
                access=DirectAccess(bucket, catalogue),
                bucket=bucket,
                versions=bucket.versions,
                catalogue=catalogue,
                no_catalogue=why_not,
                index=bucket.tag_index,
                now_ns=bucket.transport.clock.now_ns,
            )
        return self._open[key]

    def _catalogue(self, settings: Settings) -> Catalogue | str:
        """Open the catalogue of a bucket, or say why there is none."""
        if settings.catalogue == "off":
            return "catalogue=off"
        name = _loaded().catalogue_name(settings)
        key = settings.cache_dir, name
        if key not in self._catalogues:
            try:
                self._catalogues[key] = open_catalogue(*key, settings.catalogue_size)
            except Unusable as error:
                log.info("without a catalogue: %s", error)
                self._catalogues[key] = str(error)
        return self._catalogues[key]


def _loaded() -> ModuleType:
    """Return what opens buckets."""
    from tagfs.bulk import direct_buckets  # noqa: PLC0415  (its help needs none of that)

    return direct_buckets


def _briefly(missing: BadCredentials) -> str:
    """Return why there are no credentials; where they were looked for, `tagfs doctor` says."""
    text = str(missing)
    return "no credentials in this shell" if text.startswith("no credentials: ") else text
