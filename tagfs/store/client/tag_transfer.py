"""Whether tags arrive that are sent along with a rewrite, and what is done where they do not.

Some services take tags in a header of a request and drop them without a word: Ceph RGW 16 does so
with multipart uploads and with copies that replace metadata. A way of writing that the dialect
does not vouch for is read back once, at its first tagged object; the answer is remembered for as
long as the client lives. Where tags are dropped, PutObjectTagging follows every such rewrite
before it is reported done.
"""

import logging

from tagfs.errors import AccessDenied, TagfsError
from tagfs.store.client.tags import ObjectTags
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.tags import NO_TAGS, TagSet, render_tagging

logger = logging.getLogger(__name__)


class TagTransfer(ObjectTags):
    """Makes sure that what was written has its tags."""

    def _is_reliable(self, carrier: WriteKind) -> bool:
        """Tell whether tags need no look after they were sent this way."""
        return (
            carrier in self.dialect.tag_carriers
            or self._kept_tags_by.get(carrier, False)
            or not self._capabilities.object_tags
        )

    def _tags_at_risk(self, carrier: WriteKind, key: str) -> TagSet:
        """Return the tags that a rewrite of `key` onto itself could lose; read before it.

        Raises:
            AccessDenied: there may be some, and they may not be read.
        """
        return NO_TAGS if self._is_reliable(carrier) else self._tags_to_keep(key)

    def _ensure_tags(self, carrier: WriteKind, key: str, tags: TagSet) -> None:
        """See to it that the object just written has these tags; the key's lock is held.

        An empty set is looked after only where the service may have put other tags there.

        Raises:
            TagfsError: the object is there, without its tags; the log has them.
        """
        if self._is_reliable(carrier) or not (tags or carrier is WriteKind.RETAGGED_COPY):
            return
        try:
            if carrier not in self._kept_tags_by and self._verify_tags(carrier, key, tags):
                return
            self.put_tags(key, tags)
        except TagfsError as failure:
            logger.error(  # noqa: TRY400  expected, and told in one line
                "%r was written without its tags %s: %s",
                key,
                render_tagging(tags) or "(none)",
                failure,
            )
            raise

    def _verify_tags(self, carrier: WriteKind, key: str, tags: TagSet) -> bool:
        """Read tags back, and remember what that says about the service."""
        try:
            arrived = self.get_tags(key) == tags
        except AccessDenied:
            return False  # nothing is learned; setting them again does no harm
        if tags or not arrived:
            self._kept_tags_by[carrier] = arrived
            logger.log(
                logging.DEBUG if arrived else logging.WARNING,
                "bucket %r on %s %s tags with %s%s",
                self.name,
                self.dialect.title,
                "keeps" if arrived else "drops",
                carrier.value,
                "" if arrived else ": they are set by a request of their own from now on",
            )
        return arrived
