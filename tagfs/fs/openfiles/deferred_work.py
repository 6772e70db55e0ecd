"""All that is still due to the bucket, by what waits: attributes, deletions, uploads."""

from dataclasses import dataclass

from tagfs.fs.openfiles.deferred_attributes import DeferredAttributes
from tagfs.fs.openfiles.write_back import WriteBack
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
