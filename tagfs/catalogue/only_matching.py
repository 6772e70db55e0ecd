"""A bucket that shows only the objects whose tags match: for `-o only=EXPRESSION`, read-only.

What does not match is not there: neither listed nor found. Directories and their markers are. The
catalogue says what needs no look, where all was indexed once: an object whose tags did not match
when they were last read, and which the listing shows unchanged since. What begins to match is shown
after the next index. Everything else is looked at, and so is all that is shown.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.expression import Expression
from tagfs.catalogue.rows import Known
from tagfs.errors import AccessDenied, NotFound, TagfsError
from tagfs.store.bucket import CachingBucket, Capabilities
from tagfs.store.objects import Lookup, ObjectInfo, ObjectType, Page
from tagfs.store.tags import NO_TAGS, TagRules, TagSet
from tagfs.store.versions import same_version

AT_ONCE: Final = 128
"""Objects whose tags are asked for at once."""


class OnlyMatching:
    """A `CachingBucket` around a `CachingBucket`, for reading.

    Args:
        catalogue: what was read before; None to look at everything.
    """

    def __init__(
        self, inner: CachingBucket, wanted: Expression, catalogue: Catalogue | None
    ) -> None:
        self._inner = inner
        self._wanted = wanted
        self._catalogue = catalogue
        self.name, self.limits = inner.name, inner.limits
        self.default_tags = inner.default_tags
        self.bucket_tag_rules = inner.bucket_tag_rules
        self._bind(inner)

    def _bind(self, inner: CachingBucket) -> None:
        # Reached only by who was shown an object, or not at all on a mount that is read-only.
        self.get, self.get_acl, self.may_delete = inner.get, inner.get_acl, inner.may_delete
        self.known, self.known_keys = inner.known, inner.known_keys
        self.expect_empty, self.forget = inner.expect_empty, inner.forget
        self.put, self.put_symlink = inner.put, inner.put_symlink
        self.append, self.start_append = inner.append, inner.start_append
        self.start_upload, self.upload_part = inner.start_upload, inner.upload_part
        self.copy_part, self.list_parts = inner.copy_part, inner.list_parts
        self.complete_upload, self.abort_upload = inner.complete_upload, inner.abort_upload
        self.copy, self.rename, self.set_metadata = inner.copy, inner.rename, inner.set_metadata
        self.delete, self.delete_many = inner.delete, inner.delete_many
        self.get_tags, self.get_tags_many = inner.get_tags, inner.get_tags_many
        self.put_tags, self.update_tags = inner.put_tags, inner.update_tags
        self.get_bucket_tags = inner.get_bucket_tags
        self.update_bucket_tags = inner.update_bucket_tags
        self.restore, self.close = inner.restore, inner.close

    @property
    def object_tag_rules(self) -> TagRules:
        """What the bucket takes as tags of an object, as far as it is known."""
        return self._inner.object_tag_rules

    @property
    def capabilities(self) -> Capabilities:
        """What the bucket is known to be able to do."""
        return self._inner.capabilities

    def list(
        self, prefix: str, *, delimiter: str = "/", token: str | None = None, limit: int = 1000
    ) -> Page:
        """Return one page of the keys that begin with `prefix`, without what does not match."""
        return self._only(self._inner.list(prefix, delimiter=delimiter, token=token, limit=limit))

    def scan(self, prefix: str) -> Iterator[Page]:
        """Yield all pages of one directory, without what does not match."""
        for page in self._inner.scan(prefix):
            yield self._only(page)

    def lookup(self, key: str, *, max_age: float | None = None) -> Lookup:
        """Say what is at `key`."""
        found = self._inner.lookup(key, max_age=max_age)
        if found.info is None or self._shown((found.info,)):
            return found
        return Lookup(None, is_prefix=found.is_prefix, marker=found.marker)

    def head(
        self, key: str, *, expected: ObjectType | None = None, max_age: float | None = None
    ) -> ObjectInfo:
        """Describe one object."""
        info = self._inner.head(key, expected=expected, max_age=max_age)
        if not self._shown((info,)):
            raise NotFound(f"{key}: its tags do not match")
        return info

    def head_many(self, keys: Sequence[str]) -> Mapping[str, ObjectInfo]:
        """Describe several objects."""
        found = self._inner.head_many(keys)
        shown = self._shown(tuple(found.values()))
        return {key: info for key, info in found.items() if key in shown}

    def _only(self, page: Page) -> Page:
        shown = self._shown(page.objects)
        objects = tuple(info for info in page.objects if info.key in shown)
        return Page(objects, page.prefixes, page.token)

    def _shown(self, objects: Sequence[ObjectInfo]) -> set[str]:
        """Return the keys of those that match, and of all markers."""
        markers = {info.key for info in objects if info.key.endswith("/")}
        known = self._known([info.key for info in objects if info.key not in markers])
        asked = [
            info.key
            for info in objects
            if info.key not in markers and not self._is_out(info, known.get(info.key))
        ]
        shown = set(markers)
        for start in range(0, len(asked), AT_ONCE):
            some = asked[start : start + AT_ONCE]
            with contextlib.suppress(TagfsError):  # who asks singly gets the error
                self._inner.get_tags_many(some)
            shown |= {key for key in some if self._wanted.matches(self._tags(key))}
        return shown

    def _known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        if self._catalogue is None or not keys:
            return {}
        directory = keys[0][: keys[0].rfind("/") + 1]  # of all of them
        return self._catalogue.known(keys) if self._catalogue.scanned_at(directory) else {}

    def _is_out(self, info: ObjectInfo, known: Known | None) -> bool:
        """Say whether an object was read, and did not match, and is what it was."""
        if known is None or known.tags is None or known.info is None:
            return False
        return same_version(known.info, info) and not self._wanted.matches(known.tags)

    def _tags(self, key: str) -> TagSet:
        try:
            return self._inner.get_tags(key)
        except (NotFound, AccessDenied):  # without the right to read tags there are none
            return NO_TAGS


def _keeps_the_contract(bucket: OnlyMatching) -> CachingBucket:
    return bucket
