"""A bucket that shows only the objects whose tags match: for `-o only=EXPRESSION`.

What does not match is not there: neither listed nor found. Directories and their markers are. The
catalogue says what needs no look, where all was indexed once: an object whose tags did not match
when they were last read, and which the listing shows unchanged since. What begins to match is shown
after the next index. Everything else is looked at, and so is all that is shown.

What is not shown is not lost either. Before every request that writes, the tags of what is there
are read, unless that was done within a second: what does not match is neither replaced, changed,
moved nor deleted, and nothing is made that would not match.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.expression import Expression
from tagfs.catalogue.matcher import Matcher, is_marker
from tagfs.errors import NotFound
from tagfs.store.bucket import CachingBucket, Capabilities
from tagfs.store.objects import (
    NONE_MEANT,
    Denied,
    Keep,
    Lookup,
    NewObject,
    ObjectInfo,
    ObjectType,
    Page,
    Part,
    Source,
    Upload,
)
from tagfs.store.scope import Scope
from tagfs.store.tags import TagRules, TagSet


class FilteredBucket:
    """A `CachingBucket` around a `CachingBucket`, and the `Scope` of a mount of it.

    Args:
        catalogue: what was read before; None to look at everything.
    """

    def __init__(
        self, inner: CachingBucket, wanted: Expression, catalogue: Catalogue | None
    ) -> None:
        self._inner = inner
        self._matcher = matcher = Matcher(inner, wanted, catalogue)
        self.name, self.limits = inner.name, inner.limits
        self.default_tags = inner.default_tags
        self.bucket_tag_rules = inner.bucket_tag_rules
        self.check_name, self.check_tags = matcher.check_name, matcher.check_tags
        self.check_all = matcher.check_all
        # `list` and `known_keys` show all that is there: it is in the way of a removal.
        self.list, self.known_keys = inner.list, inner.known_keys
        # Reached only by who was shown an object, or has begun to write one.
        self.get, self.get_many = inner.get, inner.get_many
        self.get_acl, self.may_delete = inner.get_acl, inner.may_delete
        self.expect_empty, self.forget = inner.expect_empty, inner.forget
        self.upload_part, self.copy_part = inner.upload_part, inner.copy_part
        self.list_parts, self.abort_upload = inner.list_parts, inner.abort_upload
        self.get_tags, self.get_tags_many = inner.get_tags, inner.get_tags_many
        self.known_tags = inner.known_tags
        self.get_bucket_tags = inner.get_bucket_tags
        self.update_bucket_tags = inner.update_bucket_tags
        self.list_annotations = inner.list_annotations
        self.known_annotations = inner.known_annotations
        self.get_annotation = inner.get_annotation
        self.distrust, self.close = inner.distrust, inner.close

    @property
    def object_tag_rules(self) -> TagRules:
        """What the bucket takes as tags of an object, as far as it is known."""
        return self._inner.object_tag_rules

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        return self._inner.capabilities

    # Looking

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of one directory, without what does not match."""
        for page in self._inner.scan(prefix):
            shown = self._matcher.shown(page.objects)
            objects = tuple(info for info in page.objects if info.key in shown)
            yield Page(objects, page.prefixes, page.token)

    def lookup(self, key: str, *, max_age: float | None = None) -> Lookup:
        """Say what is at `key`."""
        found = self._inner.lookup(key, max_age=max_age)
        if found.info is None or self._matcher.shown((found.info,)):
            return found
        return Lookup(None, is_prefix=found.is_prefix, marker=found.marker)

    def head(
        self, key: str, *, expected: ObjectType | None = None, max_age: float | None = None
    ) -> ObjectInfo:
        """Describe one object."""
        info = self._inner.head(key, expected=expected, max_age=max_age)
        if not self._matcher.shown((info,)):
            raise NotFound(f"{key}: its tags do not match")
        return info

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects."""
        found = self._inner.head_many(keys)
        shown = self._matcher.shown(tuple(found.values()))
        return {key: info for key, info in found.items() if key in shown}

    def known(self, key: str, *, max_age: float | None = None) -> ObjectInfo | None:
        """Return what is remembered of an object, unless it is known not to match."""
        hidden = self._matcher.is_known_hidden(key)
        return None if hidden else self._inner.known(key, max_age=max_age)

    def described(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Return what is remembered of objects, without those that are known not to match."""
        return self._shown(self._inner.described(keys))

    def recall(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Do the same, with what this host learnt before."""
        return self._shown(self._inner.recall(keys))

    def _shown(self, found: Mapping[str, ObjectInfo]) -> Mapping[str, ObjectInfo]:
        is_hidden = self._matcher.is_known_hidden
        return {key: info for key, info in found.items() if not is_hidden(key)}

    # Writing: what is hidden stays as it is

    def put(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create or replace an object whole."""
        self._matcher.check_write(key, new)
        return self._inner.put(key, source, new)

    def put_symlink(self, key: str, target: str, new: NewObject) -> ObjectInfo:
        """Create or replace a symlink object."""
        self._matcher.check_write(key, new)
        return self._inner.put_symlink(key, target, new)

    def start_append(self, key: str, source: Source, new: NewObject) -> ObjectInfo:
        """Create an appendable object where no object is."""
        self._matcher.check_write(key, new)
        return self._inner.start_append(key, source, new)

    def append(self, info: ObjectInfo, source: Source) -> ObjectInfo:
        """Extend an appendable object at its end."""
        self._check(info.key)
        return self._inner.append(info, source)

    def start_upload(self, key: str, new: NewObject) -> Upload:
        """Begin a multipart upload."""
        self._matcher.check_write(key, new)
        return self._inner.start_upload(key, new)

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> ObjectInfo:
        """Make the parts the object's content."""
        new = upload.new
        new = new if upload.tags is None else replace(new, tags=upload.tags)
        self._matcher.check_write(upload.key, new)
        return self._inner.complete_upload(upload, parts)

    def copy(  # noqa: PLR0913  all that a copy may have otherwise
        self,
        source: ObjectInfo,
        key: str,
        *,
        tags: TagSet
        | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED, Keep.REPLACED_OR_SOURCE] = Keep.SOURCE,
        exclusive: bool = False,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        acl: Mapping[str, str] | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED] = Keep.SOURCE,
        known_tags: TagSet | None = None,
        replaces: ObjectInfo | None = None,
        annotations_of: tuple[str, ...] = (),
    ) -> ObjectInfo:
        """Copy one object on the service."""
        self._matcher.check_copy(source.key, key, tags, exclusive=exclusive)
        return self._inner.copy(
            source,
            key,
            tags=tags,
            exclusive=exclusive,
            metadata=metadata,
            headers=headers,
            acl=acl,
            known_tags=known_tags,
            replaces=replaces,
            annotations_of=annotations_of,
        )

    def rename(self, key: str, new: str, *, source: ObjectInfo | None = None) -> None:
        """Rename an object, or a directory with nothing hidden in it."""
        if is_marker(key):
            self._check_below(key)
        else:
            self._matcher.check_copy(key, new, Keep.SOURCE, exclusive=False)
        self._inner.rename(key, new, source=source)

    def set_metadata(
        self,
        info: ObjectInfo,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        known_tags: TagSet | None = None,
    ) -> ObjectInfo:
        """Replace user metadata and standard headers of one object."""
        self._check(info.key)
        return self._inner.set_metadata(info, metadata, headers, known_tags=known_tags)

    def put_acl(self, key: str, word: str) -> None:
        """Give an object a canned ACL."""
        self._check(key)
        self._inner.put_acl(key, word)

    def put_annotation(self, key: str, name: str, data: bytes) -> None:
        """Set one annotation."""
        self._check(key)
        self._inner.put_annotation(key, name, data)

    def delete_annotation(self, key: str, name: str) -> None:
        """Remove one annotation."""
        self._check(key)
        self._inner.delete_annotation(key, name)

    def restore(self, key: str, days: int) -> None:
        """Let an archived object become readable."""
        self._check(key)
        self._inner.restore(key, days)

    def delete(self, key: str, *, meant: ObjectInfo | None = None) -> None:
        """Delete one object."""
        self._check(key)
        self._inner.delete(key, meant=meant)

    def delete_many(
        self, keys: Sequence[str], *, meant: Mapping[str, ObjectInfo] = NONE_MEANT
    ) -> Mapping[str, str]:
        """Delete objects in batches, whose tags are believed for `tag_ttl`: they were copied."""
        self._inner.get_tags_many([key for key in keys if not is_marker(key)])
        hidden = {key for key in keys if self._matcher.is_known_hidden(key)}
        failed = self._inner.delete_many([key for key in keys if key not in hidden], meant=meant)
        return {**failed, **dict.fromkeys(hidden, Denied("its tags do not match"))}

    def update_tags(self, key: str, change: Callable[[TagSet], TagSet]) -> TagSet:
        """Read the tag set afresh, change it to one that matches as well, and write it."""

        def judged(tags: TagSet) -> TagSet:
            self._matcher.check_shown(key, tags)
            changed = change(tags)
            self._matcher.check_set(key, changed)
            return changed

        return self._inner.update_tags(key, change if is_marker(key) else judged)

    def put_tags(self, key: str, tags: TagSet) -> None:
        """Replace the tag set by one that matches as well."""
        self.update_tags(key, lambda _: tags)

    def _check(self, key: str) -> None:
        """See that an object is none that is hidden.

        Raises:
            NotFound
        """
        if not is_marker(key):
            self._matcher.check_shown(key, self._matcher.current(key))

    def _check_below(self, prefix: str) -> None:
        page = self._inner.list(prefix, delimiter="")
        self._matcher.check_all(page.objects)
        while page.token is not None:
            page = self._inner.list(prefix, delimiter="", token=page.token)
            self._matcher.check_all(page.objects)


def _keeps_the_contract(bucket: FilteredBucket) -> CachingBucket:
    return bucket


def _is_a_scope(bucket: FilteredBucket) -> Scope:
    return bucket
