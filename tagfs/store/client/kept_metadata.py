"""Whether a server keeps the metadata that it takes: some S3 servers forget it without a word."""

from collections.abc import Mapping

from tagfs.errors import AccessDenied, TagfsError
from tagfs.store.client.api import logger
from tagfs.store.client.context import ClientContext
from tagfs.store.client.heads import ObjectHeads


class KeptMetadata:
    """Looks back at the first object, and at the first directory, that was written with some."""

    def __init__(self, context: ClientContext, heads: ObjectHeads) -> None:
        self._api = context.api
        self._features = context.features
        self._heads = heads

    def check(self, key: str, sent: Mapping[str, str]) -> None:
        """Learn from what was just written; costs a HEAD, once, on servers that are not known."""
        of_marker = key.endswith("/")
        if not sent or self._api.is_vouched_for or of_marker in self._features.keeps_metadata:
            return
        try:
            found = self._heads.head(key)
        except AccessDenied:
            self._features.note_metadata(kept=True, of_marker=of_marker)  # nobody can look here
            return
        except TagfsError as failure:
            logger.info("whether the metadata of %r was kept stays unknown: %s", key, failure)
            return
        found_metadata = found.detail.metadata if found.detail else {}
        # That of somebody who was here meanwhile is some, too.
        self._features.note_metadata(kept=bool(found_metadata), of_marker=of_marker)
