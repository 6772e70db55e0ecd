"""One mount from its beginning to its end: the layers are built, served and taken down."""

import logging
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tagfs.blockcache.block_cache import NO_CACHE, BlockCache, open_cache
from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.expression import parse_expression
from tagfs.config.bucket_settings import (
    UPLOAD_THREADS,
    as_reached,
    bucket_settings,
    catalogue_file,
)
from tagfs.config.settings import Settings
from tagfs.config.tag_policy import tag_policy
from tagfs.errors import SettingsError
from tagfs.extras import METRICS, how_to_add
from tagfs.fs.content.hedged_reads import HedgedReads
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.content.staged_file import StagingArea
from tagfs.fs.context import FsContext, FsOptions
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import Root
from tagfs.fs.view_filesystem import ViewFileSystem
from tagfs.fs.views.versions import VersionView
from tagfs.fs.views.view_directory import ViewDirectory
from tagfs.fs.views.views import TagLook, Views
from tagfs.fuse import loader
from tagfs.fuse.binding import Binding
from tagfs.fuse.caller import Caller
from tagfs.fuse.hidden_files import HiddenFiles
from tagfs.fuse.listers import Listers
from tagfs.fuse.lookers import Lookers
from tagfs.fuse.operations import Operations
from tagfs.host.lifecycle import MountLifecycle
from tagfs.host.malloc import keep_little, trim_soon
from tagfs.host.preflight import check_host
from tagfs.monitoring.mount_status import MountStatus
from tagfs.monitoring.request_log import RequestLog
from tagfs.monitoring.request_stats import RequestStats
from tagfs.mount_catalogue import catalogue_of, described, memory_of, part_shown
from tagfs.recovery.staging_directory import StagingDirectory
from tagfs.recovery.startup_notice import notice
from tagfs.running_settings import RunningSettings
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.client.client import Client, open_bucket
from tagfs.store.http.messages import Attempt, Observer
from tagfs.store.local_markers import LocalMarkers
from tagfs.store.scope import Everything

log = logging.getLogger(__name__)

MAX_LISTING = 500_000
"""Entries up to which a directory is remembered whole: some 90 MiB."""

CONTENT = "content"
"""The name of the directory of what is kept of files that are read, in cache_dir."""

VIEWS = ".tagfs"
"""The name of the directory of views, unless the user chose one."""

UPLOADS_BEHIND = 16
"""Files that are uploaded at once after their close was answered: more threads than that take one
another's processor time before they take longer links to account."""


def serve(
    settings: Settings, mountpoint: Path, ready: Callable[[], None], *, foreground: bool = False
) -> None:
    """Mount a bucket and serve it until it is unmounted; then finish its uploads.

    `ready` is called when the kernel has begun to ask. Must run in the process that stays, in its
    main thread and before there are others: threads and locks do not survive a fork.

    Raises:
        SettingsError, NoSuchBucket, AccessDenied, Unreachable: nothing is mounted.
    """
    # A core would hold the credentials.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    keep_little()
    check_host(settings.fuse_options)
    binding = loader.choose(settings.fuse)
    settings = as_reached(settings)
    vitals = MountStatus(settings, binding.version())
    with ExitStack() as stack:
        requests = RequestLog(settings.request_log) if settings.request_log else None
        if requests is not None:
            stack.callback(requests.close)
        client = open_bucket(bucket_settings(settings, _observer(vitals.traffic, requests)))
        stack.callback(client.close)
        lifetime = MountLifecycle(
            settings.log_level,
            status=vitals.snapshot,
            abandon=client.transport.close,
            reopen=requests.reopen if requests else lambda: None,
            foreground=foreground,
        )
        stack.callback(lifetime.over)
        lifetime.install_signals()
        _check(settings, client)
        if settings.metrics:
            stack.enter_context(_metrics(settings.metrics, vitals))
        lifetime.commit()
        staging = _staging(settings, mountpoint, client, stack)
        part = _Parts(settings, binding, mountpoint, client, staging, vitals, lifetime)
        _serve(part, ready)


def _staging(settings: Settings, mountpoint: Path, client: Client, stack: ExitStack) -> StagingArea:
    """Return where this mount stages files: a read-only one nowhere, so it needs no disk."""
    if settings.read_only:
        return StagingArea(None)
    own = StagingDirectory(settings, mountpoint)
    stack.callback(own.close)
    client.save_annotations_in(own.path)
    return StagingArea(own.path)


def _check(settings: Settings, client: Client) -> None:
    if unlistable := client.check_listing(settings.url.prefix):
        sys.stderr.write(f"tagfs: {unlistable}\n")
    client.probe(settings.url.prefix)
    if not settings.read_only:
        client.probe_deletion(settings.url.prefix)
    waiting = notice(settings)
    if waiting:
        log.warning("%s", waiting)


def _observer(traffic: RequestStats, requests: RequestLog | None) -> Observer:
    if requests is None:
        return traffic

    def both(attempt: Attempt) -> None:
        traffic(attempt)
        requests(attempt)

    return both


