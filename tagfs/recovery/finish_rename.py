"""Directory renames that a crash cut short: taken back while copies were made, else finished.

Either way only one of two equal objects is deleted, and never the one that is newer: an object
counts as a copy if size, checksum, metadata, headers and tags are those of its counterpart, and
the service dates it no earlier. What differs was changed since by another client, and both stay.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field

from tagfs.errors import NotFound, TagfsError
from tagfs.fs.content.journal_entries import RenameEntry, RenamePhase
from tagfs.fs.mapping.link_targets import METADATA_NAME
from tagfs.fs.mapping.paths import Root
from tagfs.fs.tree.symlinks import read_link
from tagfs.recovery.finish_file import Conflict
from tagfs.store.bucket import Bucket
from tagfs.store.objects import ObjectInfo, ObjectType, Spared
from tagfs.store.versions import copies_match

BATCH = 1000


@dataclass(slots=True)
class RenameOutcome:
    """What finishing a rename came to.

    Attributes:
        deleted: how many keys were deleted.
        kept: keys that were not, because they differ from their counterparts.
    """

    deleted: int = 0
    kept: list[str] = field(default_factory=list)


class RenameFinisher:
    """Finishes directory renames of one mount."""

    def __init__(self, bucket: Bucket, root: Root, executor: Executor) -> None:
        self._bucket = bucket
        self._root = root
        self._executor = executor

    def finish(self, entry: RenameEntry) -> RenameOutcome:
        """Leave the directory under one name as far as that loses nothing.

        Raises:
            Conflict: the note names something outside the mounted prefix.
            TagfsError: the service failed; what is left to do can be done again.
        """
        for prefix in (entry.source, entry.target):
            if self._root.to_path(prefix) in (None, "/"):
                raise Conflict(f"{prefix!r} is not below the mounted prefix")
        copying = entry.phase is RenamePhase.COPYING
        obsolete, kept = (entry.target, entry.source) if copying else (entry.source, entry.target)
        outcome = RenameOutcome()
        for infos in self._pages(obsolete):
            counterparts = [kept + info.key[len(obsolete) :] for info in infos]
            pairs = zip(infos, self._executor.map(self._head, counterparts), strict=True)
            self._finish_page(list(pairs), entry, outcome, obsolete)
        return outcome

    def _finish_page(
        self,
        pairs: list[tuple[ObjectInfo, ObjectInfo | None]],
        entry: RenameEntry,
        outcome: RenameOutcome,
        obsolete: str,
    ) -> None:
        copying = entry.phase is RenamePhase.COPYING
        with_twin = [(info, twin) for info, twin in pairs if twin is not None]
        # An empty directory that was there before keeps its marker.
        if copying and entry.replaces:
            with_twin = [(info, twin) for info, twin in with_twin if info.key != obsolete]
        same = self._executor.map(lambda pair: self._are_same(*pair, copying=copying), with_twin)
        verdicts = list(zip(with_twin, same, strict=True))
        outcome.kept += [info.key for (info, _), equal in verdicts if not equal]
        if not copying:
            # Another client deleted the copy, or made this since: it is all that there is.
            outcome.kept += [info.key for info, twin in pairs if twin is None]
        same_ones = {info.key: info for (info, _), equal in verdicts if equal}
        if same_ones:
            refused = self._bucket.delete_many(list(same_ones), meant=same_ones)
            failed = {k: why for k, why in refused.items() if not isinstance(why, Spared)}
            if failed:
                key, reason = next(iter(failed.items()))
                raise TagfsError(f"{len(failed)} keys were not deleted; {key!r}: {reason}")
        outcome.deleted += len(same_ones)

    def _pages(self, prefix: str) -> Iterator[tuple[ObjectInfo, ...]]:
        token = None
        while True:
            page = self._bucket.list(prefix, delimiter="", token=token, limit=BATCH)
            yield page.objects
            token = page.token
            if token is None:
                return

    def _head(self, key: str) -> ObjectInfo | None:
        try:
            return self._bucket.head(key)
        except NotFound:
            return None

    def _are_same(self, listed: ObjectInfo, twin: ObjectInfo, *, copying: bool) -> bool:
        """Say whether `listed` may be deleted because `twin` is all that it is."""
        info = self._head(listed.key)
        if info is None:
            return False
        original, copy = (twin, info) if copying else (info, twin)
        return (
            # A link that is moved may keep its text there.
            copies_match(original, copy, own_metadata={METADATA_NAME})
            and self._have_same_text(info, twin)
            and self._bucket.get_tags(info.key) == self._bucket.get_tags(twin.key)
        )

    def _have_same_text(self, one: ObjectInfo, other: ObjectInfo) -> bool:
        if one.type is not ObjectType.SYMLINK:
            return True
        return read_link(self._bucket, one) == read_link(self._bucket, other)
