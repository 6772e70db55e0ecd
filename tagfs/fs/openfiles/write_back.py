"""Write-behind: files whose close is answered before the service has them (`durability=local`).

Such a file is held open here until its upload is done, so every call sees it as its program left
it, and what is changed meanwhile (name, mode, times, tags) goes along with its content. Its note
in the journal is written before close is answered, and anew after every such change: `tagfs
recover` finishes what a crash leaves.

Nothing is left to chance where order counts. Who opens a held file to write, renames another over
it, or moves its directory, waits for its upload first. fsync waits for the service as ever.

A failure can be told to nobody any more. It is logged, the file stays held and is tried again; and
as long as one fails, every other close waits for its own upload and hears how that ended.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tagfs.errors import (
    AlreadyExists,
    NoSuchBucket,
    NotFound,
    ObjectChanged,
    PositionMismatch,
    TagfsError,
    Unreachable,
)
from tagfs.fs.mapping.paths import is_below
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.mapping.temp_names import destination
from tagfs.fs.openfiles.deferred_attributes import GRACE
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import Handle, OpenFile

log = logging.getLogger(__name__)

MAX_FILES = 256
"""Files that are held at most: each has a descriptor. Who closes one more waits."""

MAX_BYTES = 1024**3
"""Bytes of held files above which who closes another one waits; fewer where as many would leave
less room on the local disk than they take."""

DIRECTORY_GRACE = 1.0
"""Seconds in which a new directory is given its mode and times, as its tool ends."""

FIRST_RETRY = 1.0
LAST_RETRY = 60.0
"""Seconds before an upload that failed is tried again: at first, and at most."""

_FINAL = (AlreadyExists, NotFound, ObjectChanged, PositionMismatch)
"""Failures that mean that somebody else has made, changed or deleted the object. The path shows
what the service has, and the staged file is left to `tagfs recover`."""


@dataclass(slots=True)
class _PendingUpload:
    """A file that waits for its upload, or is being uploaded.

    Attributes:
        handle: what keeps it open here.
        size: bytes, when it was taken.
        due: when its upload is to begin (monotonic seconds).
        running: whether a thread has it, or is about to.
        again: whether it was closed once more since its upload began.
        leaving: whether it is being let go.
        failures: of its upload, one after the other.
    """

    handle: Handle
    size: int
    due: float
    running: bool = False
    requeue: bool = False
    releasing: bool = False
    failures: int = 0


class WriteBack:
    """Uploads files after their close was answered. Thread-safe."""

    def __init__(self, files: HandleTable, threads: int, free_bytes: Callable[[], int]) -> None:
        """`threads` uploads at once; with 0, every close waits for its upload.

        `free_bytes` tells how many the local disk has left for staging.
        """
        self._files = files
        self._free_bytes = free_bytes
        self._pending: dict[OpenFile, _PendingUpload] = {}
        self._failing = 0
        self._changed = threading.Condition()
        self._executor = ThreadPoolExecutor(threads, "tagfs-behind") if threads else None
        self._waker: threading.Thread | None = None
        self._closed = False

    def accepts(self) -> bool:
        """Whether what is made now may be held: that was chosen, and no upload fails."""
        return self._executor is not None and not self._closed and not self._failing

    def make_directory(self, path: str, attributes: Attributes, headers: Mapping[str, str]) -> None:
        """Make a directory that is held until its marker is written; `headers` go with it.

        Raises:
            TagfsError: there is none.
        """
        made = self._files.make_directory(path, attributes, headers)
        try:
            if not self.enqueue(made.node):
                made.node.flush()
        except BaseException:
            self._files.unlink(path)  # nobody was told that it is there
            raise
        finally:
            self._files.release(made.fh)

    def enqueue(self, node: OpenFile) -> bool:
        """Answer for the upload of a file that is being closed; False if its closer must do it.

        Raises:
            StagingFull: the local disk has no room for its note.
        """
        if not self.accepts() or node.unlinked:
            return False
        with self._changed:
            if not self._has_room(node):
                for other, waiting in self._pending.items():
                    self._begin(other, waiting)
            self._changed.wait_for(lambda: not self.accepts() or self._has_room(node))
        node.journal_commit()
        delay = _delay(node)
        with self._changed:
            # One that is being let go may have looked at its content before this close.
            self._changed.wait_for(lambda: not self._is_releasing(node))
            if not self.accepts():
                return False
            held = self._pending.get(node)
            if held is None:
                handle = self._files.pin(node)
                held = self._pending[node] = _PendingUpload(
                    handle, node.size, time.monotonic() + delay
                )
            held.requeue = held.running
            if delay:
                self._wake()
            else:
                self._begin(node, held)
        return True

    def start_now(self, node: OpenFile) -> None:
        """Look at a held file now: it has its last name, or was uploaded otherwise."""
        if node not in self._pending:
            return
        with self._changed:
            held = self._pending.get(node)
            if held is not None:
                self._begin(node, held)

    def cancel(self, node: OpenFile) -> None:
        """Let a file go that has no name any more: nothing of it is to be uploaded."""
        held = self._pending.get(node)
        if held is not None:
            self._release(node, held)

    def flush(self, path: str) -> None:
        """Wait until the service has what is held of a path.

        Raises:
            TagfsError: it does not take it.
        """
        node = self._files.node(path)
        if node in self._pending:
            self._finish(node)

    def flush_below(self, directory: str) -> None:
        """Wait until the service has all files that are held of a directory, at any depth.

        Raises:
            TagfsError: it does not take one.
        """
        nodes = [node for node in list(self._pending) if is_below(node.path, directory)]
        if self._executor is not None:
            for done in [self._executor.submit(self._finish, node) for node in nodes]:
                done.result()

    def state(self) -> dict[str, int]:
        """Return what the status tells: files and bytes that are held, and uploads that fail."""
        with self._changed:
            return {
                "held_files": len(self._pending),
                "held_bytes": sum(held.size for held in self._pending.values()),
                "failing_uploads": self._failing,
            }

    def close(self, give_up: Callable[[], None]) -> None:
        """Upload everything that is held; what fails stays dirty, its failure logged.

        `give_up` lets all later requests fail at once; it is called when the service is dead.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._executor is None:
            return
        for done in [self._executor.submit(self._finish, node) for node in list(self._pending)]:
            try:
                done.result()
            except Unreachable:
                give_up()
            except TagfsError as error:
                log.warning("at unmount: %s", error)
            except Exception:
                log.exception("at unmount: a bug in tagfs")
        self._executor.shutdown()
        if self._waker is not None:
            self._waker.join()

    # What follows down to `_begin_when_due` runs under the condition's lock.

    def _has_room(self, node: OpenFile) -> bool:
        if not self._pending or node in self._pending:
            return True
        total = sum(held.size for held in self._pending.values())
        return len(self._pending) < MAX_FILES and total + node.size <= min(
            MAX_BYTES, self._free_bytes()
        )

    def _is_releasing(self, node: OpenFile) -> bool:
        held = self._pending.get(node)
        return held is not None and held.releasing

    def _begin(self, node: OpenFile, held: _PendingUpload) -> None:
        if not held.running and self._executor is not None and not self._closed:
            held.running = True
            self._executor.submit(self._upload, node, held)

    def _wake(self) -> None:
        """Let the waker look anew at what is due when."""
        if self._waker is None:
            self._waker = threading.Thread(
                target=self._begin_when_due, name="tagfs-behind-waker", daemon=True
            )
            self._waker.start()
        self._changed.notify_all()

    def _begin_when_due(self) -> None:
        with self._changed:
            while not self._closed:
                waiting = [(n, h) for n, h in self._pending.items() if not h.running]
                now = time.monotonic()
                for node, held in waiting:
                    if held.due <= now:
                        self._begin(node, held)
                later = [held.due - now for _, held in waiting if held.due > now]
                self._changed.wait(min(later, default=None))

    # What follows runs without it, for it may take as long as an upload.

    def _upload(self, node: OpenFile, held: _PendingUpload) -> None:
        """Upload one held file, in a thread for that."""
        if self._closed or held.releasing:
            return  # somebody else does it
        key = node.key
        try:
            node.flush(again=held.failures > 0)
        except Exception as error:  # noqa: BLE001  (no program hears of it)
            is_final = isinstance(error, _FINAL) and not isinstance(error, NoSuchBucket)
            # Under another name, which it was given meanwhile, it may succeed.
            if not is_final or node.key != key:
                self._retry_later(node, held, error)
                return
        with self._changed:
            if held.requeue and not held.releasing:
                held.running = held.requeue = False
                self._begin(node, held)
                return
        self._release(node, held)

    def _retry_later(self, node: OpenFile, held: _PendingUpload, error: Exception) -> None:
        with self._changed:
            if held.releasing:
                return  # another thread has brought it there
            held.running = held.requeue = False
            self._failing += not held.failures
            held.failures += 1
            wait = min(LAST_RETRY, FIRST_RETRY * 2 ** (held.failures - 1))
            held.due = time.monotonic() + wait
            self._wake()
        if isinstance(error, TagfsError):
            log.info("%s: its upload failed (%s); again in %.0f s", node.path, error, wait)
        else:
            log.error("%s: a bug in tagfs", node.path, exc_info=error)

    def _finish(self, node: OpenFile) -> None:
        """Upload a held file in this thread, and let it go.

        Raises:
            TagfsError
        """
        while held := self._pending.get(node):
            held.requeue = False
            node.flush(again=held.failures > 0)
            if not held.requeue:  # nor was it closed once more meanwhile
                self._release(node, held)

    def _release(self, node: OpenFile, held: _PendingUpload) -> None:
        """Stop holding a file; whoever finds it held until then waits for the end of that."""
        with self._changed:
            if held.releasing:
                self._changed.wait_for(lambda: self._pending.get(node) is not held)
                return
            held.releasing = True
        try:
            self._files.release(held.handle.fh)
        finally:
            with self._changed:
                del self._pending[node]
                self._failing -= held.failures > 0
                self._changed.notify_all()


def _delay(node: OpenFile) -> float:
    """Return the seconds in which more is to be expected that its upload could take along."""
    if node.is_dir:
        return DIRECTORY_GRACE
    return 0.0 if destination(node.path) is None else GRACE
