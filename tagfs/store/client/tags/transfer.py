"""Which tags a rewritten object gets, and what is done where they do not arrive with it.

Some services take tags in a header of a request and drop them without a word: Ceph RGW 16 does so
with multipart uploads and with copies that replace metadata. A way of writing that the dialect
does not vouch for is read back once, at its first tagged object; the answer is remembered for as
long as the client lives. Where tags are dropped, PutObjectTagging follows every such rewrite
before it is reported done.
"""

import logging
from collections.abc import Mapping
from typing import Literal

from tagfs.errors import AccessDenied, BadCredentials, NotFound, TagfsError, Unsupported
from tagfs.store.client.context import ClientContext
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.proofs import SubresourceProofs
from tagfs.store.client.reads.heads import ObjectHeads
from tagfs.store.client.tags.object_tags import ObjectTags
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.objects import Keep, NewObject, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet, render_tagging

logger = logging.getLogger(__name__)

CopyTags = TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED, Keep.REPLACED_OR_SOURCE]


class TagTransfer:
    """Chooses the tags of what is written, and makes sure that it has them."""

    def __init__(
        self,
        context: ClientContext,
        heads: ObjectHeads,
        tags: ObjectTags,
        proofs: SubresourceProofs,
    ) -> None:
        self._api = context.api
        self._features = context.features
        self._choices = context.choices
        self._heads = heads
        self._tags = tags
        self._proofs = proofs
        self._undelivered: dict[str, TagSet] = {}  # of objects that were written without
        self._kept: dict[WriteKind, bool] = {}  # whether tags arrive that are sent this way

    def with_defaults(self, tags: TagSet, own: TagSet = NO_TAGS) -> TagSet:
        """Return a set as it is written: with the defaults of keys that it lacks.

        `own` are those of this object, which go before those of all objects.
        """
        if not self._choices.default_tags and not own:
            return tags
        if not self._features.capabilities.object_tags:
            return tags
        most = self._tags.rules.max_tags
        return tags.with_defaults(own, most).with_defaults(self._choices.default_tags, most)

    def tags_for(self, key: str, new: NewObject) -> TagSet:
        """Return the tags to send with new content; the key's lock is held.

        Raises:
            AccessDenied: the tags to keep may not be read.
            InvalidTag and what is below it: an explicit set that the service would refuse.
            Unsupported: there are some, and the bucket keeps none.
        """
        if new.tags is Keep.REPLACED:
            return self.with_defaults(self.tags_to_keep(key), new.defaults)
        self._check(new.tags)
        if new.tags and (self._proofs.is_ignored() or not self._features.capabilities.object_tags):
            raise Unsupported(f"{self._features.why_not('object_tags')}, so {key!r} can have none")
        return self.with_defaults(new.tags, new.defaults)

    def _check(self, tags: TagSet) -> None:
        """Judge an explicit set, where the rules are the service's own.

        A server of others judges by its own; whoever took the tags from a program has judged them.

        Raises:
            InvalidTag and what is below it
        """
        if self._api.is_vouched_for:
            self._tags.rules.check(tags)

    def tags_to_keep(self, key: str) -> TagSet:
        """Return the tags of what is at `key`, none if nothing is there; raises as `tags_for`."""
        if not self._features.capabilities.object_tags:
            return NO_TAGS
        try:
            return self._tags.get_tags(key) or self._undelivered.get(key, NO_TAGS)
        except (NotFound, FeatureMissing):
            self._undelivered.pop(key, None)
            return NO_TAGS
        except BadCredentials:
            raise
        except AccessDenied as denied:
            if self.shows_no_tags(key):
                return NO_TAGS
            if self._choices.tags_denied_drop:
                logger.info("%s; rewriting without its tags, as tags_denied=drop says", denied)
                return NO_TAGS
            raise AccessDenied(
                f"rewriting {key!r} would lose its tags, which may not be read: allow "
                f"GetObjectTagging, or mount with tags_denied=drop ({denied})"
            ) from denied

    def shows_no_tags(self, key: str) -> bool:
        """Say so if there is no object, or a count of 0.

        A count that is not sent proves nothing: services hide it from who may not read tags.
        """
        try:
            found = self._heads.head(key)
        except NotFound:
            return True
        except TagfsError:
            return False
        return found.detail is not None and found.detail.tag_count == 0

    def tags_for_copy(self, source: ObjectInfo, key: str, tags: CopyTags) -> TagSet | None:
        """Return the tags to set on a copy; None to have the service copy the source's."""
        if isinstance(tags, TagSet):
            self._check(tags)
            return self.with_defaults(tags)
        if not self._features.capabilities.object_tags:
            return None
        chosen = self._replaced_tags(source, key, tags)
        if chosen is None and self._features.copies_bring_tags:
            chosen = self.tags_to_keep(source.key)
        return None if chosen is None else self.with_defaults(chosen)

    def _replaced_tags(self, source: ObjectInfo, key: str, tags: CopyTags) -> TagSet | None:
        """Return the tags of what a copy replaces, if it keeps these; None if the source's."""
        if tags is Keep.REPLACED_OR_SOURCE:
            return self.tags_to_keep(key) or None
        defaults = self._choices.default_tags
        has_tags = source.detail is not None and bool(source.detail.tag_count) and not defaults
        if tags is Keep.SOURCE or has_tags:
            return None
        try:
            if self._tags.get_tags(source.key).beyond(defaults):
                return None
        except BadCredentials:
            raise
        except AccessDenied:
            # Whatever the source's tags are: nothing is lost that had none.
            if self._choices.tags_denied_drop or self.shows_no_tags(key):
                return None
            raise
        return self.tags_to_keep(key) or None

    def tags_demanded_of(self, key: str, refusal: AccessDenied) -> TagSet:
        """Return the tags to send with a copy of `key` that was refused without any.

        Whoever chose default tags may have a policy that demands some of every request; it is
        remembered that copies are to bring them.

        Raises:
            AccessDenied: that is not why it was refused.
        """
        if not self._choices.brings_tags or not self._features.capabilities.object_tags:
            raise refusal
        tags = self.with_defaults(self.tags_to_keep(key))
        if not tags:
            raise refusal
        return tags

    def _is_reliable(self, carrier: WriteKind) -> bool:
        """Tell whether tags need no look after they were sent this way."""
        return (
            (carrier in self._api.dialect.tag_carriers and self._api.is_vouched_for)
            or self._kept.get(carrier, False)
            or not self._features.capabilities.object_tags
        )

    def at_risk(self, carrier: WriteKind, key: str) -> TagSet:
        """Return the tags that a rewrite of `key` onto itself could lose; read before it.

        Raises:
            AccessDenied: there may be some, and they may not be read.
        """
        return NO_TAGS if self._is_reliable(carrier) else self.tags_to_keep(key)

    def ensure(
        self, carrier: WriteKind, key: str, tags: TagSet, sent: Mapping[str, str] | None = None
    ) -> None:
        """See to it that the object just written has these tags; the key's lock is held.

        An empty set is looked after only where the service may have put other tags there. `sent`
        are the headers that the tags should have gone in, where any could be too long for that.

        Raises:
            TagfsError: the object is there, without its tags; the log has them.
        """
        try:
            self._deliver(carrier, key, tags, left_out=self._is_left_out(tags, sent))
        except TagfsError as failure:
            self._undelivered[key] = tags
            logger.error(  # noqa: TRY400  expected, and logged in one line
                "%r was written without its tags %s: %s",
                key,
                render_tagging(tags) or "(none)",
                failure,
            )
            raise
        if tags or carrier is not WriteKind.METADATA:  # else it is the object that lacks them
            self._undelivered.pop(key, None)

    def _deliver(self, carrier: WriteKind, key: str, tags: TagSet, *, left_out: bool) -> None:
        """Set tags by a request of their own, unless it is known that they arrived."""
        reliable = self._is_reliable(carrier) and not left_out
        if reliable or not (tags or carrier is WriteKind.RETAGGED_COPY):
            return
        known = left_out or carrier in self._kept
        if known or not self._verify_tags(carrier, key, tags):
            self._tags.put_tags(key, tags)

    def _is_left_out(self, tags: TagSet, sent: Mapping[str, str] | None) -> bool:
        """Tell whether tags were too long to go along."""
        possible = bool(tags) and self._features.capabilities.object_tags
        return possible and sent is not None and self._api.header("tagging") not in sent

    def _verify_tags(self, carrier: WriteKind, key: str, tags: TagSet) -> bool:
        """Read tags back, and remember what that says about the service."""
        try:
            arrived = self._tags.get_tags(key) == tags
        except AccessDenied:
            return False  # nothing is learned; setting them again does no harm
        if tags or not arrived:
            self._kept[carrier] = arrived
            logger.log(
                logging.DEBUG if arrived else logging.WARNING,
                "bucket %r on %s %s tags with %s%s",
                self._api.name,
                self._api.dialect.title,
                "keeps" if arrived else "drops",
                carrier.value,
                "" if arrived else ": they are set by a request of their own from now on",
            )
        return arrived
