"""Locks by key: what makes a read and the write that follows it one step within this process."""

import contextlib
import threading
from collections.abc import Iterator


class KeyLocks:
    """Re-entrant locks, one for each key that a thread holds or awaits; none for the others."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.RLock, int]] = {}

    @contextlib.contextmanager
    def hold(self, *keys: str) -> Iterator[None]:
        """Hold the locks of all `keys`, taken in one order so that no two holders dead-lock.

        A thread that holds some already must not ask for others: only for those again.
        """
        with contextlib.ExitStack() as stack:
            for key in sorted(set(keys)):
                stack.enter_context(self._hold_one(key))
            yield

    @contextlib.contextmanager
    def _hold_one(self, key: str) -> Iterator[None]:
        with self._guard:
            lock, users = self._locks.get(key) or (threading.RLock(), 0)
            self._locks[key] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks[key]
                if users == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = lock, users - 1

    def __len__(self) -> int:
        return len(self._locks)
