"""Temporary files on their way to their names: what is set on them goes along with the rename.

rsync writes `.name.XXXXXX`, closes it, sets times, owner and mode by path, and renames it. Each of
these would be a copy of the object onto itself, and the rename one more. So the edits wait, for
GRACE seconds at most, and the copy that the rename is takes them along.

What waits is little, so that no failure goes unheard: only attributes, only those of a file that
was made through this mount, and only under a name that nobody but such a tool gives. This mount
shows them at once. A failure is that of the rename. Where none follows in time the edits are sent;
should that fail, it is logged as an error and tried again, and no other edit waits meanwhile.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cachetools import FIFOCache

from tagfs.errors import NotFound, ObjectChanged, TagfsError
from tagfs.fs.clock import Clock
from tagfs.fs.context import FRESH_WITHIN
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.mapping.temp_names import destination
from tagfs.fs.pending.change import Kind, Work
from tagfs.fs.pending.queue import PendingChanges
from tagfs.store.objects import ObjectInfo

GRACE = 0.1
"""Seconds in which the rename would have followed; it takes microseconds."""

MANY = 1000
"""Files made under temporary names that are remembered."""


@dataclass(slots=True)
class _Waiting:
    """Attributes that a file shall have.

    Attributes:
        version: the object that they are set on, if it is known.
        since: when they began to wait (of the clock, seconds).
    """

    attributes: Attributes
    version: ObjectInfo | None
    since: float


class DeferredAttributes:
    """Attributes that wait for a rename. Thread-safe.

    Attributes:
        send: makes the service's object have the attributes that a path shall have. The third
            argument is the version that they are meant for, if it may be another one by now.
    """

    send: Callable[[str, Attributes, ObjectInfo | None], None]

    def __init__(self, pending: PendingChanges, clock: Clock) -> None:
        self._pending = pending
        self._clock = clock
        self._lock = threading.Lock()
        self._created: FIFOCache[str, bool] = FIFOCache(MANY)
        self._waiting: dict[str, _Waiting] = {}

    def __contains__(self, path: object) -> bool:
        return path in self._created and self._pending.is_trusted

    def on_create(self, path: str) -> None:
        """Note that a file is being made here, if its name says that it will be renamed."""
        if destination(path) is None:
            return
        self._pending.cancel(path, Kind.ATTRIBUTES)  # of another file that had this name
        with self._lock:
            self._created[path] = True

    def edit(
        self,
        path: str,
        current: Attributes,
        version: ObjectInfo | None,
        change: Callable[[Attributes], Attributes],
    ) -> Attributes | None:
        """Change what waits for a path, at first `current`; None if its edits must not wait.

        What is being sent, or taken along, is waited for.
        """
        with self._pending.held_back(path, Kind.ATTRIBUTES):
            if path not in self:
                return None
            waiting = self._waiting.get(path)
            if waiting is None:
                waiting = _Waiting(change(current), version, self._clock())
                self._waiting[path] = waiting
                work = Work(lambda: self._send(path), _is_final, release=lambda: self._drop(path))
                self._pending.add(path, Kind.ATTRIBUTES, work, GRACE)
            else:
                waiting.attributes = change(waiting.attributes)
            return waiting.attributes

    def attributes(self, path: str) -> Attributes | None:
        """Return the attributes that wait for a path."""
        waiting = self._waiting.get(path)
        return None if waiting is None else waiting.attributes

    @contextlib.contextmanager
    def claim(self, path: str) -> Iterator[Attributes | None]:
        """Take over what waits for a path; it waits on if what is done with it fails."""
        with self._pending.taken(path, Kind.ATTRIBUTES) as change:
            yield None if change is None else self.attributes(path)
        self._created.pop(path, None)

    def _send(self, path: str) -> None:
        waiting = self._waiting[path]
        is_late = self._clock() - waiting.since > FRESH_WITHIN
        with contextlib.suppress(NotFound):  # deleted by another client: nothing to set them on
            self.send(path, waiting.attributes, waiting.version if is_late else None)

    def _drop(self, path: str) -> None:
        self._waiting.pop(path, None)
        self._created.pop(path, None)


def _is_final(error: Exception) -> bool:
    """Say whether attributes are given up: another client has made the object anew."""
    return isinstance(error, ObjectChanged) or not isinstance(error, TagfsError)
