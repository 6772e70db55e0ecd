"""What a mount tells of itself: `user.tagfs.status`, SIGUSR1 and the metrics all come from here.

Nobody who asks waits for the service, or for a lock. No secret is among it.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from tagfs.config.settings import Settings, chosen_options, reaching
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.filesystem import FileSystem
from tagfs.fuse.recent_failures import RecentFailures
from tagfs.monitoring.request_stats import RequestStats
from tagfs.store.cache.cached_bucket import CachedBucket


class MountStatus:
    """Knows how one mount fares.

    Attributes:
        traffic: counts what is asked of the service.
        failures: the last ones.
    """

    def __init__(self, settings: Settings, library: str) -> None:
        self.traffic = RequestStats()
        self.failures = RecentFailures()
        self._began = _since_boot()
        self._settings: Callable[[], Settings] = lambda: settings
        self._library = library
        self._bucket: CachedBucket | None = None
        self._budget: MemoryBudget | None = None
        self._filesystem: FileSystem | None = None
        self._index: Callable[[], Mapping[str, Any]] = dict

    def attach_filesystem(
        self,
        bucket: CachedBucket,
        budget: MemoryBudget,
        settings: Callable[[], Settings],
        index: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """Report of these as well from now on.

        `settings` are those that hold now; `index` tells of what is kept on this host.
        """
        self._bucket, self._budget, self._index = bucket, budget, index
        self._settings = settings

    def serves(self, filesystem: FileSystem) -> None:
        """Report of its open files as well from now on."""
        self._filesystem = filesystem

    def snapshot(self) -> dict[str, Any]:
        """Return everything: times in seconds, sizes in bytes."""
        state = self._filesystem.state() if self._filesystem else {}
        return {**self.without_files(), **state}

    def without_files(self) -> dict[str, Any]:
        """Return everything but the state of open files."""
        return {
            **self._identity(),
            "uptime_seconds": round(_since_boot() - self._began, 1),
            **self.traffic.report(),
            **self.failures.report(),
            **self._memory(),
        }

    def _identity(self) -> dict[str, Any]:
        settings = self._settings()
        return {
            "url": str(settings.url),
            **reaching(settings),
            "cache_dir": str(settings.cache_dir),
            "catalogue": settings.catalogue,
            "read_only": settings.read_only,
            "views": settings.views,
            "options": chosen_options(settings),
            "library": self._library,
            "pid": os.getpid(),
        }

    def _memory(self) -> dict[str, Any]:
        if self._bucket is None or self._budget is None:
            return {}
        return {
            "cache": asdict(self._bucket.stats),
            "read_ahead_bytes": self._budget.used,
            "capabilities": asdict(self._bucket.capabilities),
            **self._index(),
        }


def _since_boot() -> float:
    """Return seconds, those of sleep included, whatever becomes of the host's clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
