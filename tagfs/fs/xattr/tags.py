"""Tags as extended attributes: of files, directories, links and the bucket."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    NoSuchTag,
    NotFound,
    TagExists,
    Unsupported,
)
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.desktop_labels import LABELS_NAME, DesktopLabels
from tagfs.fs.mapping.xattr_names import XATTR_CREATE, XATTR_REPLACE, XattrKind, XattrName, tag_name
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.openfiles.tag_policy import TagPolicy
from tagfs.fs.tree.denials import Denials
from tagfs.fs.tree.lookup import Entry, TreeLookup
from tagfs.fs.tree.markers import MarkerWriter
from tagfs.rules.rule import ObjectKind
from tagfs.store.tags import NO_TAGS, TagRules, TagSet, parse_tagging, render_tagging

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _TagTarget:
    """Whose tags a name means: those of a key, of the bucket, or of a file not yet uploaded."""

    path: str
    entry: Entry
    node: OpenFile | None = None
    bucket: bool = False


class TagXattrs:
    """Reads and changes the tags that a path stands for."""

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        markers: MarkerWriter,
        policy: TagPolicy,
        labels: DesktopLabels | None = None,
    ) -> None:
        """`labels`: how some tags are shown to desktops, if they are."""
        self._env = env
        self._tree = tree
        self._markers = markers
        self._policy = policy
        self._labels = labels
        self._logged: set[str] = set()
        self._denials = Denials()

    def names(self, path: str) -> tuple[Entry, list[str]]:
        """Return what is at a path, and the names under which its tags are listed."""
        subject = self._target_of(path, XattrKind.TAG)
        tags = self._listed(subject)
        names = self._tag_names(subject, tags)
        if self._labels and not subject.entry.is_link and self._labels.read(tags) is not None:
            names.append(LABELS_NAME)
        if path == "/" and not subject.bucket:
            bucket = self._target_of(path, XattrKind.BUCKET_TAG)
            names += self._tag_names(bucket, self._listed(bucket))
        return subject.entry, names

    def read(self, path: str) -> TagSet:
        """Return the tags that a path stands for."""
        return self._tags(self._target_of(path, XattrKind.TAG))

    def change(self, path: str, change: Callable[[TagSet], TagSet]) -> None:
        """Change the tags that a path stands for, by the rules of the service.

        Raises:
            InvalidTag and what is below it, and what `change` raises
        """
        subject = self._target_of(path, XattrKind.TAG)

        def checked(tags: TagSet) -> TagSet:
            changed = change(tags)
            self._check(subject, changed, tags)
            return changed

        self._edit(subject, checked)

    def _listed(self, subject: _TagTarget) -> TagSet:
        """Return the tags to be listed: none that may not be read, for copies list them first."""
        try:
            return self._tags(subject)
        except AccessDenied as error:
            whose = "the bucket" if subject.bucket else "objects"
            self._denials.pass_over(f"tags of {whose} may not be read and are not listed", error)
            return NO_TAGS

    def _target_of(self, path: str, kind: XattrKind) -> _TagTarget:
        entry = self._tree.lookup(path)
        if kind is XattrKind.BUCKET_TAG:
            if path != "/":
                raise Unsupported("the bucket's tags are on the root of the mount")
            return _TagTarget(path, entry, bucket=True)
        if path == "/" and not self._env.root.prefix:
            return _TagTarget(path, entry, bucket=True)
        node = entry.node if entry.node is not None and entry.node.is_new else None
        return _TagTarget(path, entry, node=node)

    def _tags(self, subject: _TagTarget) -> TagSet:
        if subject.bucket:
            return self._env.bucket.get_bucket_tags()
        if subject.node is not None:
            tags = subject.node.new_tags()
            if tags is not None:
                return tags
        try:
            return self._env.bucket.get_tags(subject.entry.key)
        except NotFound:
            if subject.entry.is_dir:
                return NO_TAGS  # a directory without a marker has nothing to be tagged yet
            raise
        except Unsupported:
            return NO_TAGS

    def get(self, path: str, name: XattrName) -> bytes:
        """Return one tag's value, or the whole set as a header has it.

        Raises:
            NoSuchTag
        """
        tags = self._tags(self._target_of(path, name.kind))
        if name.kind is XattrKind.TAGGING:
            if not tags:
                raise NoSuchTag(f"{path}: no tags")
            return render_tagging(tags).encode("ascii")
        if name.rest not in tags:
            raise NoSuchTag(f"{path}: no tag {name.rest!r}")
        return tags[name.rest].encode("utf-8")

    def _tag_names(self, subject: _TagTarget, tags: TagSet) -> list[str]:
        names = []
        of_bucket = subject.bucket and bool(self._env.root.prefix)
        for key in tags:
            name = tag_name(key, on_link=subject.entry.is_link, of_bucket=of_bucket)
            if name is not None:
                names.append(name)
            elif key not in self._logged and len(self._logged) < MAX_LOGGED:
                self._logged.add(key)
                log.warning(
                    "%s: tag %r is too long for the name of an extended attribute and not listed; "
                    "user.tagging shows it",
                    subject.path,
                    key,
                )
        return names

    def _rules(self, subject: _TagTarget) -> TagRules:
        bucket = self._env.bucket
        return bucket.bucket_tag_rules if subject.bucket else bucket.object_tag_rules

    def _check(self, subject: _TagTarget, tags: TagSet, present: TagSet = NO_TAGS) -> None:
        if not subject.bucket and not self._env.bucket.capabilities.object_tags:
            raise Unsupported(f"{subject.path}: the bucket has no object tags")
        self._rules(subject).check(tags, present)

    def _unchangeable(self, subject: _TagTarget, *keys: str) -> TagSet:
        """Return the bucket's tags if some of these keys are the service's own.

        Set again as they are, as restoring a dump does, they are no change.
        """
        reserved = subject.bucket and any(map(self._rules(subject).is_reserved, keys))
        return self._tags(subject) if reserved else NO_TAGS

    def set(self, path: str, name: XattrName, text: str, flags: int) -> None:
        """Set one tag; the others stay.

        Raises:
            InvalidTag and what is below it, TagExists, NoSuchTag
        """
        subject = self._target_of(path, name.kind)
        self._check(subject, TagSet({name.rest: text}), self._unchangeable(subject, name.rest))

        def change(tags: TagSet) -> TagSet:
            if flags & XATTR_CREATE and name.rest in tags:
                raise TagExists(f"{path}: tag {name.rest!r}")
            if flags & XATTR_REPLACE and name.rest not in tags:
                raise NoSuchTag(f"{path}: tag {name.rest!r}")
            changed = tags.with_tag(name.rest, text)
            self._check(subject, changed, tags)
            return changed

        self._edit(subject, change)

    def set_whole(self, path: str, text: str, flags: int) -> None:
        """Replace the whole set, in one request where nothing has to be read for it.

        Raises:
            InvalidTag and what is below it, TagExists, NoSuchTag
        """
        subject = self._target_of(path, XattrKind.TAGGING)
        wanted = parse_tagging(text)
        self._check(subject, wanted, self._unchangeable(subject, *wanted))

        def change(tags: TagSet) -> TagSet:
            if flags & XATTR_CREATE and tags:
                raise TagExists(f"{path}: has tags")
            if flags & XATTR_REPLACE and not tags:
                raise NoSuchTag(f"{path}: no tags")
            return wanted

        plain = not flags and subject.node is None and not subject.bucket
        if plain and not subject.entry.is_dir and not self._policy.judges(*_judged(subject)):
            self._env.bucket.put_tags(subject.entry.key, wanted)
        else:
            self._edit(subject, change)

    def remove(self, path: str, name: XattrName) -> None:
        """Remove one tag, or all of them.

        Raises:
            NoSuchTag
        """
        subject = self._target_of(path, name.kind)
        if name.kind is XattrKind.TAGGING:
            self._edit(subject, _clear)
        elif self._unchangeable(subject, name.rest).get(name.rest) is not None:
            self._rules(subject).check_key(name.rest)
        else:
            self._edit(subject, lambda tags: _without(tags, name))

    def _edit(self, subject: _TagTarget, change: Callable[[TagSet], TagSet]) -> None:
        if subject.bucket:
            self._env.bucket.update_bucket_tags(change)
            return
        change = self._policy.judging(*_judged(subject), change)
        if subject.node is not None and self._edit_new(subject.node, change):
            return
        self._edit_object(subject, change)

    def _edit_new(self, node: OpenFile, change: Callable[[TagSet], TagSet]) -> bool:
        """Change the tags that a file will be created with; False if it was created meanwhile.

        Raises:
            Unsupported: what cannot be kept is not taken.
        """
        if not self._env.bucket.capabilities.object_tags:
            raise Unsupported(f"{node.path}: the bucket has no object tags")

        def judged(tags: TagSet) -> TagSet:
            changed = change(tags)
            self._env.scope.check_tags(node.key, changed)
            return changed

        return node.set_tags(judged)

    def _edit_object(self, subject: _TagTarget, change: Callable[[TagSet], TagSet]) -> None:
        try:
            self._env.bucket.update_tags(subject.entry.key, change)
        except NotFound:
            if not subject.entry.is_dir:
                raise
            tags = change(NO_TAGS)
            if not tags:
                return
            try:
                self._markers.make(subject.path, tags=tags)
            except AlreadyExists:
                self._env.bucket.update_tags(subject.entry.key, change)


def _judged(subject: _TagTarget) -> tuple[str, ObjectKind]:
    """Return what the rules judge an object by."""
    if subject.entry.is_link:
        return subject.path, ObjectKind.LINK
    return subject.path, ObjectKind.DIRECTORY if subject.entry.is_dir else ObjectKind.FILE


MAX_LOGGED = 10_000


def _clear(tags: TagSet) -> TagSet:
    if not tags:
        raise NoSuchTag("no tags")
    return NO_TAGS


def _without(tags: TagSet, name: XattrName) -> TagSet:
    if name.rest not in tags:
        raise NoSuchTag(f"no tag {name.rest!r}")
    return tags.without_tag(name.rest)
