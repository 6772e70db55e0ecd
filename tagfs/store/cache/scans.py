"""Scans of directories under way: several readers share one, and what comes is remembered.

Knows no bucket: how a scan begins comes as a function.
"""

import threading
from collections.abc import Callable, Iterator

from tagfs.store.cache.cache_clock import CacheClock
from tagfs.store.cache.counts import CacheCounts
from tagfs.store.cache.listings import Listing, Listings
from tagfs.store.cache.shared_scan import SharedScan, TooLarge
from tagfs.store.objects import Page


class Scans:
    """All scans under way; `lock` guards them and the listings.

    Args:
        max_listing: entries of a directory that is still remembered as a whole.
    """

    def __init__(
        self,
        lock: threading.Lock,
        clocks: CacheClock,
        counts: CacheCounts,
        listings: Listings,
        max_listing: int,
    ) -> None:
        self._lock = lock
        self._clocks = clocks
        self._counts = counts
        self._listings = listings
        self._max_listing = max_listing
        self._scans: dict[str, SharedScan] = {}

    def pages(self, prefix: str, begin: Callable[[], Iterator[Page]]) -> Iterator[Page | TooLarge]:
        """Yield the pages of a scan, begun now or under way; remember it when it is complete.

        An `TooLarge` is the last: the directory is too large, and the reader must go on by itself.
        """
        scan = self._join_scan(prefix, begin)
        reader = object()
        try:
            index = 0
            while (page := scan.page(index, reader, self._max_listing)) is not None:
                if scan.complete and not scan.kept:
                    self._keep_scan(scan)
                yield page
                if isinstance(page, TooLarge):
                    return
                index += 1
        finally:
            self._leave_scan(scan)

    def _join_scan(self, prefix: str, begin: Callable[[], Iterator[Page]]) -> SharedScan:
        with self._lock:
            scan = self._scans.get(prefix)
            oldest = self._clocks.oldest_flight(None, self._clocks.ttl)
            if scan and not scan.closed and not scan.growing.touched and scan.began > oldest:
                self._counts.coalesced += 1
            else:
                self._counts.misses += 1
                growing = self._listings.grow(prefix)
                scan = SharedScan(prefix, self._clocks.monotonic(), begin(), growing)
                self._scans[prefix] = scan
            scan.users += 1
            return scan

    def _keep_scan(self, scan: SharedScan) -> None:
        rows = scan.rows()
        with self._lock:
            if scan.kept:
                return
            scan.kept = True
            self._drop_scan(scan)
            if self._clocks.ttl > 0 and not scan.growing.invalid:
                scan.growing.settle(rows)
                self._listings.keep(scan.prefix, Listing(scan.began, rows, scan.growing.unknown))

    def _leave_scan(self, scan: SharedScan) -> None:
        with self._lock:
            scan.users -= 1
            abandoned = scan.users == 0
            if abandoned:
                self._drop_scan(scan)
        if abandoned:
            scan.close()

    def _drop_scan(self, scan: SharedScan) -> None:
        self._listings.stop(scan.prefix, scan.growing)
        if self._scans.get(scan.prefix) is scan:
            del self._scans[scan.prefix]
