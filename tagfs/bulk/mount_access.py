"""`TagAccess` by the extended attributes of a mount: for who has no credentials of their own.

The mount's own rights and caches apply. A change touches only the tags that it is about, because
what is read may be as old as the mount's `tag_ttl`.
"""

import errno
import json
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tagfs.bulk.tag_access import Address, Change, Entry
from tagfs.errors import AccessDenied, AlreadyExists, NotFound, NotPermitted, Refused, TagfsError
from tagfs.fs.mapping.paths import Root
from tagfs.fs.mapping.xattr_names import tag_name
from tagfs.host.mount_table import STATUS, Mount
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.tags import NO_TAGS, TagRules, TagSet, parse_tagging, render_tagging

UNDELETE: Final = "user.tagfs.undelete"


class MountAccess:
    """`TagAccess` by a mount."""

    def __init__(self, mount: Mount, root: Root, dialect: Dialect) -> None:
        self._mount = mount
        self._root = root
        self.object_tag_rules: TagRules = dialect.object_tag_rules
        self.bucket_tag_rules: TagRules = dialect.bucket_tag_rules

    def entries(self, prefix: str, *, deep: bool) -> Iterator[Entry]:
        """Walk the tree; see `Access.entries`."""
        directory, _, start = prefix.rpartition("/")
        base = directory + "/" if directory else ""
        if deep and base and not start and self._has_marker(base):
            yield Entry(base)
        path = self._path(base)
        try:
            found = sorted(os.scandir(path), key=lambda e: os.fsencode(e.name + "/" * e.is_dir()))
        except OSError as error:
            raise _translate(error, path) from None
        for item in found:
            key = base + item.name
            if not item.name.startswith(start):
                continue
            if not item.is_dir(follow_symlinks=False):
                yield Entry(key, item.is_symlink())
            elif deep:
                yield from self.entries(key + "/", deep=True)
            else:
                yield Entry(key + "/", is_prefix=True)

    def get(self, address: Address) -> tuple[str, TagSet]:
        """Read tags; see `Access.get`."""
        path, key = self._locate(address)
        return key, _read(path)

    def update(self, address: Address, change: Change) -> TagSet:
        """Change tags, one by one; see `Access.update`."""
        path, key = self._locate(address)
        present = _read(path)
        wanted = change(key, present)
        link = path.is_symlink()
        names = {k: tag_name(k, on_link=link) for k in {*present, *wanted}}
        if None in names.values():
            _write(path, wanted)
            return wanted
        try:
            for tag, name in names.items():
                if name is not None and tag not in wanted:
                    os.removexattr(path, name, follow_symlinks=False)
                elif name is not None and present.get(tag) != wanted[tag]:
                    os.setxattr(path, name, wanted[tag].encode(), follow_symlinks=False)
        except OSError as error:
            raise _translate(error, path) from None
        return wanted

    def put(self, address: Address, tags: TagSet) -> str:
        """Replace tags; see `Access.put`."""
        path, key = self._locate(address)
        _write(path, tags)
        return key

    def restore(self, address: Address, days: int) -> None:
        """Restore an object; see `Access.restore`."""
        path, _ = self._locate(address)
        try:
            os.setxattr(path, "user.object.restore", str(days).encode())
        except OSError as error:
            raise _translate(error, path) from None

    def undelete(self, address: Address) -> None:
        """Bring an object back; see `Access.undelete`."""
        below = self._path(address.key).relative_to(self._mount.path)
        path = Path(self._mount.path)
        try:
            views = json.loads(os.getxattr(path, STATUS)).get("views") or ".tagfs"
            if views == "off":
                raise NotPermitted(f"{path} has no views: it takes credentials in this shell")
            path = path / views / "versions" / below
            os.setxattr(path, UNDELETE, b"1")
        except OSError as error:
            raise _translate(error, path) from None

    def close(self) -> None:
        """Hold nothing; see `Access.close`."""

    def _path(self, key: str) -> Path:
        below = self._root.to_path(key)
        if below is None:
            raise NotFound(f"{key!r} cannot be seen through {self._mount.path}")
        return Path(posixpath.join(self._mount.path, below[1:]))

    def _locate(self, address: Address) -> tuple[Path, str]:
        path, key = self._path(address.key), address.key
        if address.either and key and not key.endswith("/"):
            is_dir = path.is_dir() and not path.is_symlink()
            key += "/" * is_dir
        return path, key

    def _has_marker(self, key: str) -> bool:
        try:
            os.getxattr(self._path(key), "user.object.etag")
        except OSError:
            return False
        return True


def _name(path: Path) -> str:
    return "tagging" if path.is_symlink() else "user.tagging"


def _read(path: Path) -> TagSet:
    try:
        return parse_tagging(os.getxattr(path, _name(path), follow_symlinks=False).decode("ascii"))
    except OSError as error:
        if error.errno == errno.ENODATA:
            return NO_TAGS
        raise _translate(error, path) from None


def _write(path: Path, tags: TagSet) -> None:
    try:
        value = render_tagging(tags).encode("ascii")
        os.setxattr(path, _name(path), value, follow_symlinks=False)
    except OSError as error:
        raise _translate(error, path) from None


def _translate(error: OSError, path: Path) -> TagfsError:
    kinds = {errno.ENOENT: NotFound, errno.EACCES: AccessDenied, errno.EPERM: NotPermitted}
    kinds |= {errno.EEXIST: AlreadyExists}
    return kinds.get(error.errno or 0, Refused)(f"{path}: {error.strerror}")
