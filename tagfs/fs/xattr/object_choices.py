"""`user.object.storage_class`, `.encryption` and `.acl`: what a service can be asked to change.

Class and encryption are changed by a copy of the object onto itself, which keeps content, tags and
all else it has, and is not made if another version is there. The service judges the words.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tagfs.errors import InvalidRequest, NotPermitted, Refused, TagExists, Unsupported
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.xattr_names import XATTR_CREATE
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.fs.tree.lookup import Entry, TreeLookup
from tagfs.fs.xattr.setattr import MetadataWriter
from tagfs.store.objects import Detail, ObjectInfo

Headers = Mapping[str, str]

ACL: Final = "acl"
DEFAULT: Final = "default"
"""The ACL of an object for which nobody has set one."""

_CLASS: Final = "storage-class"
_ENCRYPTION: Final = "server-side-encryption"
_KEY: Final = f"{_ENCRYPTION}-key-id"


def encryption_text(headers: Headers) -> str:
    """Return how an object is encrypted: the service's word, and the key if one was chosen."""
    return " ".join(headers[name] for name in (_ENCRYPTION, _KEY) if headers.get(name))


class ObjectChoices:
    """Sets them."""

    def __init__(
        self, env: FsContext, tree: TreeLookup, files: HandleTable, edits: MetadataWriter
    ) -> None:
        self._env = env
        self._tree = tree
        self._files = files
        self._edits = edits

    def set(self, path: str, field: str, text: str, flags: int) -> None:
        """Set one, or let it go with the next upload if one is due.

        Raises:
            InvalidRequest: the service knows no such class, encryption or ACL.
            Unsupported: it has none of these.
            TagExists, NotPermitted, AccessDenied
        """
        if flags & XATTR_CREATE:
            raise TagExists(f"{path}: each object has its {field}")
        if not text or not (text.isascii() and text.isprintable()) or text != text.strip():
            raise InvalidRequest(f"{path}: {field} cannot be {text!r}")
        try:
            if field == ACL:
                self._set_acl(path, text)
            else:
                self._set_header(path, field, text)
        except Refused as refusal:
            raise InvalidRequest(f"{path}: {field}={text}: {refusal}") from refusal

    def _set_acl(self, path: str, word: str) -> None:
        entry = self._tree.lookup(path)
        if entry.info is None and entry.node is not None:
            acl = {} if word == DEFAULT else {ACL: word}
            entry.node.revise(lambda draft: replace(draft, acl=acl))
            return
        self._env.bucket.put_acl(self._object(path, entry).key, word)

    def _set_header(self, path: str, field: str, text: str) -> None:
        def change(headers: Headers) -> dict[str, str]:
            return _changed(headers, field, text)

        node = self._files.node(path)
        if node is not None and (node.staged is not None or node.is_new):
            node.revise(lambda draft: replace(draft, headers=change(draft.headers)))
            return
        entry = self._tree.lookup(path)
        before = self._object(path, entry)
        before = self._env.bucket.head(before.key, expected=before.type)
        if _shown(before, field) == text:
            return
        self._edits.edit_headers(entry, change)
        after = self._env.bucket.head(before.key, expected=before.type, max_age=0)
        if _shown(after, field) == _shown(before, field):
            raise Unsupported(f"{path}: the service leaves {field} as it is")

    def _object(self, path: str, entry: Entry) -> ObjectInfo:
        if entry.info is None:
            raise NotPermitted(f"{path}: there is no object")
        return entry.info


def _changed(headers: Headers, field: str, text: str) -> dict[str, str]:
    if field == "storage_class":
        return {**headers, _CLASS: text}
    kept = {name: value for name, value in headers.items() if not name.startswith(_ENCRYPTION)}
    method, _, key_id = text.partition(" ")
    return {**kept, _ENCRYPTION: method, **({_KEY: key_id.strip()} if key_id else {})}


def _shown(info: ObjectInfo, field: str) -> str:
    if field == "storage_class":
        return info.storage_class
    return encryption_text((info.detail or Detail()).headers)
