"""All that is still due to the bucket, by what waits: attributes, deletions, uploads.

What has to be made before what else is decided here and nowhere else.
"""

from dataclasses import dataclass

from tagfs.fs.mapping.paths import split
from tagfs.fs.openfiles.deferred_attributes import DeferredAttributes
from tagfs.fs.openfiles.write_back import WriteBack
from tagfs.fs.pending.change import Kind
from tagfs.fs.pending.queue import PendingChanges


@dataclass(frozen=True, slots=True)
class DeferredWork:
    """The queues of one mount.

    Attributes:
        attributes: mode, owner and times of temporary names, which the rename takes along.
        changes: deletions that wait for a rename.
        uploads: closed files whose content is not sent yet.
    """

    attributes: DeferredAttributes
    changes: PendingChanges
    uploads: WriteBack

    # What is deferred would meet what is done next: who does it says so here, and all that is due
    # to the bucket by then is made. Each of these raises TagfsError where the service does not
    # take something; then nothing else may be done.

    def before_made(self, path: str) -> None:
        """Something new is to be at a path: what was deferred there would strike it."""
        self._make(path, Kind.DELETE)

    def before_changed(self, path: str) -> None:
        """A file is to be written to, or gets other attributes: what it gets must not undo that."""
        self._make(path, Kind.ATTRIBUTES)

    def before_opened(self, path: str) -> None:
        """A file is to be opened for writing: it begins with what is there."""
        self._make(path, Kind.ATTRIBUTES, Kind.UPLOAD)

    def before_described(self, path: str) -> None:
        """What only an object has is asked for."""
        self._make(path, Kind.UPLOAD)

    def before_emptied(self, path: str) -> None:
        """The name of an open file is to be free, until its object is replaced or deleted."""
        self._make(path, Kind.UPLOAD)

    def before_left(self, key: str) -> None:
        """An object is to go: the file that has its annotations from there is made first."""
        self.uploads.flush_heirs(key)

    def before_removed(self, directory: str) -> None:
        """A directory is to be removed: what is unlinked in it would keep it from being empty."""
        self._make(directory, Kind.UPLOAD)
        self._make_below(directory, Kind.DELETE)

    def before_synced(self, directory: str) -> None:
        """All that is in a directory is to be on the service."""
        self._make(directory, Kind.UPLOAD)
        self._make_below(directory, Kind.DELETE, Kind.UPLOAD)

    def before_renamed(self, old: str, new: str) -> None:
        """What is at `old` is to be at `new`: nothing is deleted late below, `new` is complete."""
        for path in (old, new):
            self._make_below(path, Kind.DELETE)
        self._make(new, Kind.UPLOAD, Kind.ATTRIBUTES)

    def before_moved(self, old: str, new: str, *, natively: bool) -> None:
        """The object at `old` is to be moved: it is there. `natively`: in one request.

        Such a request wants the directory of the new name, and takes no attributes along.
        """
        self._make(old, Kind.UPLOAD)
        if natively:
            self._make(split(new)[0], Kind.UPLOAD)
            self._make(old, Kind.ATTRIBUTES)

    def before_all_moved(self, directory: str) -> None:
        """All objects in a directory are to be moved: they are there, as they are to be."""
        self._make_below(directory, Kind.ATTRIBUTES, Kind.UPLOAD)

    def _make(self, path: str, *kinds: Kind) -> None:
        for kind in kinds:
            if kind is Kind.UPLOAD:
                self.uploads.flush(path)
            else:
                self.changes.flush(path, kind)

    def _make_below(self, directory: str, *kinds: Kind) -> None:
        """Make what is deferred in a directory, at any depth; the directory itself is not meant."""
        for kind in kinds:
            self.changes.flush_below(directory, kind)
