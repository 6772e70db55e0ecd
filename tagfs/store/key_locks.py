"""Locks by key: what makes a read and the write that follows it one step within this process."""

import threading
from typing import Self


class KeyLocks:
    """Re-entrant locks, one for each key that a thread holds or awaits; none for the others."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.RLock, int]] = {}

    def hold(self, *keys: str) -> "HeldKeys":
        """Hold the locks of all `keys`, taken in one order so that no two holders dead-lock.

        A thread that holds some already must not ask for others: only for those again.
        """
        return HeldKeys(self, keys if len(keys) == 1 else tuple(sorted(set(keys))))

    def acquire(self, key: str) -> None:
        """Take the lock of one key, which is made if nobody holds or awaits it."""
        with self._guard:
            lock, users = self._locks.get(key) or (threading.RLock(), 0)
            self._locks[key] = lock, users + 1
        try:
            lock.acquire()
        except BaseException:
            self._forget(key)
            raise

    def release(self, key: str) -> None:
        """Give back the lock of one key."""
        self._locks[key][0].release()
        self._forget(key)

    def _forget(self, key: str) -> None:
        with self._guard:
            lock, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = lock, users - 1

    def __len__(self) -> int:
        return len(self._locks)


class HeldKeys:
    """The locks of some keys, held within a `with`; a generator would take twice as long."""

    __slots__ = ("_home", "_keys")

    def __init__(self, home: KeyLocks, keys: tuple[str, ...]) -> None:
        """`keys` in the order in which their locks are taken."""
        self._home = home
        self._keys = keys

    def __enter__(self) -> Self:
        taken = 0
        try:
            for key in self._keys:
                self._home.acquire(key)
                taken += 1
        except BaseException:
            self._release(taken)
            raise
        return self

    def __exit__(self, *_failure: object) -> None:
        self._release(len(self._keys))

    def _release(self, taken: int) -> None:
        for key in reversed(self._keys[:taken]):
            self._home.release(key)
