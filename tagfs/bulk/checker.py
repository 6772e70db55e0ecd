"""What the rules of a bucket say of its objects, one by one, and what mends them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tagfs.bulk.edits import Edit, Editor, Outcome, read
from tagfs.bulk.opened_buckets import OpenedBucket
from tagfs.bulk.tag_access import Address
from tagfs.bulk.targets import TagOwner
from tagfs.config.tag_policy import tag_policy
from tagfs.errors import AccessDenied, NotFound, SettingsError, Unsupported
from tagfs.rules.rule import NO_DEMANDS, Breach, Demands, ObjectKind, RuleSet
from tagfs.rules.templates import Creation
from tagfs.store.objects import ObjectType
from tagfs.store.tags import NO_TAGS, TagSet

OF_MAKER: Final = frozenset({"user", "group", "uid", "gid"})
"""Fields that only the metadata of an object tell."""

OF_THEN: Final = frozenset({"host"})
"""Fields that nothing tells any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found of one object.

    Attributes:
        outcome: its tags, and whether they were read or changed.
        breaches: what breaks a rule now (after what was mended, if anything was to be).
    """

    outcome: Outcome
    breaches: list[Breach] = field(default_factory=list)


def demands_of(rules: RuleSet, item: TagOwner) -> Demands:
    """Return what the rules ask of an object; of a bucket nothing."""
    key = item.address.key
    return rules.about(key.rstrip("/"), kind_of(item)) if key else NO_DEMANDS


def kind_of(item: TagOwner) -> ObjectKind:
    """Return what an object is to programs, as far as its listing tells."""
    if item.address.key.endswith("/"):
        return ObjectKind.DIRECTORY
    is_link = item.is_link or (item.info is not None and item.info.type is ObjectType.SYMLINK)
    return ObjectKind.LINK if is_link else ObjectKind.FILE


class Checker:
    """Looks at objects, and mends them if it has an editor. Thread-safe."""

    def __init__(self, pen: Editor | None, now_ns: int) -> None:
        self._pen = pen
        self._now_ns = now_ns
        self._rules: dict[OpenedBucket, RuleSet] = {}
        self._directories: dict[tuple[OpenedBucket, str], TagSet | None] = {}
        self._lock = threading.Lock()

    def rules(self, place: OpenedBucket) -> RuleSet:
        """Return the rules of a bucket.

        Raises:
            RulesError: they cannot be read.
            SettingsError: it has none.
        """
        with self._lock:
            if place not in self._rules:
                self._rules[place] = tag_policy(place.settings).rules
        if not self._rules[place]:
            raise SettingsError(f"{place.url} has no rules: name them by -o rules=FILE")
        return self._rules[place]

    def check(self, item: TagOwner) -> Checked | None:
        """Read the tags of one object, or mend them; None if no rule could be broken."""
        demands = demands_of(self.rules(item.place), item)
        if not demands.judges:
            return None
        if self._pen is None:
            outcome = read(item)
        else:
            outcome = self._pen.apply(item, Edit(lambda tags: self._mended(item, demands, tags)))
        known = outcome.error is None and not outcome.gone
        return Checked(
            outcome=outcome, breaches=demands.breaches(outcome.new or NO_TAGS) if known else []
        )

    def _mended(self, item: TagOwner, demands: Demands, present: TagSet) -> TagSet:
        """Return the tags of an object with those that it must have and the rules supply."""
        lacking = [key for key in demands.required if key not in present]
        if not lacking:
            return present
        rules = item.place.access.object_tag_rules
        left = demands.inherited(self._directory(item) if demands.inherit else NO_TAGS)
        made = self._made(item, {f for k in lacking for f in _fields(demands, k, left)})
        found = {}
        for key in lacking:
            if key in left:
                found[key] = left[key]
            elif key in demands.tags and made is not None:
                found[key] = rules.fit(demands.tags[key].render(made))
        return present.with_defaults(found, rules.max_tags)

    def _made(self, item: TagOwner, fields: set[str]) -> Creation | None:
        """Return what is known of how an object was made; None if that is too little."""
        if fields & OF_THEN:
            return None
        owner = self._owner(item) if fields & OF_MAKER else (0, 0)
        if owner is None:
            return None
        at = item.info.last_modified_ns if item.info is not None else self._now_ns
        key = item.address.key.rstrip("/")
        return Creation(key=key, uid=owner[0], gid=owner[1], now_ns=at)

    @staticmethod
    def _owner(item: TagOwner) -> tuple[int, int] | None:
        if item.place.bucket is None:
            return None
        detail = item.place.bucket.head(item.address.key).detail
        metadata: Mapping[str, str] = detail.metadata if detail is not None else {}
        try:
            return int(metadata["uid"]), int(metadata["gid"])
        except (KeyError, ValueError):
            return None

    def _directory(self, item: TagOwner) -> TagSet:
        """Return the tags of an object's directory, each read once.

        Of one that has no object of its own they are those of the one above it, as in a mount.
        """
        key = item.address.key.rstrip("/")
        root = item.place.root.prefix if item.place.root is not None else ""
        tags: TagSet | None = None
        while tags is None and len(key) > len(root) and "/" in key:
            key = key.rpartition("/")[0]
            name = item.place, f"{key}/"
            if name not in self._directories:
                self._directories[name] = self._marker_tags(*name)
            tags = self._directories[name]
        return tags or NO_TAGS

    @staticmethod
    def _marker_tags(place: OpenedBucket, key: str) -> TagSet | None:
        """Return the tags of a directory's own object; None if there is none.

        Through a mount nothing tells whether there is one.
        """
        try:
            if place.bucket is not None:
                return place.bucket.get_tags(key)
            return place.access.get(Address(key))[1]
        except NotFound:
            return None
        except (Unsupported, AccessDenied):
            return NO_TAGS


def _fields(demands: Demands, key: str, left: TagSet) -> frozenset[str]:
    """Return the fields that the value of a key is made of."""
    if key in left or key not in demands.tags:
        return frozenset()
    return demands.tags[key].fields
