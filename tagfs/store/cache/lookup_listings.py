"""Directories that a lookup saw whole, though nobody has read them, beside those that were read.

What they show is there, as in any listing, for who looks a path up; which version is there is asked
for. What they do not show is missing for a moment only: in a directory that nobody has read, a name
that another host makes is to be seen soon. Directories in them are asked for all the same, which
shows what these hold. A write takes away what is known so.
"""

from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final

from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.cache.cache_clock import CacheClock
from tagfs.store.cache.entry import UNKNOWN, Unknown
from tagfs.store.cache.listings import Listing, Listings, above, split
from tagfs.store.cache.packed_rows import COMMON_PREFIX, pack
from tagfs.store.objects import ObjectInfo, Page

MANY: Final = 100
"""Directories that are remembered, each of one page of a lookup at most."""


@dataclass(frozen=True, slots=True)
class LookupListing:
    """One directory: its objects, common prefixes, and when it was asked for."""

    at: float
    objects: Mapping[str, ObjectInfo]
    prefixes: Collection[str]


class LookupListings(Listings):
    """Listings, and of directories without one what a lookup has seen."""

    def __init__(
        self, kept: MutableMapping[str, Listing], max_rows: int, clocks: CacheClock
    ) -> None:
        super().__init__(kept, max_rows)
        self._clocks = clocks
        self._lookups: dict[str, LookupListing] = {}

    def keep_lookup(self, prefix: str, page: Page, at: float) -> None:
        """Remember all that is in a directory."""
        self._lookups.pop(prefix, None)
        if len(self._lookups) >= MANY:
            del self._lookups[next(iter(self._lookups))]
        objects = {info.key: info for info in page.objects}
        self._lookups[prefix] = LookupListing(at, objects, frozenset(page.prefixes))

    def read(self, prefix: str, oldest: float) -> Listing | None:
        """Return the listing of a directory that is being read; it is one that was read then."""
        listing = self.get(prefix, oldest)
        seen = self._young(prefix, oldest)
        if listing is not None or seen is None or not self._is_fresh(seen):
            return listing
        start = len(prefix)
        rows = {key[start:]: pack(info) for key, info in seen.objects.items()}
        rows |= dict.fromkeys((key[start:] for key in seen.prefixes), COMMON_PREFIX)
        self.keep(prefix, Listing(seen.at, rows))
        return self.get(prefix, oldest)

    def keys(self, prefix: str, oldest: float) -> list[str] | None:
        """Return all keys and common prefixes in a directory; None where it is not known whole."""
        listing = self.get(prefix, oldest)
        if listing is not None:
            return None if listing.unknown_names else [prefix + name for name in listing.rows]
        seen = self._young(prefix, oldest)
        return None if seen is None else [*seen.prefixes, *seen.objects]

    def looked_up(self, key: str, oldest: float) -> ObjectInfo | Unknown | None:
        """Return an object that a lookup of its directory has shown, None if it showed none."""
        seen = self._young(split(key)[0], oldest)
        if seen is None:
            return UNKNOWN
        info = seen.objects.get(key)
        return UNKNOWN if info is None and not self._is_fresh(seen) else info

    def directory(self, key: str, oldest: float) -> tuple[float, bool] | None:
        """Say whether any key begins with `key + "/"`; see `Listings.directory`."""
        known = super().directory(key, oldest)
        if known is not None or not self._lookups:
            return known
        seen = self._young(split(key)[0], oldest)
        if seen is None or f"{key}/" in seen.prefixes:
            return None
        is_known = key in seen.objects or self._is_fresh(seen)
        return (seen.at, False) if is_known else None

    def put(self, key: str, row: bytes, oldest: float) -> None:
        """Show a new object; see `Listings.put`."""
        self._drop(key)
        super().put(key, row, oldest)

    def delete(
        self, key: str, oldest: float, has_marker: Callable[[str], bool]
    ) -> list[tuple[str, float | None]]:
        """Show an object no more; see `Listings.delete`."""
        self._drop(key)
        return super().delete(key, oldest, has_marker)

    def invalidate(self, key: str, oldest: float, has_marker: Callable[[str], bool]) -> list[str]:
        """Invalidate a key; see `Listings.invalidate`."""
        self._drop(key)
        return super().invalidate(key, oldest, has_marker)

    def invalidate_prefix(self, prefix: str) -> None:
        """Drop all below `prefix`; see `Listings.invalidate_prefix`."""
        for directory in list(self._lookups):
            if directory.startswith(prefix) or prefix.startswith(directory):
                del self._lookups[directory]
        super().invalidate_prefix(prefix)

    def _young(self, prefix: str, oldest: float) -> LookupListing | None:
        seen = self._lookups.get(prefix)
        return seen if seen is not None and seen.at > oldest else None

    def _is_fresh(self, seen: LookupListing) -> bool:
        return seen.at > self._clocks.oldest(FRESH_WITHIN)

    def _drop(self, key: str) -> None:
        if self._lookups:
            self._lookups.pop(split(key)[0], None)
            for prefix, _ in above(key):
                self._lookups.pop(prefix, None)