def _metrics(port: int, vitals: MountStatus) -> AbstractContextManager[None]:
    try:
        from tagfs.monitoring.metrics import served  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise SettingsError(f"metrics needs {how_to_add(METRICS)} ({error})") from None
    return served(port, vitals.snapshot)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one mount is made of."""

    settings: Settings
    binding: Binding
    mountpoint: Path
    client: Client
    staging: StagingArea
    vitals: MountStatus
    lifetime: MountLifecycle


def _run(parts: _Parts, filesystem: FileSystem, caller: Caller, ready: Callable[[], None]) -> None:
    url, binding = parts.settings.url, parts.binding

    def on_ready() -> None:
        caller.mounted()
        log.info("%s is mounted on %s (%s)", url, parts.mountpoint, binding.version())
        ready()
        parts.lifetime.mounted(f"{url} is mounted on {parts.mountpoint}", binding.stop_callback())

    options = {"fsname": str(url), "subtype": "tagfs", **parts.settings.fuse_options}
    hidden = HiddenFiles(filesystem, binding.request_mark(), caller.is_rename)
    operations = Operations(filesystem, hidden, parts.vitals.failures)
    try:
        loader.run(binding, operations, parts.mountpoint, options, ready=on_ready)
    finally:
        parts.lifetime.unmounted()
    log.info("%s is unmounted from %s", url, parts.mountpoint)


def _serve(parts: _Parts, ready: Callable[[], None]) -> None:
    settings, client, vitals = parts.settings, parts.client, parts.vitals
    catalogue = catalogue_of(settings)
    memory = memory_of(settings, client, catalogue)
    bucket = CachedBucket(
        LocalMarkers(client),
        memory=memory,
        ttl=settings.ttl,
        tag_ttl=settings.tag_ttl,
        negative_ttl=settings.negative_ttl,
        max_listing=MAX_LISTING,
        counts_tags=client.dialect.counts_tags,
        edits_show=client.dialect.edits_show,
        wall=client.transport.clock.now_ns,
    )
    running = RunningSettings(settings, client, bucket, memory)
    content = open_cache(
        settings.cache_dir / CONTENT, catalogue_file(settings), settings.cache_size
    )
    lookers = Lookers()
    caller = Caller(parts.binding, parts.mountpoint, lookers)
    with (
        ThreadPoolExecutor(settings.parallel, "tagfs-ahead") as executor,
        ThreadPoolExecutor(UPLOAD_THREADS, "tagfs-upload") as upload_executor,
        ThreadPoolExecutor(settings.parallel, "tagfs-hedge") as hedge_executor,
    ):
        shown = part_shown(settings, bucket, catalogue)
        budget = MemoryBudget(settings.memory, trim_soon)
        hedged = HedgedReads(hedge_executor, budget)
        env = FsContext(
            bucket=shown or bucket,
            scope=shown or Everything(),
            root=Root(settings.url.prefix, client.limits.max_key),
            choices=_choices(settings),
            executor=executor,
            upload_executor=upload_executor,
            budget=budget,
            staging=parts.staging,
            caller=caller,
            caller_execs=caller.is_exec,
            caller_holds=caller.holds,
            caller_lists=Listers(caller.pid, lookers),
            policy=tag_policy(settings),
            clock_ns=time.time_ns,
            content=content or NO_CACHE,
            hedged=hedged,
            remount=running.change,
        )
        kept = partial(_kept, catalogue, settings.url.prefix, content, hedged)
        vitals.attach_filesystem(bucket, budget, lambda: running.now, kept)
        filesystem = _filesystem(parts, env, catalogue, caller.is_mkdir)
        vitals.serves(filesystem)
        try:
            _run(parts, filesystem, caller, ready)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)  # nobody waits for what was ahead
            filesystem.close(give_up=client.transport.close)
            if content is not None:
                content.close()
            if catalogue is not None:
                catalogue.close()


def _kept(
    catalogue: Catalogue | None, prefix: str, content: BlockCache | None, hedged: HedgedReads
) -> dict[str, Any]:
    """Return what a mount tells of what is kept on this host, and of reads asked twice."""
    index = {} if catalogue is None else described(catalogue, prefix)
    return {**index, **({} if content is None else content.state()), **hedged.state()}


def _filesystem(
    parts: _Parts, env: FsContext, catalogue: Catalogue | None, is_mkdir: Callable[[], bool]
) -> FileSystem:
    settings, vitals = parts.settings, parts.vitals
    if settings.views == "off":
        return FileSystem(env, vitals.without_files)
    now = env.clock_ns()
    directory = replace(env.default_directory(), mtime_ns=now, ctime_ns=now, atime_ns=now)
    name = settings.views or VIEWS
    only = parse_expression(settings.only) if settings.only else None
    look = TagLook(name=name, directory=directory, is_mkdir=is_mkdir, only=only)
    tags = None if catalogue is None else Views(catalogue, env.root, look, env.clock)
    # What a mount of some objects hides has versions as well.
    versions = None if only else VersionView(env, parts.client.versions, directory)
    views = ViewDirectory(name, directory, tags, versions)
    return ViewFileSystem(env, vitals.without_files, views, listed=bool(settings.views))


def _choices(settings: Settings) -> FsOptions:
    return FsOptions(
        uid=settings.uid,
        gid=settings.gid,
        umask=settings.umask,
        file_mode=settings.file_mode,
        dir_mode=settings.dir_mode,
        stored=settings.attributes == "stored",
        keep_replaced_tags=settings.replace_tags == "keep",
        typed_by_name=settings.content_type == "auto",
        desktop_tags="" if settings.desktop_tags == "off" else settings.desktop_tags,
        lists_annotations=settings.annotations == "on",
        part_size=settings.part_size,
        uploads_behind=UPLOADS_BEHIND if settings.durability == "local" else 0,
        append_objects=settings.append_objects,
        read_only=settings.read_only,
        no_delete=settings.no_delete == "on",
        no_overwrite=settings.no_overwrite == "on",
        shared=bool(settings.fuse_options.get("default_permissions")),
    )
