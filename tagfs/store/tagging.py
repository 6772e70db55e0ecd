"""Tags of objects and of the bucket, and which tags a rewritten object gets."""

import logging
from collections.abc import Callable, Mapping

from tagfs.errors import AccessDenied, InvalidTag, MalformedResponse, NotFound
from tagfs.store.bucket import Keep, NewObject
from tagfs.store.calls import Calls
from tagfs.store.dialect import EmptyTagging
from tagfs.store.exchange import Request
from tagfs.store.failures import BucketLacks
from tagfs.store.tags import NO_TAGS, TagRules, TagSet
from tagfs.store.wire import parse_tag_set, render_tag_set

logger = logging.getLogger(__name__)

_NO_TAGS_CODE = "NoSuchTagSet"


class Tagging(Calls):
    """The tagging part of `Client`; see `Bucket` for what the methods promise."""

    def get_tags(self, key: str, *, max_age: float | None = None) -> TagSet:  # noqa: ARG002 contract
        """Return the tags of one object; see `Bucket.get_tags`."""
        self._check_key(key)
        with self._needs("object_tags"):
            return self._get_tag_set("GetObjectTagging", key)

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read, change and write the tags of one object as one step; see `Bucket.update_tags`."""
        with self._locks.hold(key):
            present = self.get_tags(key)
            wanted = change(present)
            if wanted != present:
                self.put_tags(key, wanted)
            return wanted

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tags of one object; see `Bucket.put_tags`."""
        self._check_key(key)
        self._check_tags(f"object {key!r}", self.object_tag_rules, tags)
        with self._locks.hold(key), self._needs("object_tags"):
            self._put_tag_set("ObjectTagging", key, tags)
            self._uploads.note_edit(key, tags)

    def get_bucket_tags(self, *, max_age: float | None = None) -> TagSet:  # noqa: ARG002 contract
        """Return the tags of the bucket; see `Bucket.get_bucket_tags`."""
        with self._needs("bucket_tags"):
            return self._get_tag_set("GetBucketTags", None)

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Change the tags of the bucket; see `Bucket.update_bucket_tags`."""
        # No object has the empty key, so the bucket's own lock has a name of its own.
        with self._locks.hold(""):
            present = self.get_bucket_tags()
            wanted = change(present)
            if wanted == present:
                return wanted
            self._check_tags(f"bucket {self.name!r}", self.bucket_tag_rules, wanted)
            lost = [key for key in present if key not in wanted]
            with self._needs("bucket_tags"):
                if self._only_loses(present, wanted):
                    self._delete_tag_set("DeleteBucketTags", None, ",".join(lost))
                else:
                    self._put_tag_set("BucketTags", None, wanted)
            return wanted

    def _only_loses(self, present: TagSet, wanted: TagSet) -> bool:
        """Tell whether single tags can be deleted, leaving those that others add meanwhile."""
        return (
            self.dialect.delete_bucket_tags_by_key
            and all(present.get(key) == value for key, value in wanted.items())
            and not any("," in key for key in present if key not in wanted)
        )

    def _check_tags(self, owner: str, rules: TagRules, tags: Mapping[str, str]) -> None:
        try:
            rules.check(tags)
        except InvalidTag as broken:
            logger.warning("%s: tags refused before any request: %s", owner, broken)
            raise

    def _tags_for(self, key: str, new: NewObject) -> TagSet:
        """Return the tags to send with new content; the key's lock is held.

        Raises:
            AccessDenied: the tags to keep may not be read.
            InvalidTag and what is below it: an explicit set that the service would refuse.
        """
        if new.tags is Keep.REPLACED:
            return self._tags_to_keep(key)
        self._check_tags(f"object {key!r}", self.object_tag_rules, new.tags)
        return new.tags

    def _tags_to_keep(self, key: str) -> TagSet:
        """Return the tags of what is at `key`, none if nothing is there; raises as `_tags_for`."""
        if not self._capabilities.object_tags:
            return NO_TAGS
        try:
            return self.get_tags(key)
        except (NotFound, BucketLacks):
            return NO_TAGS
        except AccessDenied as denied:
            if self.tags_denied_drop:
                logger.info("%s; rewriting without its tags, as tags_denied=drop says", denied)
                return NO_TAGS
            raise AccessDenied(
                f"rewriting {key!r} would lose its tags, which may not be read: allow "
                f"GetObjectTagging, or mount with tags_denied=drop ({denied})"
            ) from denied

    def _get_tag_set(self, operation: str, key: str | None) -> TagSet:
        request = self._tagging(operation, "GET", key)
        answer = self._call(request, allow={_NO_TAGS_CODE})
        if answer.error is not None:
            if self.dialect.empty_tagging is EmptyTagging.NOT_FOUND:
                return NO_TAGS
            raise self._warn(MalformedResponse(f"{request}: {answer}"))
        if not answer.body and self.dialect.empty_tagging is EmptyTagging.EMPTY_BODY:
            return NO_TAGS
        return parse_tag_set(answer.body)

    def _put_tag_set(self, what: str, key: str | None, tags: TagSet) -> None:
        """Replace a tag set; an empty one is deleted, which no service misunderstands."""
        if not tags:
            self._delete_tag_set(f"Delete{what}", key)
        else:
            self._call(self._tagging(f"Put{what}", "PUT", key, body=render_tag_set(tags)))

    def _delete_tag_set(self, operation: str, key: str | None, names: str = "") -> None:
        self._call(self._tagging(operation, "DELETE", key, names))

    def _tagging(
        self,
        operation: str,
        method: str,
        key: str | None,
        names: str = "",
        body: bytes | None = None,
    ) -> Request:
        return Request(
            operation=operation,
            method=method,
            key=key,
            query={"tagging": names},
            headers={} if body is None else {"content-type": "application/xml"},
            body=body,
            subresource="tagging",
        )
