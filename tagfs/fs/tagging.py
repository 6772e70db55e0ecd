"""Extended attributes: tags of files, directories, links and the bucket, and user metadata."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tagfs.errors import (
    AlreadyExists,
    InvalidRequest,
    InvalidTag,
    NoSuchTag,
    NotFound,
    NotPermitted,
    TagExists,
    Unsupported,
    ValueTooLarge,
)
from tagfs.fs.environment import RECENT, Environment
from tagfs.fs.files import OpenFiles
from tagfs.fs.namespace import Namespace
from tagfs.fs.node import FileNode
from tagfs.fs.tree import Entry, Tree
from tagfs.fs.xattrs import OBJECT_FIELDS, Kind, XattrName, is_meta_name, parse_name, tag_name
from tagfs.store.bucket import Detail
from tagfs.store.tags import NO_TAGS, TagRules, TagSet, parse_tagging, render_tagging

log = logging.getLogger(__name__)

XATTR_CREATE = 1
XATTR_REPLACE = 2
"""Flags of setxattr(2)."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose tags a name means: those of a key, of the bucket, or of a file not yet uploaded."""

    path: str
    entry: Entry
    node: FileNode | None = None
    bucket: bool = False


class Xattrs:
    """Answers getxattr, setxattr, listxattr and removexattr.

    `status` returns what `user.tagfs.status` shows.
    """

    def __init__(
        self,
        env: Environment,
        tree: Tree,
        files: OpenFiles,
        namespace: Namespace,
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._env = env
        self._tree = tree
        self._files = files
        self._namespace = namespace
        self._status = status
        self._logged: set[str] = set()

    def getxattr(self, path: str, name: str) -> bytes:
        """Return the value of an extended attribute.

        Raises:
            NoSuchTag: there is none of this name.
            Unsupported: a name that is not ours.
        """
        parsed = parse_name(name)
        match parsed.kind:
            case Kind.FOREIGN:
                raise NoSuchTag(name)
            case Kind.SYSTEM | Kind.OTHER_USER:
                raise Unsupported(name)
            case Kind.STATUS:
                return self._status_value(path)
            case Kind.REFRESH:
                raise NoSuchTag(name)
            case Kind.META:
                return self._get_meta(path, parsed.rest)
            case Kind.OBJECT:
                return self._get_fact(path, parsed.rest)
            case Kind.TAG | Kind.TAGGING | Kind.BUCKET_TAG:
                return self._get_tag(path, parsed)

    def listxattr(self, path: str) -> list[str]:
        """Return the names that are listed: tags, and user metadata where it is known."""
        subject = self._subject(path, Kind.TAG)
        names = self._tag_names(subject, self._tags(subject))
        if path == "/" and not subject.bucket:
            bucket = self._subject(path, Kind.BUCKET_TAG)
            names += self._tag_names(bucket, self._tags(bucket))
        if not subject.entry.is_link:
            names += [f"user.meta.{key}" for key in self._metadata(subject.entry)]
        return names

    def setxattr(self, path: str, name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute.

        Raises:
            InvalidTag and what is below it, TagExists, NoSuchTag, Unsupported, NotPermitted
        """
        parsed = parse_name(name)
        match parsed.kind:
            case Kind.FOREIGN | Kind.SYSTEM | Kind.OTHER_USER:
                raise Unsupported(name)
            case Kind.STATUS | Kind.OBJECT:
                raise NotPermitted(f"{name} is read-only")
            case Kind.REFRESH:
                self._refresh(path)
            case Kind.META:
                self._set_meta(path, parsed.rest, value, flags)
            case Kind.TAGGING:
                self._set_tagging(path, value, flags)
            case Kind.TAG | Kind.BUCKET_TAG:
                self._set_tag(path, parsed, value, flags)

    def removexattr(self, path: str, name: str) -> None:
        """Remove an extended attribute.

        Raises:
            NoSuchTag: there is none of this name.
        """
        parsed = parse_name(name)
        match parsed.kind:
            case Kind.FOREIGN | Kind.REFRESH:
                raise NoSuchTag(name)
            case Kind.SYSTEM | Kind.OTHER_USER:
                raise Unsupported(name)
            case Kind.STATUS | Kind.OBJECT:
                raise NotPermitted(f"{name} is read-only")
            case Kind.META:
                self._remove_meta(path, parsed.rest)
            case Kind.TAGGING:
                self._edit(self._subject(path, parsed.kind), _clear)
            case Kind.TAG | Kind.BUCKET_TAG:
                self._edit(self._subject(path, parsed.kind), lambda tags: _without(tags, parsed))

    # Tags

    def _subject(self, path: str, kind: Kind) -> _Subject:
        entry = self._tree.entry(path)
        if kind is Kind.BUCKET_TAG:
            if path != "/":
                raise Unsupported("the bucket's tags are on the root of the mount")
            return _Subject(path, entry, bucket=True)
        if path == "/" and not self._env.root.prefix:
            return _Subject(path, entry, bucket=True)
        node = entry.node if entry.node is not None and entry.node.is_new else None
        return _Subject(path, entry, node=node)

    def _tags(self, subject: _Subject) -> TagSet:
        if subject.bucket:
            return self._env.bucket.get_bucket_tags()
        if subject.node is not None:
            return subject.node.tags or NO_TAGS
        try:
            return self._env.bucket.get_tags(subject.entry.key)
        except NotFound:
            if subject.entry.is_dir:
                return NO_TAGS  # a directory without a marker has nothing to be tagged yet
            raise
        except Unsupported:
            return NO_TAGS

    def _get_tag(self, path: str, name: XattrName) -> bytes:
        tags = self._tags(self._subject(path, name.kind))
        if name.kind is Kind.TAGGING:
            if not tags:
                raise NoSuchTag(f"{path}: no tags")
            return render_tagging(tags).encode("ascii")
        if name.rest not in tags:
            raise NoSuchTag(f"{path}: no tag {name.rest!r}")
        return tags[name.rest].encode("utf-8")

    def _tag_names(self, subject: _Subject, tags: TagSet) -> list[str]:
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

    def _rules(self, subject: _Subject) -> TagRules:
        bucket = self._env.bucket
        return bucket.bucket_tag_rules if subject.bucket else bucket.object_tag_rules

    def _check(self, subject: _Subject, tags: TagSet) -> None:
        try:
            self._rules(subject).check(tags)
        except InvalidTag as error:
            log.warning("%s: refused: %s", subject.path, error)
            raise

    def _set_tag(self, path: str, name: XattrName, value: bytes, flags: int) -> None:
        subject = self._subject(path, name.kind)
        text = _decode(path, value)
        self._check(subject, TagSet({name.rest: text}))

        def change(tags: TagSet) -> TagSet:
            if flags & XATTR_CREATE and name.rest in tags:
                raise TagExists(f"{path}: tag {name.rest!r}")
            if flags & XATTR_REPLACE and name.rest not in tags:
                raise NoSuchTag(f"{path}: tag {name.rest!r}")
            changed = tags.with_tag(name.rest, text)
            self._check(subject, changed)
            return changed

        self._edit(subject, change)

    def _set_tagging(self, path: str, value: bytes, flags: int) -> None:
        subject = self._subject(path, Kind.TAGGING)
        try:
            wanted = parse_tagging(_decode(path, value))
        except InvalidTag as error:
            log.warning("%s: refused: %s", path, error)
            raise
        self._check(subject, wanted)

        def change(tags: TagSet) -> TagSet:
            if flags & XATTR_CREATE and tags:
                raise TagExists(f"{path}: has tags")
            if flags & XATTR_REPLACE and not tags:
                raise NoSuchTag(f"{path}: no tags")
            return wanted

        plain = not flags and subject.node is None and not subject.bucket
        if plain and not subject.entry.is_dir:
            self._env.bucket.put_tags(subject.entry.key, wanted)
        else:
            self._edit(subject, change)

    def _edit(self, subject: _Subject, change: Callable[[TagSet], TagSet]) -> None:
        if subject.bucket:
            self._env.bucket.update_bucket_tags(change)
        elif subject.node is not None and self._edit_new(subject.node, change):
            return
        else:
            self._edit_object(subject, change)

    def _edit_new(self, node: FileNode, change: Callable[[TagSet], TagSet]) -> bool:
        """Change the tags that a file will be created with; False if it was created meanwhile."""
        with node.lock:
            if not node.is_new:
                return False
            node.tags = change(node.tags or NO_TAGS)
            return True

    def _edit_object(self, subject: _Subject, change: Callable[[TagSet], TagSet]) -> None:
        try:
            self._env.bucket.update_tags(subject.entry.key, change)
        except NotFound:
            if not subject.entry.is_dir:
                raise
            tags = change(NO_TAGS)
            if not tags:
                return
            try:
                self._namespace.make_marker(subject.path, tags=tags)
            except AlreadyExists:
                self._env.bucket.update_tags(subject.entry.key, change)

    # User metadata

    def _metadata(self, entry: Entry) -> dict[str, str]:
        """Return the user metadata that is shown; without a request where that is not due."""
        if entry.node is not None:
            return dict(entry.node.metadata)
        detail = entry.info.detail if entry.info else None
        if detail is None:
            return {}
        return {k: v for k, v in detail.metadata.items() if is_meta_name(k)}

    def _detail(self, path: str) -> Detail:
        entry = self._tree.entry(path)
        if entry.node is not None:
            return Detail(metadata=entry.node.metadata, headers=entry.node.headers)
        if entry.info is None:
            return Detail()
        info = entry.info
        if info.detail is None:
            info = self._env.bucket.head(entry.key, expected=info.type)
        return info.detail or Detail()

    def _get_meta(self, path: str, name: str) -> bytes:
        metadata = self._detail(path).metadata
        if name not in metadata:
            raise NoSuchTag(f"{path}: no metadata {name!r}")
        return metadata[name].encode("utf-8")

    def _set_meta(self, path: str, name: str, value: bytes, flags: int) -> None:
        text = _decode(path, value)
        if text != text.strip() or not (text.isprintable() or not text):
            raise InvalidRequest(f"{path}: a header cannot carry {text!r}")

        def change(metadata: dict[str, str]) -> dict[str, str]:
            if flags & XATTR_CREATE and name in metadata:
                raise TagExists(f"{path}: metadata {name!r}")
            if flags & XATTR_REPLACE and name not in metadata:
                raise NoSuchTag(f"{path}: metadata {name!r}")
            changed = {**metadata, name: text}
            size = sum(len(k) + len(v.encode()) for k, v in changed.items())
            if size > self._env.bucket.limits.max_metadata:
                raise ValueTooLarge(f"{path}: {size} bytes of user metadata are too many")
            return changed

        self._edit_meta(path, change)

    def _remove_meta(self, path: str, name: str) -> None:
        def change(metadata: dict[str, str]) -> dict[str, str]:
            if name not in metadata:
                raise NoSuchTag(f"{path}: no metadata {name!r}")
            return {k: v for k, v in metadata.items() if k != name}

        self._edit_meta(path, change)

    def _edit_meta(self, path: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        entry = self._tree.entry(path)
        node = self._files.node(path)
        if node is not None and (node.staged is not None or node.is_new):
            with node.lock:
                node.set_metadata(change(dict(node.metadata)))
            return
        if entry.info is None and entry.is_dir:
            self._namespace.make_marker(path)
        info = self._env.bucket.head(
            entry.key, expected=entry.info.type if entry.info else None, max_age=RECENT
        )
        detail = info.detail or Detail()
        metadata = change(dict(detail.metadata))
        moved = self._env.bucket.set_metadata(info, metadata, detail.headers)
        if node is not None:
            node.met(moved)

    # Everything else

    def _get_fact(self, path: str, field: str) -> bytes:
        if field not in OBJECT_FIELDS:
            raise NoSuchTag(f"user.object.{field}")
        entry = self._tree.entry(path)
        info = entry.info
        if info is None:
            raise NoSuchTag(f"{path}: there is no object yet")
        detail = self._detail(path)
        facts = {
            "etag": info.etag,
            "type": info.type.value,
            "storage_class": info.storage_class,
            "version_id": detail.version_id or "",
            "crc64": "" if detail.crc64 is None else str(detail.crc64),
            "content_type": detail.headers.get("content-type", ""),
        }
        if not facts[field]:
            raise NoSuchTag(f"{path}: no {field}")
        return facts[field].encode("utf-8")

    def _status_value(self, path: str) -> bytes:
        if path != "/":
            raise NoSuchTag("user.tagfs.status is on the root of the mount")
        return json.dumps(self._status(), sort_keys=True).encode("ascii")

    def _refresh(self, path: str) -> None:
        if path == "/":
            self._env.bucket.forget(self._env.root.prefix)
            return
        self._env.bucket.forget(self._env.root.to_key(path))


MAX_LOGGED = 10_000


def _decode(path: str, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        error = InvalidTag(f"{path}: {value!r} is not UTF-8")
        log.warning("%s: refused: %s", path, error)
        raise error from None


def _clear(tags: TagSet) -> TagSet:
    if not tags:
        raise NoSuchTag("no tags")
    return NO_TAGS


def _without(tags: TagSet, name: XattrName) -> TagSet:
    if name.rest not in tags:
        raise NoSuchTag(f"no tag {name.rest!r}")
    return tags.without_tag(name.rest)
