"""Annotations of S3 objects as extended attributes: `user.annotation.NAME`.

They belong to an object, not to its content, and every rewrite through the mount keeps them. Where
the bucket has none, such a name is an attribute like any other, in the user metadata.
"""

import re
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidTag,
    NoSuchTag,
    NotFound,
    TagExists,
    Unsupported,
    ValueTooLarge,
)
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.xattr_names import ANNOTATION, MAX_NAME, XATTR_CREATE, XATTR_REPLACE
from tagfs.fs.tree.denials import Denials
from tagfs.fs.tree.lookup import Entry, TreeLookup
from tagfs.fs.tree.markers import MarkerWriter
from tagfs.fs.xattr.other_names import OtherUserXattrs

MAX_VALUE: Final = 64 * 1024
"""Bytes of an attribute that the kernel takes (xattr(7)); an annotation may have more."""

_MAX_LISTED: Final = 16 * 1024  # bytes of names: the kernel takes 64 KiB of all of a file
_NAME: Final = re.compile(r"(?!aws|s3)[A-Za-z0-9_.-]+", re.IGNORECASE)
_NOTHING: Final[Mapping[str, int]] = {}


class AnnotationXattrs:
    """Reads and changes `user.annotation.*`."""

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        markers: MarkerWriter,
        others: OtherUserXattrs,
    ) -> None:
        self._env = env
        self._tree = tree
        self._markers = markers
        self._others = others
        self._denials = Denials()

    def _are_there(self) -> bool:
        return self._env.bucket.capabilities.annotations

    def begin_names(self, path: str) -> Future[Mapping[str, int]] | None:
        """Begin to ask which annotations are listed, if that is chosen; beside what comes next."""
        if not self._are_there() or not self._env.choices.lists_annotations:
            return None
        return self._env.executor.submit(lambda: self._sizes(self._tree.lookup(path)))

    def names(self, entry: Entry, asked: Future[Mapping[str, int]] | None) -> list[str]:
        """Return the names that are listed: of values that the kernel takes, while there is room.

        Unless names were asked for, those that are known without a request.
        """
        try:
            sizes = self._known(entry) if asked is None else asked.result()
        except AccessDenied as denied:
            self._denials.pass_over("annotations may not be listed", denied)
            return []
        except (NotFound, Unsupported):
            return []
        names: list[str] = []
        room = _MAX_LISTED
        for name, size in sizes.items():
            listed = ANNOTATION + name
            room -= len(listed) + 1
            if size <= MAX_VALUE and len(listed) <= MAX_NAME and room >= 0:
                names.append(listed)
        return names

    def get(self, path: str, name: str) -> bytes:
        """Return one annotation.

        Raises:
            NoSuchTag
            ValueTooLarge: the kernel takes no such value.
        """
        if not self._are_there():
            return self._others.get(path, name)
        entry, rest = self._tree.lookup(path), name.removeprefix(ANNOTATION)
        if not self._has_object(entry) or not _NAME.fullmatch(rest):
            raise NoSuchTag(f"{path}: no {name}")
        try:
            data = self._env.bucket.get_annotation(entry.key, rest)
        except Unsupported:
            return self._others.get(path, name)
        except NotFound:
            if not entry.is_dir:
                raise
            raise NoSuchTag(f"{path}: no {name}") from None
        if len(data) > MAX_VALUE:
            raise ValueTooLarge(f"{path}: {name} has {len(data)} bytes")
        return data

    def set(self, path: str, name: str, value: bytes, flags: int) -> None:
        """Set one annotation; a file that the service has not is uploaded first.

        Raises:
            InvalidTag: it cannot be one.
            TagExists, NoSuchTag
        """
        if not self._are_there():
            self._others.set(path, name, value, flags)
            return
        rest = name.removeprefix(ANNOTATION)
        _check(path, rest, value)
        key = self._object_at(path)
        try:
            if flags:
                self._judge(path, key, rest, flags)
            self._env.bucket.put_annotation(key, rest, value)
        except Unsupported:
            if self._are_there():  # but not of this object
                raise
            self._others.set(path, name, value, flags)

    def remove(self, path: str, name: str) -> None:
        """Remove one annotation.

        Raises:
            NoSuchTag
        """
        if not self._are_there():
            self._others.remove(path, name)
            return
        entry, rest = self._tree.lookup(path), name.removeprefix(ANNOTATION)
        try:
            if rest not in self._sizes(entry, max_age=0):
                raise NoSuchTag(f"{path}: no {name}")
            self._env.bucket.delete_annotation(entry.key, rest)
        except Unsupported:
            self._others.remove(path, name)

    def _judge(self, path: str, key: str, name: str, flags: int) -> None:
        present = name in self._env.bucket.list_annotations(key, max_age=0)
        if flags & XATTR_CREATE and present:
            raise TagExists(f"{path}: annotation {name!r}")
        if flags & XATTR_REPLACE and not present:
            raise NoSuchTag(f"{path}: no annotation {name!r}")

    def _object_at(self, path: str) -> str:
        """See to it that there is an object to be annotated; return its key.

        Raises:
            Unsupported: the bucket itself is none.
        """
        entry = self._tree.lookup(path)
        if path == "/" and not self._env.root.prefix:
            raise Unsupported("a bucket has no annotations")
        if entry.is_dir and entry.info is None:
            with suppress(AlreadyExists):  # by others meanwhile
                self._markers.make(path)
        elif entry.node is not None and entry.node.is_new:
            entry.node.flush()
        return entry.key

    def _has_object(self, entry: Entry) -> bool:
        if entry.path == "/" and not self._env.root.prefix:
            return False
        is_new = entry.node is not None and entry.node.is_new
        return not is_new and not (entry.is_dir and entry.info is None)

    def _sizes(self, entry: Entry, max_age: float | None = None) -> Mapping[str, int]:
        if not self._has_object(entry):
            return _NOTHING
        return self._env.bucket.list_annotations(entry.key, max_age=max_age)

    def _known(self, entry: Entry) -> Mapping[str, int]:
        known = self._are_there() and self._has_object(entry)
        return self._env.bucket.known_annotations(entry.key) if known else _NOTHING


def _check(path: str, name: str, value: bytes) -> None:
    """Raise for what the service would refuse.

    Raises:
        InvalidTag
    """
    if not _NAME.fullmatch(name):
        raise InvalidTag(
            f"{path}: no name of an annotation: {name!r} (letters, digits, _ . and -, not beginning"
            " with aws or s3)"
        )
    if not value:
        raise InvalidTag(f"{path}: an annotation is never empty")
    try:
        value.decode()
    except UnicodeDecodeError:
        raise InvalidTag(f"{path}: annotation {name!r} is not UTF-8") from None
