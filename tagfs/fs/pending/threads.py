"""The threads that make changes: few, and those of uploads and of the local disk apart."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

from tagfs.fs.pending.change import Kind

OTHERS = 4
"""Changes that are made at once, apart from uploads."""

SYNCS = 1
"""Files that are made to survive a power cut at once: the disk is one, and several wait longer."""

Pool = Callable[[int, str], Executor]
"""Makes so many threads of a name."""

R = TypeVar("R")


class ChangeThreads:
    """Runs what belongs to a kind of changes.

    Neither a long upload nor a slow disk keeps a deletion waiting.
    """

    def __init__(self, uploads: int, pool: Pool = ThreadPoolExecutor) -> None:
        """`uploads`: files that are uploaded at once."""
        self._sizes = {"behind": uploads, "sync": SYNCS, "pending": OTHERS}
        self._pool = pool
        self._lock = threading.Lock()
        self._pools: dict[str, Executor] = {}

    def submit(self, kind: Kind, work: Callable[[], R]) -> Future[R]:
        """Run something in one of the threads of its kind, which begin with the first of it."""
        name = {Kind.UPLOAD: "behind", Kind.SYNC: "sync"}.get(kind, "pending")
        with self._lock:
            if name not in self._pools:
                self._pools[name] = self._pool(self._sizes[name], f"tagfs-{name}")
        return self._pools[name].submit(work)

    def close(self) -> None:
        """Wait until all is done that was submitted; nothing may be any more."""
        for pool in self._pools.values():
            pool.shutdown()
