"""Names that were taken away, perhaps to be given anew at once.

Before another file is renamed over an open one, and before an open one is unlinked, libfuse makes
the same call. Where nothing tells which it is (another user's process, a hardened kernel), the
object is left alone for a moment: the rename follows at once, on the same thread, and then the
object is replaced whole, tags kept. If none follows it was an unlink, and the object is deleted.
"""

import logging
import threading
from collections.abc import Callable

from tagfs.errors import TagfsError

log = logging.getLogger(__name__)

GRACE = 0.1
"""Seconds in which the rename would have followed; it takes microseconds."""


class Doomed:
    """Paths that look deleted and will be, unless they are spared. Thread-safe."""

    def __init__(self, delete: Callable[[str], None]) -> None:
        self._delete = delete
        self._lock = threading.Lock()
        self._timers: dict[str, threading.Timer] = {}

    def __contains__(self, path: object) -> bool:
        return path in self._timers

    def add(self, path: str) -> None:
        """Let a path look deleted, and delete its object in a moment."""
        timer = threading.Timer(GRACE, self._expire, (path,))
        timer.daemon = True
        with self._lock:
            self._timers[path] = timer
        timer.start()

    def spare(self, path: str) -> bool:
        """Keep the object of a path after all; False if there was nothing to spare."""
        with self._lock:
            timer = self._timers.pop(path, None)
        if timer is None:
            return False
        timer.cancel()
        return True

    def settle(self, path: str) -> None:
        """Delete the object of a path now, before something new is made there."""
        if self.spare(path):
            self._delete(path)

    def close(self) -> None:
        """Delete what is still to be deleted."""
        for path in list(self._timers):
            self._run(path)

    def _expire(self, path: str) -> None:
        if path in self:
            self._run(path)

    def _run(self, path: str) -> None:
        try:
            self._delete(path)
        except TagfsError as error:
            log.error("%s: unlinked, but not deleted: %s", path, error)  # noqa: TRY400
        finally:
            self.spare(path)
