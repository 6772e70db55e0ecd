"""All other `user.*` attributes: what desktops, Samba, rsync and backups keep beside a file."""

import logging

from tagfs.errors import (
    InvalidName,
    MalformedResponse,
    NoSuchTag,
    TagExists,
    Unsupported,
    XattrSpaceFull,
)
from tagfs.fs.context import FsContext
from tagfs.fs.mapping.xattr_metadata import parse_xattrs, with_xattrs
from tagfs.fs.mapping.xattr_names import MAX_NAME, XATTR_CREATE, XATTR_REPLACE
from tagfs.fs.tree.lookup import Entry
from tagfs.fs.xattr.user_metadata import UserMetadataXattrs, metadata_size

log = logging.getLogger(__name__)


class OtherUserXattrs:
    """Reads and changes them, in one entry of the user metadata.

    With attributes=listing nothing of an object's metadata is read or kept: there are none.
    """

    def __init__(self, env: FsContext, metadata: UserMetadataXattrs) -> None:
        self._env = env
        self._metadata = metadata
        self._logged_malformed = False

    def visible(self, entry: Entry) -> list[str]:
        """Return the names that are listed; without a request where that is not due."""
        if not self._env.choices.stored:
            return []
        names = self._parsed(entry.path, self._metadata.shown(entry))
        return [name for name in names if is_listed(name)]

    def get(self, path: str, name: str) -> bytes:
        """Return the value of one.

        Raises:
            NoSuchTag: there is none, or none that can be read.
        """
        if not self._env.choices.stored:
            raise NoSuchTag(f"{path}: attributes=listing keeps no {name}")
        xattrs = self._parsed(path, dict(self._metadata.metadata(path)))
        if name not in xattrs:
            raise NoSuchTag(f"{path}: no {name}")
        return xattrs[name]

    def set(self, path: str, name: str, value: bytes, flags: int) -> None:
        """Set one by one metadata edit, or with the next upload if one is due.

        Raises:
            Unsupported: the mount or the bucket keeps none, or what there is cannot be read.
            InvalidName: it is not UTF-8.
            XattrSpaceFull, TagExists, NoSuchTag
        """
        self._check_kept(path)
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InvalidName(f"{path}: {name!a} is not UTF-8") from None

        def change(metadata: dict[str, str]) -> dict[str, str]:
            xattrs = _readable(path, metadata)
            if flags & XATTR_CREATE and name in xattrs:
                raise TagExists(f"{path}: {name}")
            if flags & XATTR_REPLACE and name not in xattrs:
                raise NoSuchTag(f"{path}: no {name}")
            changed = with_xattrs(metadata, {**xattrs, name: value})
            size, limit = metadata_size(changed), self._env.bucket.limits.max_metadata
            if size > limit:
                raise XattrSpaceFull(f"{path}: {name} would make it {size} bytes of {limit}")
            return changed

        self._metadata.edit(path, change)

    def remove(self, path: str, name: str) -> None:
        """Remove one.

        Raises:
            NoSuchTag: there is none.
            Unsupported: the mount keeps none, or what there is cannot be read.
        """
        self._check_kept(path)

        def change(metadata: dict[str, str]) -> dict[str, str]:
            xattrs = _readable(path, metadata)
            if name not in xattrs:
                raise NoSuchTag(f"{path}: no {name}")
            return with_xattrs(metadata, {k: v for k, v in xattrs.items() if k != name})

        self._metadata.edit(path, change)

    def _check_kept(self, path: str) -> None:
        if not self._env.choices.stored:
            raise Unsupported(f"{path}: attributes=listing keeps no extended attributes but tags")

    def _parsed(self, path: str, metadata: dict[str, str]) -> dict[str, bytes]:
        """Return what can be read; what cannot is logged once."""
        try:
            return parse_xattrs(metadata)
        except MalformedResponse as error:
            if not self._logged_malformed:
                self._logged_malformed = True
                log.warning("%s: its extended attributes cannot be read: %s", path, error)
            return {}


def _readable(path: str, metadata: dict[str, str]) -> dict[str, bytes]:
    """Return what there is; an entry of another form is not to be replaced by ours."""
    try:
        return parse_xattrs(metadata)
    except MalformedResponse as error:
        raise Unsupported(f"{path}: {error}") from error


def is_listed(name: str) -> bool:
    """Leave out what the kernel would not take, and other namespaces (s3fs keeps ACLs here)."""
    return name.startswith("user.") and "\0" not in name and len(name.encode()) <= MAX_NAME
