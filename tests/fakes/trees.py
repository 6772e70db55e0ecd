"""A file system over a bucket in memory, without a mount."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tagfs.fs.clock import Clock, MonotonicClock
from tagfs.fs.content.memory_budget import MemoryBudget
from tagfs.fs.content.staged_file import StagingArea
from tagfs.fs.context import FsContext, FsOptions
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import Root
from tagfs.rules.policy import NO_POLICY, Policy
from tagfs.store.bucket import CachingBucket
from tagfs.store.scope import Everything, Scope

POOL = "tagfs-tests-pool"
"""How the names of threads begin that serve no call of a program."""


def caller() -> tuple[int, int]:
    """Return who calls; libfuse knows that only in the thread that serves the call."""
    assert not threading.current_thread().name.startswith(POOL), "nobody's call"
    return 0, 0


def environment_of(
    bucket: CachingBucket,
    staging: Path,
    executor: Executor,
    clock: Clock | None = None,
    policy: Policy = NO_POLICY,
    **choices: Any,
) -> FsContext:
    """Return what a tree needs."""
    scope: Scope | None = choices.pop("scope", None)
    return FsContext(
        bucket=bucket,
        root=Root(),
        choices=FsOptions(uid=0, gid=0, **choices),
        executor=executor,
        upload_executor=executor,
        budget=MemoryBudget(2**26),
        staging=StagingArea(staging),
        caller=caller,
        caller_execs=lambda: False,
        caller_holds=lambda _path: False,
        caller_lists=lambda: False,
        policy=policy,
        clock_ns=time.time_ns,
        clock=clock or MonotonicClock(),
        scope=scope or Everything(),
    )


@contextmanager
def tree_of(
    bucket: CachingBucket,
    staging: Path,
    clock: Clock | None = None,
    policy: Policy = NO_POLICY,
    **choices: Any,
) -> Iterator[FileSystem]:
    """Serve a bucket as a tree."""
    with ThreadPoolExecutor(4, POOL) as executor:
        env = environment_of(bucket, staging, executor, clock, policy, **choices)
        filesystem = FileSystem(env, dict)
        yield filesystem
        filesystem.close()


def write(tree: FileSystem, path: str, data: bytes = b"x", flags: int = os.O_EXCL) -> None:
    """Make a file as programs do, close(2) and all."""
    fh = tree.create(path, 0o600, os.O_WRONLY | flags)
    try:
        tree.write(fh, 0, data)
        tree.flush(fh)
    finally:
        tree.release(fh)
