"""All that is still due to the bucket, by what waits: attributes, deletions, uploads."""

from dataclasses import dataclass

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

    def settle(self, path: str, *kinds: Kind) -> None:
        """Make what is deferred of a path, of some kinds: it would meet what is done next there.

        Raises:
            TagfsError: the service does not take it, and nothing else may be done.
        """
        for kind in kinds:
            if kind is Kind.UPLOAD:
                self.uploads.flush(path)
            else:
                self.changes.flush(path, kind)

    def settle_below(self, directory: str, *kinds: Kind) -> None:
        """Make what is deferred in a directory, at any depth; the directory itself is not meant.

        Raises:
            TagfsError: the service does not take something.
        """
        for kind in kinds:
            self.changes.flush_below(directory, kind)
