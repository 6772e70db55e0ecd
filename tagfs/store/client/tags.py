"""Tags of objects and of the bucket, and which tags a rewritten object gets."""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tagfs.errors import (
    AccessDenied,
    BadCredentials,
    InvalidTag,
    MalformedResponse,
    NotFound,
    TagfsError,
    Unsupported,
)
from tagfs.store.client.error_codes import FeatureMissing
from tagfs.store.client.proofs import NO_TAGS_CODES, SubresourceProofs
from tagfs.store.dialects.dialect import EmptyTagging
from tagfs.store.dialects.tag_escape import TagEscape
from tagfs.store.http.messages import Request, Response
from tagfs.store.objects import Keep, NewObject
from tagfs.store.tags import NO_TAGS, TagRules, TagSet
from tagfs.store.wire.xml import parse_tag_set, render_tag_set

logger = logging.getLogger(__name__)

_MOST: Final = 1024 * 1024
"""Bytes of a tag set, with all that XML may make of it."""


class ObjectTags(SubresourceProofs):
    """The tagging part of `Client`; see `Bucket` for what the methods promise."""

    def get_tags(self, key: str, *, max_age: float | None = None) -> TagSet:  # noqa: ARG002 contract
        """Return the tags of one object; see `Bucket.get_tags`."""
        self._check_key(key)
        return self.dialect.tag_escape.decode(self._get_raw("GetObjectTagging", key))

    def get_tags_many(self, keys: Sequence[str]) -> Mapping[str, TagSet]:
        """Return the tag sets of several objects, all at once; see `Bucket.get_tags_many`."""
        if not self._capabilities.object_tags:
            return {}
        for key in keys:
            self._check_key(key)
        requests = [self._tagging("GetObjectTagging", "GET", key) for key in keys]
        answers = self.transport.request_all(requests)
        found: dict[str, TagSet] = {}
        for key, request, answer in zip(keys, requests, answers, strict=True):
            plain = answer is not None and (answer.error is None or answer.code in NO_TAGS_CODES)
            if answer is not None and plain:
                with contextlib.suppress(TagfsError):
                    found[key] = self.dialect.tag_escape.decode(self._read_raw(request, answer))
        self._tags_readable |= bool(found)
        return found

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read, change and write the tags of one object as one step; see `Bucket.update_tags`."""
        self._check_key(key)
        with self._locks.hold(key):
            came = self._get_raw("GetObjectTagging", key)
            present = self.dialect.tag_escape.decode(came)
            wanted = change(present)
            if wanted != present:
                self._put_object_tags(key, wanted, came)
            return wanted

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tags of one object; see `Bucket.put_tags`."""
        self._check_key(key)
        self._put_object_tags(key, tags, NO_TAGS)

    def get_bucket_tags(self, *, max_age: float | None = None) -> TagSet:  # noqa: ARG002 contract
        """Return the tags of the bucket; see `Bucket.get_bucket_tags`."""
        return self.dialect.tag_escape.decode(self._get_raw("GetBucketTags", None))

    def update_bucket_tags(self, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Change the tags of the bucket; see `Bucket.update_bucket_tags`."""
        # No object has the empty key, so the bucket's own lock has a name of its own.
        with self._locks.hold(""):
            came = self._get_raw("GetBucketTags", None)
            present = self.dialect.tag_escape.decode(came)
            wanted = change(present)
            if wanted == present:
                return wanted
            sent = self._escaped(
                f"bucket {self.name!r}", self.bucket_tag_rules, wanted, came, present
            )
            lost = [key for key in present if key not in wanted]
            with self._requires("bucket_tags"):
                if self._only_loses(present, wanted):
                    self._delete_tag_set("DeleteBucketTags", None, ",".join(lost))
                else:
                    self._put_tag_set("BucketTags", None, sent)
            return wanted

    def _put_object_tags(self, key: str, tags: TagSet, came: TagSet) -> None:
        """Replace the tags of one object; `came` are the present ones as the service wrote them."""
        present = self.dialect.tag_escape.decode(came)
        literal = self._literal_tags is True
        sent = self._escaped(
            f"object {key!r}", self.object_tag_rules, tags, came, present, literal=literal
        )
        with self._locks.hold(key), self._requires("object_tags"):
            self._prove_tags(key)
            self._put_tag_set("ObjectTagging", key, sent)
            if sent != tags and self.dialect.tag_escape is TagEscape.AUTO:
                self._detect_encoding(key, tags, sent)
            self._uploads.record_tag_edit(key, tags)

    def _prove_tags(self, key: str) -> None:
        """See to it that PUT ?tagging is surely no PutObject; reads the tags of `key` if need be.

        Raises:
            FeatureMissing: it would be one.
            TagfsError: that cannot be known.
        """
        if self._tags_proven:
            return
        with self._proof:
            self._read_proof(key)

    def _read_proof(self, key: str) -> None:
        """Prove tags, unless another thread has done so meanwhile."""
        if self._tags_proven:
            return
        try:
            self._get_raw("GetObjectTagging", key)
        except BadCredentials:
            raise
        except AccessDenied:
            logger.debug("%r: whether there are tags is asked otherwise", key)
        if not self._tags_proven:
            self._check_heeding()

    def _detect_encoding(self, key: str, tags: TagSet, sent: TagSet) -> None:
        """Find out once if the service decodes what it gets; where not, send it as it is.

        Tags in a header are decoded everywhere, so that one object's tags would read in two ways
        to the vendor's SDKs. Only objects tell: a bucket's new tags may take minutes to show.
        """
        if self._literal_tags is not None:
            return
        try:
            kept = self._get_raw("GetObjectTagging", key)
        except AccessDenied:
            return
        if kept in (tags, sent):
            self._literal_tags = kept == sent
        if self._literal_tags:
            logger.info(
                "%s keeps encoded tags as they come: they are sent as they are", self.dialect.title
            )
            self._put_tag_set("ObjectTagging", key, tags)

    def _escaped(
        self,
        owner: str,
        rules: TagRules,
        wanted: TagSet,
        came: TagSet,
        present: TagSet,
        *,
        literal: bool = False,
    ) -> TagSet:
        """Return a set as it goes into XML, once the rules allow it."""
        self._check_tags(owner, rules, wanted, present)
        try:
            return self.dialect.tag_escape.encode(wanted, came, literal=literal)
        except InvalidTag as broken:
            logger.warning("%s: tags refused before any request: %s", owner, broken)
            raise

    def _only_loses(self, present: TagSet, wanted: TagSet) -> bool:
        """Tell whether single tags can be deleted, leaving those that others add meanwhile."""
        return (
            self.dialect.delete_bucket_tags_by_key
            and all(present.get(key) == value for key, value in wanted.items())
            and not any("," in key for key in present if key not in wanted)
        )

    def _check_tags(
        self, owner: str, rules: TagRules, tags: TagSet, present: TagSet = NO_TAGS
    ) -> None:
        try:
            rules.check(tags, present)
        except InvalidTag as broken:
            logger.warning("%s: tags refused before any request: %s", owner, broken)
            raise

    def _tags_for(self, key: str, new: NewObject) -> TagSet:
        """Return the tags to send with new content; the key's lock is held.

        Raises:
            AccessDenied: the tags to keep may not be read.
            InvalidTag and what is below it: an explicit set that the service would refuse.
            Unsupported: there are some, and the bucket keeps none.
        """
        if new.tags is Keep.REPLACED:
            return self._tags_to_keep(key)
        self._check_tags(f"object {key!r}", self.object_tag_rules, new.tags)
        if new.tags and (self._is_ignored() or not self._capabilities.object_tags):
            raise Unsupported(f"{self._why('object_tags')}, so {key!r} can have none")
        return new.tags

    def _tags_to_keep(self, key: str) -> TagSet:
        """Return the tags of what is at `key`, none if nothing is there; raises as `_tags_for`."""
        if not self._capabilities.object_tags:
            return NO_TAGS
        try:
            return self.get_tags(key)
        except (NotFound, FeatureMissing):
            return NO_TAGS
        except BadCredentials:
            raise
        except AccessDenied as denied:
            if self._shows_no_tags(key):
                return NO_TAGS
            if self.tags_denied_drop:
                logger.info("%s; rewriting without its tags, as tags_denied=drop says", denied)
                return NO_TAGS
            raise AccessDenied(
                f"rewriting {key!r} would lose its tags, which may not be read: allow "
                f"GetObjectTagging, or mount with tags_denied=drop ({denied})"
            ) from denied

    def _shows_no_tags(self, key: str) -> bool:  # noqa: ARG002  of whoever can look
        """Say whether a look at the object proves that it has none, whoever may read them."""
        return False

    def _get_raw(self, operation: str, key: str | None, *, quiet: bool = False) -> TagSet:
        """Return a tag set as the service writes it."""
        with self._requires("bucket_tags" if key is None else "object_tags"):
            request = replace(self._tagging(operation, "GET", key), quiet=quiet)
            try:
                answer = self._call(request, allow=NO_TAGS_CODES)
            except MalformedResponse as failure:  # it is too large
                if not self._tags_proven and self._is_ignored():
                    raise FeatureMissing(self._why("object_tags")) from failure
                raise
            tags = self._read_raw(request, answer)
        self._tags_readable |= key is not None
        return tags

    def _read_raw(self, request: Request, answer: Response) -> TagSet:
        """Return the tags that an answer tells.

        Raises:
            MalformedResponse
            FeatureMissing: it is the object, or a listing of the bucket.
        """
        said = self.dialect.empty_tagging
        if answer.error is not None:
            if EmptyTagging.NOT_FOUND not in said:
                raise self._log_and_return(MalformedResponse(f"{request}: {answer}"))
            self._heeds = True
            self._tags_proven |= request.key is not None
            return NO_TAGS
        try:
            empty = not answer.body.strip() and EmptyTagging.EMPTY_BODY in said
            tags = NO_TAGS if empty else parse_tag_set(answer.body)
        except MalformedResponse as failure:
            if self._is_other(request, answer, is_set=False):
                raise FeatureMissing(self._why("object_tags")) from failure
            raise
        if self._is_other(request, answer, is_set=True):
            raise FeatureMissing(self._why("object_tags"))
        return tags

    def _put_tag_set(self, what: str, key: str | None, tags: TagSet) -> None:
        """Replace a tag set; an empty one is deleted, which no service misunderstands."""
        if not tags and key is not None:
            self._delete_object_tags(key)
        elif not tags:
            self._delete_tag_set(f"Delete{what}", key)
        else:
            self._call(self._tagging(f"Put{what}", "PUT", key, body=render_tag_set(tags)))

    def _delete_tag_set(self, operation: str, key: str | None, names: str = "") -> None:
        self._call(self._tagging(operation, "DELETE", key, names))

    def _delete_object_tags(self, key: str) -> None:
        """Delete a tag set; where the bucket has no request for that, write an empty one."""
        try:
            self._delete_tag_set("DeleteObjectTagging", key)
        except FeatureMissing:
            body = render_tag_set(NO_TAGS)
            self._call(self._tagging("PutObjectTagging", "PUT", key, body=body))

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
            max_answer=_MOST,
        )
