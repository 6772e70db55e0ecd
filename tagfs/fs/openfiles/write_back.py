"""Write-behind: files whose close is answered before the service has them (`durability=local`).

Such a file is held open here until its upload is done, so every call sees it as its program left
it, and what is changed meanwhile (name, mode, times, tags) goes along with its content. Its note
in the journal is written before close is answered, and anew after every such change: `tagfs
recover` finishes what a crash leaves.

Nothing is left to chance where order counts. Who opens a held file to write, renames another over
it, or moves its directory, waits for its upload first. fsync waits for the service as ever.

No call is left that could report a failure. It is logged, the file stays held and is tried again;
and as long as one fails, every other close waits for its own upload and hears how that ended.

The queue of what is pending says when; here stands what is held, how much of it, and how long.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tagfs.errors import (
    AlreadyExists,
    NoSuchBucket,
    NotFound,
    NotShown,
    ObjectChanged,
    PositionMismatch,
)
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.mapping.temp_names import destination
from tagfs.fs.openfiles.deferred_attributes import GRACE
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.openfiles.open_file import Handle, OpenFile
from tagfs.fs.pending.change import Kind, Work
from tagfs.fs.pending.queue import PendingChanges
from tagfs.store.tags import TagSet

MAX_FILES = 256
"""Files that are held at most: each has a descriptor. Who closes one more waits."""

MAX_BYTES = 1024**3
"""Bytes of held files above which who closes another one waits; fewer where as many would leave
less room on the local disk than they take."""

DIRECTORY_GRACE = 1.0
"""Seconds in which a new directory is given its mode and times, as its tool ends."""

_FINAL = (AlreadyExists, NotFound, NotShown, ObjectChanged, PositionMismatch)
"""Failures that mean that another client has made, changed or deleted the object. The path shows
what the service has, and the staged file is left to `tagfs recover`."""


@dataclass(slots=True)
class _Held:
    """A file that waits for its upload, or is being uploaded.

    Attributes:
        handle: what keeps it open here.
        size: bytes, when it was taken.
        key: its object's, when it was tried last.
        failed: whether that failed.
    """

    handle: Handle
    size: int
    key: str = ""
    failed: bool = False


class WriteBack:
    """Uploads files after their close was answered. Thread-safe."""

    def __init__(
        self,
        files: HandleTable,
        pending: PendingChanges,
        free_bytes: Callable[[], int],
        *,
        is_on: bool,
    ) -> None:
        """Hold files until their uploads, if that is on; else every close waits for its own.

        `free_bytes` tells how many the local disk has left for staging.
        """
        self._files = files
        self._pending = pending
        self._free_bytes = free_bytes
        self._is_on = is_on
        self._held: dict[OpenFile, _Held] = {}

    def accepts(self) -> bool:
        """Whether what is made now may be held: that was chosen, and nothing deferred fails."""
        return self._is_on and self._pending.is_trusted

    def make_directory(
        self, path: str, attributes: Attributes, headers: Mapping[str, str], given: TagSet
    ) -> None:
        """Make a directory that is held until its marker is written.

        `headers` go with that, and the tags that are `given` to it.

        Raises:
            TagfsError: there is none.
        """
        made = self._files.make_directory(path, attributes, headers, given)
        try:
            if not self.enqueue(made.node):
                made.node.flush()
        except BaseException:
            self._files.unlink(path)  # no call has shown that it is there
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
        self._wait_for_room(node)
        node.journal_commit()
        return self.accepts() and self._add(node)

    def enqueue_at_once(self, node: OpenFile) -> bool:
        """Do the same, if it waits for nothing but the local disk; False if it would.

        Raises:
            StagingFull: the local disk has no room for its note.
        """
        if not self.accepts() or node.unlinked or node in self._held:
            return False
        if self._is_full(node, self._room()) or not node.lock.acquire(blocking=False):
            return False
        try:
            node.journal_commit()
        finally:
            node.lock.release()
        return self.accepts() and self._add(node)

    def _add(self, node: OpenFile) -> bool:
        work = Work(
            functools.partial(self._upload, node),
            functools.partial(self._is_final, node),
            acquire=functools.partial(self._hold, node),
            release=functools.partial(self._let_go, node),
        )
        return self._pending.add(node, Kind.UPLOAD, work, _delay(node))

    def start_now(self, node: OpenFile) -> None:
        """Look at a held file now: it has its last name, or was uploaded otherwise."""
        self._pending.hasten(node, Kind.UPLOAD)

    def cancel(self, node: OpenFile) -> None:
        """Let a file go that has no name any more: nothing of it is to be uploaded."""
        self._pending.cancel(node, Kind.UPLOAD)

    def flush(self, path: str) -> None:
        """Wait until the service has what is held of a path.

        Raises:
            TagfsError: it does not take it.
        """
        node = self._files.node(path)
        if node is not None:
            self._pending.flush(node, Kind.UPLOAD)

    def flush_heirs(self, key: str) -> None:
        """Wait until the service has what is held and gets its annotations from an object.

        Raises:
            TagfsError: it does not take it.
        """
        for node in list(self._held):
            if key in node.draft.annotations_of:
                self._pending.flush(node, Kind.UPLOAD)

    def state(self) -> dict[str, int]:
        """Return what the status tells: files and bytes that are held, and uploads that fail."""
        held = list(self._held.values())
        return {
            "held_files": len(held),
            "held_bytes": sum(one.size for one in held),
            "failing_uploads": sum(one.failed for one in held),
        }

    def _wait_for_room(self, node: OpenFile) -> None:
        if node in self._held:
            return
        room = self._room()
        if not self._is_full(node, room):
            return
        for other in list(self._held):
            self._pending.hasten(other, Kind.UPLOAD)
        self._pending.wait_while(lambda: self.accepts() and self._is_full(node, room))

    def _room(self) -> int:
        return min(MAX_BYTES, self._free_bytes())  # a look at the disk, so under no lock

    def _is_full(self, node: OpenFile, room: int) -> bool:
        held = list(self._held.values())
        if not held:
            return False  # alone it may be of any size
        return len(held) >= MAX_FILES or sum(one.size for one in held) + node.size > room

    # What a change of the queue does

    def _hold(self, node: OpenFile) -> None:
        self._held[node] = _Held(self._files.pin(node), node.size)

    def _let_go(self, node: OpenFile) -> None:
        try:
            self._files.release(self._held[node].handle.fh)
        finally:
            del self._held[node]

    def _upload(self, node: OpenFile) -> None:
        held = self._held[node]
        held.key = node.key
        try:
            node.flush(again=held.failed)
        except BaseException:
            held.failed = True
            raise
        held.failed = False

    def _is_final(self, node: OpenFile, error: Exception) -> bool:
        """Say whether a failure is for good; under a name given meanwhile it may succeed."""
        is_final = isinstance(error, _FINAL) and not isinstance(error, NoSuchBucket)
        return is_final and node.key == self._held[node].key


def _delay(node: OpenFile) -> float:
    """Return the seconds in which more is to be expected that its upload could take along."""
    if node.is_dir:
        return DIRECTORY_GRACE
    return 0.0 if destination(node.path) is None else GRACE
