"""A mount's state for Prometheus, on loopback alone. The only user of prometheus_client."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import prometheus_client
from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)

from tagfs.errors import SettingsError

ADDRESS: Final = "127.0.0.1"

_COUNTERS: Final = {
    "attempts_failed": "Requests that got no answer, or one of status 500 and more",
    "attempts_throttled": "Requests that the service asked to repeat later",
    "bytes_in": "Bytes of bodies received from the service",
    "bytes_out": "Bytes of bodies sent to the service",
    "errors": "Calls that failed for a reason worth a line in the log",
}
_GAUGES: Final = {
    "uptime_seconds": "Seconds since the mount began",
    "open_files": "Files that are open",
    "dirty_files": "Files whose content the service has not yet",
    "held_files": "Closed files that are still to be uploaded (durability=local)",
    "held_bytes": "Their size in bytes",
    "failing_uploads": "Those whose upload failed and is tried again",
    "uploads": "Multipart uploads under way",
    "staged_bytes": "Bytes in cache_dir that stand for open files",
    "read_ahead_bytes": "Bytes of memory that hold what was read ahead",
    "hidden_keys": "Keys of the bucket that can be no files",
}
_CACHE_COUNTERS: Final = {
    "hits": "Questions answered from memory",
    "misses": "Questions answered by the service",
    "coalesced": "Questions answered by another call's request",
}


class _Collector:
    """Turns a mount's status into metrics, each time they are asked for."""

    def __init__(self, status: Callable[[], Mapping[str, Any]]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; names begin with `tagfs_`."""
        status = self._status()
        yield GaugeMetricFamily("tagfs_up", "1 while the mount is there", value=1)
        requests = CounterMetricFamily(
            "tagfs_requests", "Requests sent to the service", labels=["kind"]
        )
        for kind, count in status.get("requests", {}).items():
            requests.add_metric([kind], count)
        yield requests
        for name, help_text in _COUNTERS.items():
            yield CounterMetricFamily(f"tagfs_{name}", help_text, value=status.get(name, 0))
        for name, help_text in _GAUGES.items():
            yield GaugeMetricFamily(f"tagfs_{name}", help_text, value=status.get(name, 0))
        cache = status.get("cache", {})
        for name, help_text in _CACHE_COUNTERS.items():
            yield CounterMetricFamily(f"tagfs_cache_{name}", help_text, value=cache.get(name, 0))


@contextmanager
def served(port: int, status: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Answer `GET /metrics` on a port of loopback, by a thread, until the end of the block.

    Raises:
        SettingsError: the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(_Collector(status))
    try:
        server, thread = prometheus_client.start_http_server(port, ADDRESS, registry)
    except OSError as error:
        raise SettingsError(f"metrics={port} cannot be used: {error.strerror}") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
