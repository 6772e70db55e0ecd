"""`user.object.*`: facts about an object; the headers that services keep with it can be set."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from tagfs.errors import (
    InvalidRequest,
    NoSuchTag,
    NotPermitted,
    TagExists,
)
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.xattr_names import (
    OBJECT_CHOICES,
    OBJECT_FIELDS,
    OBJECT_HEADERS,
    RESTORE,
    XATTR_CREATE,
    XATTR_REPLACE,
)
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.tree.lookup import TreeLookup
from tagfs.fs.xattr.object_choices import ACL, DEFAULT, ObjectChoices, encryption_text
from tagfs.fs.xattr.setattr import MetadataWriter
from tagfs.fs.xattr.user_metadata import UserMetadataXattrs
from tagfs.store.objects import Detail, ObjectInfo

Headers = Mapping[str, str]

MOST_DAYS: Final = 365
"""Days of a restore that any service takes."""


class ObjectXattrs:
    """Reads `user.object.*`, and sets those that are headers."""

    def __init__(
        self,
        env: FsContext,
        tree: TreeLookup,
        files: HandleTable,
        metadata: UserMetadataXattrs,
        edits: MetadataWriter,
    ) -> None:
        self._env = env
        self._tree = tree
        self._files = files
        self._metadata = metadata
        self._edits = edits
        self._chosen = ObjectChoices(env, tree, files, edits)

    def get(self, path: str, field: str) -> bytes:
        """Return what `user.object.<field>` tells.

        Raises:
            NoSuchTag: there is no such fact, or nothing to tell of this object.
        """
        if field == RESTORE:
            text = self._restore_state(path)
        elif field in OBJECT_HEADERS:
            text = self._metadata.detail(path).headers.get(OBJECT_HEADERS[field], "")
        else:
            text = self._fact(path, field)
        if not text:
            raise NoSuchTag(f"{path}: no {field}")
        return text.encode("utf-8")

    def _fact(self, path: str, field: str) -> str:
        if field not in (*OBJECT_FIELDS, *OBJECT_CHOICES):
            raise NoSuchTag(f"user.object.{field}")
        info = self._tree.lookup(path).info
        if info is None:
            raise NoSuchTag(f"{path}: there is no object yet")
        if field == "acl":
            return _acl_text(self._env.bucket.get_acl(info.key))
        return fact(info.with_detail(self._metadata.detail(path)), field)

    def set(self, path: str, field: str, text: str, flags: int) -> None:
        """Set a header by one edit, or with the next upload if one is due.

        Raises:
            NotPermitted: it is a fact that cannot be set.
            InvalidRequest: no header can carry the value, or the service knows none such.
            Unsupported: the service has none of these.
            TagExists, NoSuchTag
        """
        if field == RESTORE:
            self._restore(path, text)
            return
        if field in OBJECT_CHOICES:
            self._chosen.set(path, field, text, flags)
            return
        header = _settable(field)
        if not text or text != text.strip() or not (text.isascii() and text.isprintable()):
            raise InvalidRequest(f"{path}: {header} cannot be {text!r}")

        def change(headers: Headers) -> dict[str, str]:
            if flags & XATTR_CREATE and header in headers:
                raise TagExists(f"{path}: {header}")
            if flags & XATTR_REPLACE and header not in headers:
                raise NoSuchTag(f"{path}: {header}")
            return {**headers, header: text}

        self._edit(path, change)

    def remove(self, path: str, field: str) -> None:
        """Remove a header or an ACL; the service's own default is left.

        Raises:
            NoSuchTag, NotPermitted
        """
        if field == ACL:
            self._chosen.set(path, ACL, DEFAULT, 0)
            return
        header = _settable(field)

        def change(headers: Headers) -> dict[str, str]:
            if header not in headers:
                raise NoSuchTag(f"{path}: {header}")
            return {name: text for name, text in headers.items() if name != header}

        self._edit(path, change)

    def _restore_state(self, path: str) -> str:
        """Return "archived", "restoring" or "until DATE", asked anew: who asks waits for it."""
        entry = self._tree.lookup(path)
        if entry.info is None:
            return ""
        info = self._env.bucket.head(entry.key, expected=entry.info.type, max_age=FRESH_WITHIN)
        detail = info.detail or Detail()
        if not detail.readable:
            return "restoring" if 'ongoing-request="true"' in detail.restore else "archived"
        expires = re.search('expiry-date="([^"]+)"', detail.restore)
        return f"until {expires[1]}" if expires else ""

    def _restore(self, path: str, text: str) -> None:
        if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_DAYS):
            raise InvalidRequest(f"{path}: restored for 1 to {MOST_DAYS} days, not {text!r}")
        entry = self._tree.lookup(path)
        if entry.info is None:
            raise NotPermitted(f"{path}: there is no object to be restored")
        self._env.bucket.restore(entry.key, int(text))

    def _edit(self, path: str, change: Callable[[Headers], dict[str, str]]) -> None:
        node = self._files.node(path)
        if node is not None and (node.staged is not None or node.is_new):
            node.revise(lambda draft: replace(draft, headers=change(draft.headers)))
            return
        entry = self._tree.lookup(path)
        if entry.info is None:
            raise NotPermitted(f"{path}: there is no object that could have headers")
        self._edits.edit_headers(entry, change)


def fact(info: ObjectInfo, field: str) -> str:
    """Return what `user.object.<field>` tells of an object with its detail; "" for nothing."""
    detail = info.detail or Detail()
    facts = {
        "etag": info.etag,
        "type": info.type.value,
        "storage_class": info.storage_class,
        "version_id": detail.version_id or "",
        "crc64": "" if detail.crc64 is None else str(detail.crc64),
        "encryption": encryption_text(detail.headers),
    }
    return facts.get(field) or detail.headers.get(OBJECT_HEADERS.get(field, ""), "")


def _settable(field: str) -> str:
    if field not in OBJECT_HEADERS:
        raise NotPermitted(f"user.object.{field} is read-only")
    return OBJECT_HEADERS[field]


def _acl_text(acl: Mapping[str, str]) -> str:
    """Return an ACL as the service's word, or as its grants, "default" where nobody set one."""
    if not acl:
        return "default"
    return acl.get("acl") or "; ".join(f"{name}: {text}" for name, text in acl.items())
