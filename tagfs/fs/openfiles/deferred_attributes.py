"""Temporary files on their way to their names: what is set on them goes along with the rename.

rsync writes `.name.XXXXXX`, closes it, sets times, owner and mode by path, and renames it. Each of
these would be a copy of the object onto itself, and the rename one more. So the edits wait, for
GRACE seconds at most, and the copy that the rename is takes them along.

What waits is little, so that no failure goes unheard: only attributes, only those of a file that
was made through this mount, and only under a name that nobody but such a tool gives. This mount
shows them at once. A failure is that of the rename. Where none follows in time the edits are sent;
should that fail, it is logged as an error, and no edit waits any more as long as the mount lives.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tagfs.errors import NotFound, TagfsError
from tagfs.fs.mapping.paths import is_below
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.mapping.temp_names import destination

log = logging.getLogger(__name__)

GRACE = 0.1
"""Seconds in which the rename would have followed; it takes microseconds."""

MANY = 1000


@dataclass(slots=True)
class _Waiting:
    attributes: Attributes
    since: float
    lock: threading.RLock = field(default_factory=threading.RLock)


class DeferredAttributes:
    """Attributes that wait for a rename. Thread-safe.

    Attributes:
        send: makes the service's object have the attributes that a path shall have.
    """

    send: Callable[[str, Attributes], None]

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._created: dict[str, None] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._timer: threading.Timer | None = None
        self._trusted = True

    def __contains__(self, path: object) -> bool:
        return path in self._created and self._trusted

    def on_create(self, path: str) -> None:
        """Note that a file is being made here, if its name says that it will be renamed."""
        if destination(path) is None:
            return
        self._forget(path)  # what waits for another file that had this name
        with self._lock:
            self._created[path] = None
            while len(self._created) > MANY:
                self._created.pop(next(iter(self._created)))

    def edit(
        self, path: str, current: Attributes, change: Callable[[Attributes], Attributes]
    ) -> Attributes | None:
        """Change what waits for a path, `current` at first; None if its edits must not wait."""
        if path not in self:
            return None
        with self._lock:
            waiting = self._waiting.setdefault(path, _Waiting(current, time.monotonic()))
        with waiting.lock:
            waiting.attributes = change(waiting.attributes)
            with self._lock:
                if self._waiting.setdefault(path, waiting) is not waiting:
                    return None
                self._arm()
            return waiting.attributes

    def attributes(self, path: str) -> Attributes | None:
        """Return the attributes that wait for a path."""
        waiting = self._waiting.get(path)
        return None if waiting is None else waiting.attributes

    @contextlib.contextmanager
    def claim(self, path: str) -> Iterator[Attributes | None]:
        """Take over what waits for a path; it waits on if what is done with it fails."""
        waiting = self._waiting.get(path)
        if waiting is None:
            yield None
        else:
            with waiting.lock:
                if self._waiting.get(path) is not waiting:  # it was sent meanwhile
                    yield None
                    return
                yield waiting.attributes
                with self._lock:
                    self._waiting.pop(path, None)
        self._created.pop(path, None)

    def flush(self, path: str) -> None:
        """Send what waits for a path, because the object is about to be changed otherwise."""
        if path in self._waiting:
            with self.claim(path) as attributes:
                if attributes is not None:
                    self.send(path, attributes)

    def flush_below(self, directory: str) -> None:
        """Send what waits for the files in a directory, at any depth."""
        for path in list(self._waiting):
            if is_below(path, directory):
                self.flush(path)

    def close(self) -> None:
        """Send everything."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._send_quietly(list(self._waiting))

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(GRACE, self._expire)
            self._timer.daemon = True
            self._timer.start()

    def _expire(self) -> None:
        limit = time.monotonic() - GRACE
        self._send_quietly([p for p, w in list(self._waiting.items()) if w.since <= limit])
        with self._lock:
            self._timer = None
            if self._waiting:
                self._arm()

    def _send_quietly(self, paths: list[str]) -> None:
        for path in paths:
            waiting = self._waiting.get(path)
            if waiting is None:
                continue
            try:
                self.flush(path)
            except NotFound:
                self._drop(path, waiting)  # deleted by somebody else: nothing to set them on
            except TagfsError as error:
                self._drop(path, waiting)
                self._trusted = False
                log.error("%s: mode, owner and times were not set: %s", path, error)  # noqa: TRY400

    def _forget(self, path: str) -> None:
        """Let nothing be sent of what waits for a path; what is being sent is waited for."""
        waiting = self._waiting.get(path)
        if waiting is not None:
            with waiting.lock:
                self._drop(path, waiting)

    def _drop(self, path: str, waiting: _Waiting) -> None:
        with self._lock:
            if self._waiting.get(path) is waiting:
                del self._waiting[path]
