"""What a client has learnt of its bucket, from refusals and from answers.

Each fact changes by a method that says what was seen, under one lock; what a user should know of
it is logged once. Reading takes no lock: a fact that is a moment old costs a request at most.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from tagfs.errors import Unsupported
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.dialects.dialect import Dialect

logger = logging.getLogger(__name__)

_NEEDS_SUBRESOURCES: Final = ("object_tags", "bucket_tags", "symlinks", "append", "annotations")
_NOT_IN_HIERARCHIES: Final = ("object_tags", "append", "symlinks")


class Features:
    """What is known of one bucket. Thread-safe.

    Attributes:
        capabilities: what it can do, as far as is known; grows smaller as it refuses things.
        heeds_subresources: whether it looks at sub-resources at all; None while nobody knows.
        tags_proven: PUT ?tagging is surely no PutObject.
        tags_readable: an object's tags were read: the right to do so is there.
        tags_in_heads: HEAD and GET are answered with the tags, for who asks so; None while nobody
            knows.
        listable: the bucket was listed: the right to do so is there.
        detailed_scans: servers of others may list details of objects to who reads a directory.
        unlistable: it may not be where it is mounted, so only what a HEAD shows is known.
        links_proven: PutSymlink surely makes a link.
        md5_etags: whether an ETag without "-" is the MD5 of content; None while nobody knows.
        part_checksums: checksums of parts are compared by the service; None while nobody knows.
        sees_uncopied: an object was seen to have what no copy takes along.
        copies_markers: a marker of a directory may be copied as any object.
        deletes_markers: one that is in a batch of deletions is deleted with it; None while nobody
            knows.
        keeps_markers: a marker was kept as what it is.
        keeps_metadata: user metadata is returned again; None while nobody knows. Of markers apart.
        conditional_deletes: whether deletions may name the version that is to go.
        conditional_copies: whether copies may name the version that they replace.
        copies_bring_tags: copies that bring no tags are refused.
    """

    def __init__(self, bucket: str, dialect: Dialect) -> None:
        self.capabilities = dialect.capabilities
        self.heeds_subresources: bool | None = None
        self.tags_proven = False
        self.tags_readable = False
        self.tags_in_heads: bool | None = None
        self.listable = False
        self.unlistable = False
        self.detailed_scans = dialect.lists_details
        self.links_proven = not dialect.probes_links
        self.md5_etags: bool | None = None if dialect.md5_etags else False
        self.part_checksums: bool | None = None if dialect.part_checksum else False
        self.sees_uncopied = False
        self.copies_markers = True
        self.deletes_markers: bool | None = None
        self.keeps_markers = False
        self.keeps_metadata: dict[bool, bool] = {}  # by whether it is a marker's
        self.conditional_deletes = dialect.conditional_deletes
        self.conditional_copies = dialect.conditional_deletes  # both came together
        self.copies_bring_tags = False
        self._bucket = bucket
        self._title = dialect.title
        self._lacks: dict[str, str] = {}  # capability -> how that was found out
        self._lock = threading.Lock()

    # What the bucket as a whole can do

    @contextmanager
    def require(self, capability: str) -> Iterator[None]:
        """Make a request that needs a capability; remember if the bucket refuses to have it.

        Raises:
            Unsupported: it is known not to have it.
        """
        if not getattr(self.capabilities, capability):
            raise Unsupported(self.why_not(capability))
        try:
            yield
        except FeatureMissing as failure:
            self.disable(capability, str(failure))
            raise

    def disable(self, capability: str, reason: str) -> None:
        """Note once that the bucket lacks something."""
        with self._lock:
            if not getattr(self.capabilities, capability):
                return
            self._lacks[capability] = reason
            self.capabilities = replace(self.capabilities, **{capability: False})
        logger.info(
            "bucket %r on %s has no %s: %s",
            self._bucket,
            self._title,
            capability.replace("_", " "),
            reason,
        )

    def why_not(self, capability: str) -> str:
        """Say that the bucket lacks something, and how that is known."""
        known = self._lacks.get(capability)
        lacking = f"bucket {self._bucket!r} has no {capability.replace('_', ' ')}"
        return f"{lacking} ({known})" if known else lacking

    def reason(self, capability: str) -> str:
        """Return how it is known that the bucket lacks something."""
        return self._lacks.get(capability, "")

    def note_hierarchy(self, kind: str, *, renames: bool) -> None:
        """Note that directories are real; `kind` is the service's word for such a bucket."""
        for capability in _NOT_IN_HIERARCHIES:
            self.disable(capability, kind)
        with self._lock:
            self.capabilities = replace(self.capabilities, rename=renames)

    def note_versions(self) -> None:
        """Note that versions are kept, where then no write is refused because the key is taken."""
        for capability in ("exclusive", "exclusive_copies"):
            self.disable(capability, "it keeps versions, and replaces whatever is there")

    # Whether requests mean what they say

    def note_heeded(self, *, proves_tags: bool = False) -> None:
        """Note that sub-resources are looked at; `proves_tags`: ?tagging of objects surely is."""
        with self._lock:
            self.heeds_subresources = True
            self.tags_proven |= proves_tags

    def note_ignored(self, reason: str) -> None:
        """Note that sub-resources are ignored: what needs one is not there."""
        with self._lock:
            self.heeds_subresources = False
        for capability in _NEEDS_SUBRESOURCES:
            self.disable(capability, reason)

    def note_links(self) -> None:
        """Note that a link was seen to be one."""
        with self._lock:
            self.links_proven = True

    # What may be asked, and what answers tell

    def note_listed(self) -> None:
        """Note that the bucket was listed."""
        with self._lock:
            self.listable = True

    def note_unlistable(self) -> None:
        """Note that the bucket may not be listed where it is mounted."""
        with self._lock:
            self.unlistable = True

    def note_tags_read(self) -> None:
        """Note that tags of an object were read."""
        with self._lock:
            self.tags_readable = True

    def note_tags_in_heads(self, *, right: bool) -> None:
        """Note whether HEAD is answered with the tags that the object has, where it asks so."""
        with self._lock:
            self.tags_in_heads = right
        logger.info("bucket %r: HEAD and GET tell %s", self._bucket, "tags" if right else "no tags")

    def note_uncopied(self) -> None:
        """Note that an object has what no copy takes along."""
        with self._lock:
            self.sees_uncopied = True

    def forgo_conditional_deletes(self, reason: str) -> None:
        """Note that deletions cannot name a version."""
        with self._lock:
            self.conditional_deletes = False
        logger.info("bucket %r: deletions name no version: %s", self._bucket, reason)

    def forgo_conditional_copies(self, reason: str) -> None:
        """Note that copies cannot name what they replace."""
        with self._lock:
            self.conditional_copies = False
        logger.info("bucket %r: copies name no version to replace: %s", self._bucket, reason)

    def forgo_annotations(self) -> None:
        """Note that annotations are not wanted, or not of this server."""
        with self._lock:
            self.capabilities = replace(self.capabilities, annotations=False)

    def note_demanded_tags(self) -> None:
        """Note that a copy was accepted with tags that was refused without."""
        with self._lock:
            first, self.copies_bring_tags = not self.copies_bring_tags, True
        if first:
            logger.info("bucket %r: copies bring tags, as a policy demands", self._bucket)

    def trust_etags(self) -> None:
        """Note that an ETag was seen to be the MD5 of what was sent or read."""
        with self._lock:
            self.md5_etags = True

    def distrust_etags(self, reason: str) -> None:
        """Note that an ETag of this service says nothing of content."""
        with self._lock:
            self.md5_etags = False
        logger.warning(
            "ETags on %s are no checksums of content, so whole reads go unverified (%s)",
            self._title,
            reason,
        )

    def trust_checksums(self) -> None:
        """Note that the checksum of a part was returned as it was sent.

        It does not undo what was found meanwhile, such as copies of parts that have none.
        """
        with self._lock:
            if self.part_checksums is None:
                self.part_checksums = True

    def distrust_checksums(self, reason: str) -> None:
        """Note that checksums of parts are not looked at."""
        with self._lock:
            if self.part_checksums is False:
                return
            self.part_checksums = False
        logger.info("bucket %r: parts are compared by their MD5: %s", self._bucket, reason)

    # Servers whose directories are real, and other S3s of others

    def note_uncopied_markers(self) -> None:
        """Note that a marker could not be copied, and could be written."""
        with self._lock:
            first, self.copies_markers = self.copies_markers, False
        if first:
            logger.info("markers of directories on %s are written anew, not copied", self._title)

    def note_deleted_markers(self, *, deleted: bool) -> None:
        """Note whether a deletion in bulk deletes markers."""
        with self._lock:
            self.deletes_markers = deleted
        if not deleted:
            logger.info("markers of directories on %s are deleted one by one", self._title)

    def note_markers(self, failure: str) -> None:
        """Note whether a marker was kept as what it is; `failure` says why it was not."""
        if not failure:
            self.keeps_markers = True
            return
        self.disable("markers", failure)
        logger.warning(
            "bucket %r on %s keeps no markers of directories (%s): without a file in it a directory"
            " lives in this mount alone, until it is unmounted",
            self._bucket,
            self._title,
            failure,
        )

    def note_metadata(self, *, kept: bool, of_marker: bool) -> None:
        """Note whether user metadata was kept."""
        with self._lock:
            self.keeps_metadata[of_marker] = kept
        if kept:
            return
        logger.warning(
            "bucket %r on %s keeps no metadata of %s: modes, owners and times are lost",
            self._bucket,
            self._title,
            "directories" if of_marker else "objects",
        )
        if not of_marker:
            self.disable("metadata", "what was sent was not there afterwards")
