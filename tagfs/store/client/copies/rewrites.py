"""The ways in which an object is made of another, or of itself, one for each kind of object."""

from dataclasses import dataclass

from tagfs.store.client.copies.requests import CopyRequests
from tagfs.store.client.multipart.part_copies import PartCopies
from tagfs.store.client.writes.markers import MarkerWrites
from tagfs.store.client.writes.symlinks import SymlinkWrites


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrites:
    """The parts that copies and edits of metadata share.

    Attributes:
        requests: copies in one request.
        part_copies: of what is too large for that.
        links: of what a copy would follow.
        markers: of directories.
    """

    requests: CopyRequests
    part_copies: PartCopies
    links: SymlinkWrites
    markers: MarkerWrites
