"""Extended attributes: each name goes to what it stands for."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tagfs.errors import InvalidTag, NoSuchTag, NotPermitted, Unsupported
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.xattr_names import XattrKind, XattrName, parse_name
from tagfs.fs.openfiles.deferred_work import DeferredWork
from tagfs.fs.tree.lookup import TreeLookup
from tagfs.fs.xattr.annotations import AnnotationXattrs
from tagfs.fs.xattr.desktop import DesktopTagXattrs
from tagfs.fs.xattr.object_facts import ObjectXattrs
from tagfs.fs.xattr.other_names import OtherUserXattrs
from tagfs.fs.xattr.tags import TagXattrs
from tagfs.fs.xattr.user_metadata import UserMetadataXattrs


@dataclass(frozen=True, slots=True)
class XattrFamilies:
    """Who answers for each kind of name."""

    tags: TagXattrs
    annotations: AnnotationXattrs
    labels: DesktopTagXattrs
    metadata: UserMetadataXattrs
    others: OtherUserXattrs
    objects: ObjectXattrs


class XattrDispatcher:
    """Answers getxattr, setxattr, listxattr and removexattr.

    `status` returns what `user.tagfs.status` shows.
    """

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        due: DeferredWork,
        families: XattrFamilies,
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._env = env
        self._tree = tree
        self._due = due
        self._tags = families.tags
        self._annotations = families.annotations
        self._metadata = families.metadata
        self._others = families.others
        self._labels = families.labels
        self._objects = families.objects
        self._status = status

    def getxattr(self, path: str, name: str) -> bytes:
        """Return the value of an extended attribute.

        Raises:
            NoSuchTag: there is none of this name.
            Unsupported: a name that is not ours.
        """
        parsed = self._parse(name)
        match parsed.kind:
            case XattrKind.FOREIGN | XattrKind.REFRESH:
                raise NoSuchTag(name)
            case XattrKind.SYSTEM | XattrKind.RESERVED_USER:
                raise Unsupported(name)
            case XattrKind.OTHER_USER | XattrKind.ANNOTATION:
                return self._keeper(parsed).get(path, name)
            case XattrKind.DESKTOP_TAGS:
                return self._labels.get(path)
            case XattrKind.STATUS | XattrKind.REMOUNT:
                return self._of_mount(path, parsed)
            case XattrKind.META:
                return self._metadata.get(path, parsed.rest)
            case XattrKind.OBJECT:
                self._due.before_described(path)
                return self._objects.get(path, parsed.rest)
            case XattrKind.TAG | XattrKind.TAGGING | XattrKind.BUCKET_TAG:
                return self._tags.get(path, parsed)

    def listxattr(self, path: str) -> list[str]:
        """Return the names that are listed: tags, and what known user metadata holds."""
        asked = self._annotations.begin_names(path)
        entry, names = self._tags.names(path)
        if not entry.is_link:
            names += self._annotations.names(entry, asked)
            names += [f"user.meta.{key}" for key in self._metadata.visible(entry)]
            names += [n for n in self._others.visible(entry) if n not in names]
        return names

    @staticmethod
    def changes(name: str) -> bool:
        """Say whether setting a name changes anything: to ask for what is new does not."""
        return parse_name(name).kind is not XattrKind.REFRESH

    def setxattr(self, path: str, name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute.

        Raises:
            InvalidTag and what is below it, TagExists, NoSuchTag, Unsupported, NotPermitted
        """
        self._prepare(path)
        parsed = self._parse(name)
        match parsed.kind:
            case XattrKind.FOREIGN | XattrKind.SYSTEM | XattrKind.RESERVED_USER | XattrKind.REMOUNT:
                raise Unsupported(name)
            case XattrKind.OTHER_USER | XattrKind.ANNOTATION:
                self._keeper(parsed).set(path, name, value, flags)
            case XattrKind.DESKTOP_TAGS:
                self._labels.set(path, _decode(path, value), flags)
            case XattrKind.OBJECT:
                self._objects.set(path, parsed.rest, _decode(path, value), flags)
            case XattrKind.STATUS:
                raise NotPermitted(f"{name} is read-only")
            case XattrKind.REFRESH:
                self._refresh(path)
            case XattrKind.META:
                self._metadata.set(path, parsed.rest, _decode(path, value), flags)
            case XattrKind.TAGGING:
                self._tags.set_whole(path, _decode(path, value), flags)
            case XattrKind.TAG | XattrKind.BUCKET_TAG:
                self._tags.set(path, parsed, _decode(path, value), flags)

    def removexattr(self, path: str, name: str) -> None:
        """Remove an extended attribute.

        Raises:
            NoSuchTag: there is none of this name.
        """
        self._prepare(path)
        parsed = self._parse(name)
        match parsed.kind:
            case XattrKind.FOREIGN | XattrKind.REFRESH | XattrKind.REMOUNT:
                raise NoSuchTag(name)
            case XattrKind.SYSTEM | XattrKind.RESERVED_USER:
                raise Unsupported(name)
            case XattrKind.OTHER_USER | XattrKind.ANNOTATION:
                self._keeper(parsed).remove(path, name)
            case XattrKind.DESKTOP_TAGS:
                self._labels.remove(path)
            case XattrKind.OBJECT:
                self._objects.remove(path, parsed.rest)
            case XattrKind.STATUS:
                raise NotPermitted(f"{name} is read-only")
            case XattrKind.META:
                self._metadata.remove(path, parsed.rest)
            case XattrKind.TAG | XattrKind.TAGGING | XattrKind.BUCKET_TAG:
                self._tags.remove(path, parsed)

    def _keeper(self, parsed: XattrName) -> AnnotationXattrs | OtherUserXattrs:
        return self._annotations if parsed.kind is XattrKind.ANNOTATION else self._others

    def _parse(self, name: str) -> XattrName:
        """Say what a name stands for on this mount."""
        parsed = parse_name(name)
        if parsed.kind is XattrKind.DESKTOP_TAGS and not self._env.choices.desktop_tags:
            return XattrName(XattrKind.OTHER_USER)
        return parsed

    def _prepare(self, path: str) -> None:
        """See that a path may be changed, and that nothing waits to be set on it by an edit before.

        Raises:
            NotPermitted
            TagfsError: what waits cannot be set.
        """
        self._check_link(path)
        self._due.before_changed(path)

    def _check_link(self, path: str) -> None:
        """Keep a link's tags to its owner: its mode lets everybody write, so the kernel would.

        Raises:
            NotPermitted
        """
        if not self._env.choices.shared:
            return
        uid, _gid = self._env.caller()
        entry = self._tree.lookup(path)
        if entry.is_link and uid not in (0, entry.attributes.uid):
            raise NotPermitted(f"{path}: a link of another user")

    def _of_mount(self, path: str, parsed: XattrName) -> bytes:
        if path != "/":
            raise NoSuchTag("what the mount tells is on its root")
        if parsed.kind is XattrKind.REMOUNT:
            return self._remount(parsed.rest)
        return json.dumps(self._status(), sort_keys=True).encode("ascii")

    def _remount(self, options: str) -> bytes:
        """Change options of the mount, for root and who mounted; the value is empty.

        Raises:
            NotPermitted, SettingsError
        """
        uid, _gid = self._env.caller()
        if uid not in (0, os.getuid()):
            raise NotPermitted("only root and who mounted it change a mount")
        self._env.remount(options)
        return b""

    def _refresh(self, path: str) -> None:
        if path == "/":
            self._env.bucket.forget(self._env.root.prefix)
            return
        self._env.bucket.forget(self._env.root.to_key(path))


def _decode(path: str, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidTag(f"{path}: {value!r} is not UTF-8") from None
