"""Which objects match an expression: to be shown, and to be changed.

Who looks may be answered by what is known: tags that are believed (`tag_ttl`), and what the
catalogue says does not match and a listing shows unchanged since. Who changes something is
answered by tags that were just read.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from tagfs.catalogue.catalogue import Catalogue
from tagfs.catalogue.expression import Expression
from tagfs.catalogue.rows import Known
from tagfs.errors import AccessDenied, AlreadyExists, NotFound, NotShown, TagfsError, Unsupported
from tagfs.store.bucket import FRESH_WITHIN, CachingBucket
from tagfs.store.objects import Keep, NewObject, ObjectInfo
from tagfs.store.tags import NO_TAGS, TagSet
from tagfs.store.versions import same_version

AT_ONCE: Final = 128
"""Objects whose tags are asked for at once."""


class Matcher:
    """Judges objects of a bucket by their tags. Markers of directories are always shown.

    Args:
        catalogue: what was read before; None to look at everything.
    """

    def __init__(
        self, bucket: CachingBucket, wanted: Expression, catalogue: Catalogue | None
    ) -> None:
        self._bucket = bucket
        self._wanted = wanted
        self._catalogue = catalogue

    # To be shown

    def shown(self, objects: Sequence[ObjectInfo]) -> set[str]:
        """Return the keys of those that match, and of all markers."""
        shown = {info.key for info in objects if is_marker(info.key)}
        known = self._known([info.key for info in objects if info.key not in shown])
        asked = [
            info.key
            for info in objects
            if info.key not in shown and not self._is_out(info, known.get(info.key))
        ]
        for start in range(0, len(asked), AT_ONCE):
            some = asked[start : start + AT_ONCE]
            found: Mapping[str, TagSet] = {}
            with contextlib.suppress(TagfsError):  # who asks singly gets the error
                found = self._bucket.get_tags_many(some)
            shown |= {
                key
                for key in some
                if self._wanted.matches(found[key] if key in found else self._tags(key))
            }
        return shown

    def is_known_hidden(self, key: str) -> bool:
        """Say, without a request, whether an object is known not to match."""
        tags = None if is_marker(key) else self._bucket.known_tags(key)
        return tags is not None and not self._wanted.matches(tags)

    def _known(self, keys: Sequence[str]) -> Mapping[str, Known]:
        if self._catalogue is None or not keys:
            return {}
        directory = keys[0][: keys[0].rfind("/") + 1]  # of all of them, or one above
        return self._catalogue.known(keys) if self._catalogue.scanned_at(directory) else {}

    def _is_out(self, info: ObjectInfo, known: Known | None) -> bool:
        """Say whether an object was read, and did not match, and is what it was."""
        if known is None or known.tags is None or known.info is None:
            return False
        return same_version(known.info, info) and not self._wanted.matches(known.tags)

    def _tags(self, key: str) -> TagSet:
        try:
            return self._bucket.get_tags(key)
        except (NotFound, AccessDenied, Unsupported):  # without the right to read them: none
            return NO_TAGS

    # To be changed

    def current(self, key: str) -> TagSet | None:
        """Return an object's tags as they are now, None if there is no object."""
        try:
            return self._bucket.get_tags(key, max_age=FRESH_WITHIN)
        except NotFound:
            return None
        except (AccessDenied, Unsupported):
            return NO_TAGS

    def check_shown(self, key: str, tags: TagSet | None) -> None:
        """See that an object with these tags, None if it is not there, is none that is hidden.

        Raises:
            NotFound: it is hidden, so it is not there.
        """
        if tags is not None and not self._wanted.matches(tags):
            raise NotFound(f"{key}: its tags do not match")

    def check_set(self, key: str, tags: Mapping[str, str]) -> None:
        """See that an object stays seen that is given these tags, and no others.

        Raises:
            NotShown
        """
        if not self._wanted.matches(tags):
            raise NotShown(f"{key}: with these tags it would not be shown here: {self._wanted}")

    def check_tags(
        self, key: str, tags: Mapping[str, str], defaults: Mapping[str, str] = NO_TAGS
    ) -> None:
        """See that an object written with these tags, and with default ones, is seen.

        Raises:
            NotShown
        """
        most = self._bucket.object_tag_rules.max_tags
        written = TagSet(tags).with_defaults(defaults, most)
        self.check_set(key, written.with_defaults(self._bucket.default_tags, most))

    def check_write(self, key: str, new: NewObject) -> None:
        """See that a write replaces nothing that is hidden, and makes nothing that would be.

        Raises:
            NotShown
        """
        if is_marker(key):
            return
        guarded = new.exclusive and self._bucket.capabilities.exclusive
        replaced = None if guarded else self._replaced(key)
        tags = new.tags if isinstance(new.tags, TagSet) else replaced or NO_TAGS
        self.check_tags(key, tags, new.defaults)

    def check_copy(
        self,
        source: str,
        key: str,
        tags: TagSet | Literal[Keep.SOURCE, Keep.SOURCE_OR_REPLACED, Keep.REPLACED_OR_SOURCE],
        *,
        exclusive: bool,
    ) -> None:
        """The same of a copy, whose source must be shown.

        Raises:
            NotFound, NotShown
        """
        if is_marker(key):
            return
        own = self.current(source)
        self.check_shown(source, own)
        guarded = exclusive and self._bucket.capabilities.exclusive_copies
        replaced = None if guarded else self._replaced(key)
        if isinstance(tags, TagSet):
            self.check_tags(key, tags)
        elif own is not None:
            chosen = own.beyond(self._bucket.default_tags)
            goes_along = tags is Keep.SOURCE or (tags is Keep.SOURCE_OR_REPLACED and chosen)
            self.check_tags(key, own if goes_along else replaced or own)

    def _replaced(self, key: str) -> TagSet | None:
        """Return the tags of what a write replaces, None if there is nothing.

        Raises:
            NotShown: that is hidden.
        """
        tags = self.current(key)
        if tags is not None and not self._wanted.matches(tags):
            raise NotShown(f"{key}: is there, with tags that are not shown here: {self._wanted}")
        return tags

    def check_name(self, key: str, *, exclusive: bool) -> None:
        """See that nothing hidden has a name at which nothing is seen.

        Raises:
            AlreadyExists: `exclusive`, and something has.
            NotShown: something has.
        """
        found = self._bucket.lookup(key)
        if found.info is None or found.is_prefix or self.shown((found.info,)):
            return
        text = f"{key}: is there, with tags that are not shown here: {self._wanted}"
        raise (AlreadyExists if exclusive else NotShown)(text)

    def check_all(self, objects: Sequence[ObjectInfo]) -> None:
        """See that none of these is hidden.

        Raises:
            NotShown
        """
        shown = self.shown(objects)
        hidden = [info.key for info in objects if info.key not in shown]
        if hidden:
            raise NotShown(
                f"{hidden[0]}: and {len(hidden) - 1} more would be moved, which are not shown here"
                if len(hidden) > 1
                else f"{hidden[0]}: would be moved, and is not shown here"
            )


def is_marker(key: str) -> bool:
    """Say whether a key is that of a directory's marker."""
    return key.endswith("/")
