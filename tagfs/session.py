"""One mount from its beginning to its end: the layers are built, served and taken down."""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tagfs import mount
from tagfs.binding import Binding
from tagfs.fs.environment import Choices, Environment
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.memory import MemoryBudget
from tagfs.fs.operations import Operations
from tagfs.fs.paths import Root
from tagfs.fs.staging import StagingArea
from tagfs.opening import UPLOAD_THREADS, bucket_settings
from tagfs.recovery.directories import StagingDirectory
from tagfs.recovery.notices import notice
from tagfs.settings import Settings
from tagfs.store.cache import CachedBucket
from tagfs.store.client import Client, open_bucket
from tagfs.store.exchange import Attempt

log = logging.getLogger(__name__)

MAX_LISTING = 500_000
"""Entries up to which a directory is remembered whole: some 90 MiB."""


class Requests:
    """Counts the requests of a mount by kind. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def __call__(self, attempt: Attempt) -> None:
        """Count one attempt."""
        kind = f"{attempt.method} {attempt.subresource}" if attempt.subresource else attempt.method
        with self._lock:
            self._counts[kind] += 1

    def counts(self) -> dict[str, int]:
        """Return the number of requests of each kind so far."""
        with self._lock:
            return dict(self._counts)


def serve(settings: Settings, mountpoint: Path, ready: Callable[[], None]) -> None:
    """Mount a bucket and serve it until it is unmounted; then finish its uploads.

    `ready` is called when the kernel has begun to ask. Must run in the process that stays: threads
    and locks do not survive a fork.

    Raises:
        SettingsError, NoSuchBucket, AccessDenied, Unreachable: nothing is mounted.
    """
    mount.check_host()
    binding = mount.choose(settings.fuse)
    requests = Requests()
    client = open_bucket(bucket_settings(settings, requests))
    client.check(settings.url.prefix)
    client.probe(settings.url.prefix)
    waiting = notice(settings)
    if waiting:
        log.warning("%s", waiting)
    staging = StagingDirectory(settings, mountpoint)
    try:
        _serve(settings, binding, mountpoint, client, staging, requests, ready)
    finally:
        staging.close()
        client.close()


def _run(
    settings: Settings,
    binding: Binding,
    filesystem: FileSystem,
    mountpoint: Path,
    ready: Callable[[], None],
) -> None:
    def tell() -> None:
        log.info("%s is mounted on %s (%s)", settings.url, mountpoint, binding.version())
        ready()

    options = {"fsname": str(settings.url), "subtype": "tagfs", **settings.fuse_options}
    mount.run(binding, Operations(filesystem), mountpoint, options, ready=tell)
    log.info("%s is unmounted from %s", settings.url, mountpoint)


def _serve(  # noqa: PLR0913, PLR0917  (parts of one mount)
    settings: Settings,
    binding: Binding,
    mountpoint: Path,
    client: Client,
    staging: StagingDirectory,
    requests: Requests,
    ready: Callable[[], None],
) -> None:
    bucket = CachedBucket(
        client,
        ttl=settings.ttl,
        tag_ttl=settings.tag_ttl,
        max_listing=MAX_LISTING,
        counts_tags=client.dialect.counts_tags,
    )
    started = time.time_ns()
    caller = mount.Caller(binding)
    with (
        ThreadPoolExecutor(settings.parallel, "tagfs-ahead") as executor,
        ThreadPoolExecutor(UPLOAD_THREADS, "tagfs-upload") as upload_executor,
    ):
        env = Environment(
            bucket=bucket,
            root=Root(settings.url.prefix, client.limits.max_key),
            choices=_choices(settings),
            executor=executor,
            upload_executor=upload_executor,
            budget=MemoryBudget(settings.memory),
            staging=StagingArea(staging.path),
            caller=caller,
            caller_holds=mount.Holders(binding, mountpoint),
            caller_renames=caller.renames,
            clock_ns=time.time_ns,
            started_ns=started,
        )
        filesystem = FileSystem(env, lambda: _status(settings, env, bucket, requests))
        try:
            _run(settings, binding, filesystem, mountpoint, ready)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)  # nobody waits for what was ahead
            filesystem.close()


def _choices(settings: Settings) -> Choices:
    return Choices(
        uid=settings.uid,
        gid=settings.gid,
        umask=settings.umask,
        stored=settings.attributes == "stored",
        keep_replaced_tags=settings.replace_tags == "keep",
        part_size=settings.part_size,
        append_objects=settings.append_objects,
        read_only=settings.read_only,
    )


def _status(
    settings: Settings, env: Environment, bucket: CachedBucket, requests: Requests
) -> dict[str, Any]:
    return {
        "url": str(settings.url),
        "endpoint": settings.endpoint,
        "region": settings.region,
        "addressing": settings.addressing,
        "ca_bundle": str(settings.ca_bundle) if settings.ca_bundle else None,
        "obs_tag_urlencode": settings.obs_tag_urlencode,
        "obs_tag_profile": settings.obs_tag_profile,
        "pid": os.getpid(),
        "uptime_seconds": round((time.time_ns() - env.started_ns) / 1e9, 1),
        "requests": requests.counts(),
        "cache": asdict(bucket.stats),
        "read_ahead_bytes": env.budget.used,
        "capabilities": str(bucket.capabilities),
    }
