"""The threads that make changes: few, and those of uploads apart."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TypeVar

from tagfs.fs.pending.change import Kind

OTHERS = 4
"""Changes that are made at once, apart from uploads."""

Pool = Callable[[int, str], Executor]
"""Makes so many threads of a name."""

R = TypeVar("R")


class ChangeThreads:
    """Runs what belongs to a kind of changes; a long upload keeps no deletion waiting."""

    def __init__(self, uploads: int, pool: Pool = ThreadPoolExecutor) -> None:
        """`uploads`: files that are uploaded at once."""
        self._uploads = uploads
        self._pool = pool
        self._lock = threading.Lock()
        self._pools: dict[str, Executor] = {}

    def submit(self, kind: Kind, work: Callable[[], R]) -> Future[R]:
        """Run something in one of the threads of its kind, which begin with the first of it."""
        is_upload = kind is Kind.UPLOAD
        name = "tagfs-behind" if is_upload else "tagfs-pending"
        with self._lock:
            if name not in self._pools:
                self._pools[name] = self._pool(self._uploads if is_upload else OTHERS, name)
        return self._pools[name].submit(work)

    def close(self) -> None:
        """Wait until all is done that was submitted; nothing may be any more."""
        for pool in self._pools.values():
            pool.shutdown()
