"""Whether a server keeps the metadata that it takes: some S3 servers drop it without a word."""

from collections.abc import Mapping

from tagfs.errors import AccessDenied, BadCredentials, TagfsError
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.objects import ObjectInfo
from tagfs.store.versions import may_be_version


class KeptMetadata:
    """Looks back at the first object, and at the first directory, that was written with some."""

    def __init__(self, context: ClientContext, heads: ObjectHeads) -> None:
        self._api = context.api
        self._features = context.features
        self._heads = heads
        self._odd: set[bool] = set()  # whether another version was found; of markers apart

    def check(self, made: ObjectInfo, sent: Mapping[str, str]) -> None:
        """Learn from what was just written; costs a HEAD, once, on servers that are not known.

        `made` is the object with the metadata that was sent. Another version without any, written
        since by another client, says nothing once; twice, it is the ETags that differ.
        """
        key, of_marker = made.key, made.key.endswith("/")
        if not sent or self._api.is_vouched_for or of_marker in self._features.keeps_metadata:
            return
        try:
            found = self._heads.head(key)
        except TagfsError as failure:
            if isinstance(failure, AccessDenied) and not isinstance(failure, BadCredentials):
                # It may never be looked at.
                self._features.note_metadata(kept=True, of_marker=of_marker)
            logger.info("whether the metadata of %r was kept stays unknown: %s", key, failure)
            return
        kept = bool(found.detail and found.detail.metadata)
        if not kept and not may_be_version(found, made) and of_marker not in self._odd:
            self._odd.add(of_marker)
            return
        self._features.note_metadata(kept=kept, of_marker=of_marker)
