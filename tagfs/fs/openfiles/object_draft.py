"""What the object of an open file is to carry besides its content: a value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

from tagfs.errors import TooManyTags
from tagfs.fs.content.upload_target import TIMES, UploadTarget
from tagfs.fs.mapping.inheritance import Inherited, merged_metadata, take_over
from tagfs.fs.mapping.paths import split
from tagfs.fs.mapping.posix_metadata import ATTRIBUTE_NAMES, Attributes, parse_attributes
from tagfs.store.objects import NOTHING, Keep, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDraft:
    """What goes with the next upload of an open file, or what its object has if nothing is due.

    Attributes:
        attributes: as stat shows them.
        metadata, headers: what else the object carries, kept over every rewrite.
        tags, acl, annotations_of: of a file that is not on the service yet: what it will be created
            with, and from where its annotations come.
        given: tags that the rules give it besides, but where it has the key.
        replaces: what a file that is not uploaded yet was renamed over.
        exclusive: O_EXCL: creation fails when the key is taken on the service.
        times_set: by utimens, after the last write.
    """

    attributes: Attributes
    metadata: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    tags: TagSet | None = None
    given: TagSet = NO_TAGS
    acl: Mapping[str, str] | None = None
    annotations_of: tuple[str, ...] = ()
    replaces: ObjectInfo | None = None
    exclusive: bool = False
    times_set: bool = False

    def adopting(self, info: ObjectInfo, default: Attributes) -> "ObjectDraft":
        """Return the draft with what an object has, as far as that is known."""
        if info.detail is None:
            return self
        return replace(
            self,
            attributes=parse_attributes(info, default),
            metadata={k: v for k, v in info.detail.metadata.items() if k not in ATTRIBUTE_NAMES},
            headers=dict(info.detail.headers),
        )

    def moved(self, info: ObjectInfo) -> "ObjectDraft":
        """Return the draft after a rename, by which another file may have left it something."""
        if info.detail is None:
            return self
        merged = merged_metadata(self.metadata, info.detail.metadata)
        return replace(self, headers=dict(info.detail.headers), metadata=merged)

    def inheriting(self, left: Inherited, old: str, new: str, *, typed: bool) -> "ObjectDraft":
        """Return the draft, made for the path `old`, with what is left to it at the path `new`."""
        own = Inherited(tags=self.tags, acl=self.acl, metadata=self.metadata, headers=self.headers)
        got = take_over(own, left, old, new, typed=typed)
        return replace(
            self,
            tags=got.tags,
            acl=got.acl,
            metadata=got.metadata,
            headers=got.headers,
            annotations_of=got.annotations_of,
        )

    def written(self, now_ns: int, *, is_new: bool) -> "ObjectDraft":
        """Return the draft of a file whose content has changed just now."""
        before = self.attributes
        unset = is_new and before.atime_ns == before.ctime_ns  # so metadata need not say it
        touched = before.touched(now_ns, now_ns if unset else before.atime_ns)
        return replace(self, attributes=touched, times_set=False)

    def uploaded(self, attributes: Attributes) -> "ObjectDraft":
        """Return the draft of a file that is on the service now: what made it is over."""
        return replace(
            self,
            attributes=attributes,
            tags=None,
            given=NO_TAGS,
            acl=None,
            annotations_of=(),
            replaces=None,
            exclusive=False,
        )

    def retagged(self, own: TagSet, change: Callable[[TagSet], TagSet], most: int) -> "ObjectDraft":
        """Return the draft after a change of what is seen: its own tags, and those given to it.

        Where these leave no room for what a program sets, the last of them goes.
        """
        given = self.given
        try:
            after = change(own.with_defaults(given, most))
        except TooManyTags:
            if not given:
                raise
            fewer = replace(self, given=given.without_tag(list(given)[-1]))
            return fewer.retagged(own, change, most)
        left = TagSet({k: v for k, v in given.items() if k not in own and after.get(k) == v})
        return replace(
            self, tags=TagSet({k: v for k, v in after.items() if k not in left}), given=left
        )

    @property
    def kept_tags(self) -> TagSet | Literal[Keep.REPLACED]:
        """The tags for an object that replaces one."""
        return Keep.REPLACED if self.tags is None else self.tags

    def all_metadata(
        self, base: ObjectInfo | None, size: int, *, stored: bool, appendable: bool
    ) -> dict[str, str]:
        """Return the metadata of the object: what programs see, and what keeps the attributes.

        `stored`: this mount keeps them; what another one has kept is not thrown away otherwise.
        `appendable`: the object can be appended to, so the size tells whether its times are old.
        """
        metadata = dict(self.metadata)
        if stored:
            metadata.update(self.attributes.render())
            if appendable or (base is not None and base.type is ObjectType.APPENDABLE):
                metadata["mtime-size"] = str(size)
        elif base is not None and base.detail is not None:
            kept = base.detail.metadata
            metadata.update({k: v for k, v in kept.items() if k in ATTRIBUTE_NAMES - TIMES})
        return metadata

    def to_target(
        self, key: str, base: ObjectInfo | None, size: int, *, stored: bool, appendable: bool
    ) -> UploadTarget:
        """Return what a file of `size` bytes is to become at `key`; `base`: what it derives from.

        A new file is created where nothing is, without a question for tags to keep.
        """
        is_first = base is None and self.replaces is None
        new = NewObject(
            metadata=self.all_metadata(base, size, stored=stored, appendable=appendable),
            headers=self.headers,
            tags=NO_TAGS if is_first and self.tags is None else self.kept_tags,
            defaults=self.given,
            acl=Keep.REPLACED if self.acl is None else self.acl,
            exclusive=is_first,
            annotations_of=self.annotations_of,
        )
        return UploadTarget(
            key=key,
            new=new,
            base=base,
            replaced=self.replaces,
            is_timeless=stored and not self.times_set,
            exclusive=self.exclusive,
            kept=self.kept_tags,
            appendable=appendable,
        )


def is_named_by(pattern: str, path: str) -> bool:
    """Say whether a pattern names a file: by its path if it has a "/", else by its last name."""
    name = path.lstrip("/") if "/" in pattern else split(path)[1]
    return bool(pattern) and fnmatchcase(name, pattern)
