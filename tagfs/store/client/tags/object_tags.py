"""Tags of objects and of the bucket, read and changed."""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    Interrupted,
    InvalidTag,
    Refused,
    TagfsError,
    Unsupported,
)
from tagfs.store.client.context import ClientContext
from tagfs.store.client.proofs import NO_TAGS_CODES
from tagfs.store.client.tags.open_uploads import OpenUploads
from tagfs.store.client.tags.requests import TagRequests
from tagfs.store.client.tags.resource_tags import ResourceTags
from tagfs.store.dialects.tag_escape import TagEscape
from tagfs.store.tags import NO_TAGS, TagRules, TagSet

logger = logging.getLogger(__name__)


class ObjectTags:
    """Tag sets; see `TagStore` for what the methods promise.

    Attributes:
        rules: what the bucket takes on an object: what its service documents, and has shown.
        resource: the way to the tags of a bucket with ABAC.
    """

    def __init__(self, context: ClientContext, requests: TagRequests, uploads: OpenUploads) -> None:
        self._api = context.api
        self._features = context.features
        self._locks = context.locks
        self._requests = requests
        self._uploads = uploads
        self.resource = ResourceTags(context)
        self.rules = context.api.dialect.object_tag_rules
        self._literal: bool | None = None  # whether encoded tags are kept as they come

    def get_tags(self, key: str) -> TagSet:
        """Return the tags of one object; see `TagStore.get_tags`."""
        self._api.check_key(key)
        return self._seen(self._requests.get("GetObjectTagging", key))

    def _seen(self, came: TagSet) -> TagSet:
        """Return the tags of an object that came so; what the service has it also takes."""
        tags = self._api.dialect.tag_escape.decode(came)
        self.rules = self.rules.allowing(tags)
        return tags

    def get_tags_many(self, keys: Sequence[str]) -> Mapping[str, TagSet]:
        """Return the tag sets of several objects, all at once; see `TagStore.get_tags_many`."""
        if not self._features.capabilities.object_tags:
            return {}
        for key in keys:
            self._api.check_key(key)
        requests = [self._requests.tagging("GetObjectTagging", "GET", key) for key in keys]
        answers = self._api.request_all(requests)
        found: dict[str, TagSet] = {}
        for key, request, answer in zip(keys, requests, answers, strict=True):
            plain = answer is not None and (answer.error is None or answer.code in NO_TAGS_CODES)
            if answer is not None and plain:
                with contextlib.suppress(TagfsError):
                    found[key] = self._seen(self._requests.read(request, answer))
        if found:
            self._features.note_tags_read()
        return found

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read, change and write the tags of one object as one step; see `TagStore.update_tags`."""
        self._api.check_key(key)
        with self._locks.hold(key):
            came = self._requests.get("GetObjectTagging", key)
            present = self._seen(came)
            wanted = change(present)
            if wanted != present:
                self._put_object_tags(key, wanted, came)
            return wanted

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tags of one object; see `TagStore.put_tags`."""
        self._api.check_key(key)
        self._put_object_tags(key, tags, NO_TAGS)

    def get_bucket_tags(self) -> TagSet:
        """Return the tags of the bucket; see `TagStore.get_bucket_tags`."""
        return self._api.dialect.tag_escape.decode(self._bucket_tags())

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Change the tags of the bucket; see `TagStore.update_bucket_tags`."""
        # No object has the empty key, so the bucket's own lock has a name of its own.
        with self._locks.hold(""):
            came = self._bucket_tags()
            present = self._api.dialect.tag_escape.decode(came)
            # The service's own tags are sent along, or all are refused.
            rules = self._api.dialect.bucket_tag_rules
            wanted = rules.with_reserved(change(present), present)
            if wanted == present:
                return wanted
            sent = self._escaped(
                rules,
                wanted,
                came,
                present,
            )
            with self._features.require("bucket_tags"):
                if self.resource.in_use:
                    self.resource.change(wanted, present)
                else:
                    self._put_bucket_tags(sent, wanted, present)
            return wanted

    def _put_bucket_tags(self, sent: TagSet, wanted: TagSet, present: TagSet) -> None:
        """Replace the tags of the bucket, or have it done as a bucket with ABAC wants it."""
        lost = [key for key in present if key not in wanted]
        try:
            if self._only_loses(present, wanted):
                self._requests.delete("DeleteBucketTags", None, ",".join(lost))
            else:
                self._requests.put("BucketTags", None, sent)
        except BadCredentials:
            raise
        except (AccessDenied, InvalidTag, Refused, Unsupported) as refusal:
            self.resource.take_over(refusal, wanted, present)

    def _bucket_tags(self) -> TagSet:
        """Return the bucket's tags as the service writes them."""
        try:
            return self._requests.get("GetBucketTags", None)
        except AccessDenied:
            if not self.resource.in_use:
                raise
        return self.resource.get()

    def _put_object_tags(self, key: str, tags: TagSet, came: TagSet) -> None:
        """Replace the tags of one object; `came` are the present ones as the service wrote them."""
        present = self._api.dialect.tag_escape.decode(came)
        literal = self._literal is True
        sent = self._escaped(
            self.rules,
            tags,
            came,
            present,
            literal=literal,
        )
        with self._locks.hold(key), self._features.require("object_tags"):
            self._requests.prove(key)
            self._requests.put("ObjectTagging", key, sent)
            self._uploads.record_tag_edit(key, tags)
            if sent != tags and self._api.dialect.tag_escape is TagEscape.AUTO:
                self._detect_encoding(key, tags, sent)

    def _detect_encoding(self, key: str, tags: TagSet, sent: TagSet) -> None:
        """Find out once if the service decodes what it gets; where not, send it as it is.

        Tags in a header are decoded everywhere, so that one object's tags would read in two ways
        to the vendor's SDKs. Only objects tell: a bucket's new tags may take minutes to show. The
        tags are written already: if they cannot be read, the next write finds out.
        """
        if self._literal is not None:
            return
        try:
            kept = self._requests.get("GetObjectTagging", key)
        except Interrupted:
            raise
        except TagfsError as failure:
            logger.info("how the tags of %r are kept stays unknown: %s", key, failure)
            return
        if kept in (tags, sent):
            self._literal = kept == sent
        if self._literal:
            logger.info(
                "%s keeps encoded tags as they come: they are sent as they are",
                self._api.dialect.title,
            )
            self._requests.put("ObjectTagging", key, tags)

    def _escaped(
        self,
        rules: TagRules,
        wanted: TagSet,
        came: TagSet,
        present: TagSet,
        *,
        literal: bool = False,
    ) -> TagSet:
        """Return a set as it goes into XML, once the rules allow it."""
        rules.check(wanted, present)
        return self._api.dialect.tag_escape.encode(wanted, came, literal=literal)

    def _only_loses(self, present: TagSet, wanted: TagSet) -> bool:
        """Tell whether single tags can be deleted, leaving those that others add meanwhile."""
        return (
            self._api.dialect.delete_bucket_tags_by_key
            and all(present.get(key) == value for key, value in wanted.items())
            and not any("," in key for key in present if key not in wanted)
        )
