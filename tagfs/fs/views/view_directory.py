"""The directory of all views: those by tag, where there is an index, and what objects were."""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tagfs.errors import IsADirectory, NotALink, NotFound, ReadOnly
from tagfs.fs.content.reader import Reader
from tagfs.fs.mapping.posix_metadata import Attributes
from tagfs.fs.views.shown import Shown
from tagfs.fs.views.versions import NAME, Parts, VersionView
from tagfs.fs.views.views import Views

AGE: Final = "user.tagfs.age"


class ViewDirectory:
    """Answers for all paths of the directory of views. Thread-safe.

    Args:
        name: of the directory, in the root of the mount.
        directory: the attributes of a directory here.
        tags: the views by tag; None without an index.
        versions: the view of versions; None where it is not shown.
    """

    def __init__(
        self,
        name: str,
        directory: Attributes,
        tags: Views | None = None,
        versions: VersionView | None = None,
    ) -> None:
        self.name: Final = name
        self._directory = replace(directory, mode=stat.S_IFDIR | 0o555)
        self._tags = tags
        self._versions = versions

    def owns(self, path: str) -> bool:
        """Say whether a path is the directory of views, or in it."""
        return path.startswith(f"/{self.name}") and path[len(self.name) + 1 :][:1] in ("", "/")

    def describe(self, path: str) -> Shown:
        """Return the attributes of something here.

        Raises:
            NotFound
        """
        if path == f"/{self.name}":
            return Shown(self._directory, 0)
        parts = self._in_versions(path)
        if parts is not None and self._versions is not None:
            return self._versions.describe(parts)
        return self._by_tag(path).describe(path)

    def names(self, path: str) -> Iterator[tuple[str, int]]:
        """Yield name and type of all that is in a directory here.

        Raises:
            NotFound, NotADirectory
        """
        parts = self._in_versions(path)
        if parts is not None and self._versions is not None:
            yield from self._versions.names(parts)
            return
        is_root = path == f"/{self.name}"
        if self._tags is not None or not is_root:
            yield from self._by_tag(path).names(path)
        if is_root and self._versions is not None:
            yield NAME, stat.S_IFDIR

    def read_link(self, path: str) -> str:
        """Return the text of a link here.

        Raises:
            NotFound, NotALink
        """
        if path == f"/{self.name}":
            raise NotALink(path)
        parts = self._in_versions(path)
        if parts is not None and self._versions is not None:
            return self._versions.read_link(parts)
        return self._by_tag(path).read_link(path)

    def links(self, path: str) -> Mapping[str, str]:
        """Return the paths to which the links of a directory by tag lead, by their names."""
        is_by_tag = self._tags is not None and self._in_versions(path) is None
        return self._by_tag(path).links(path) if is_by_tag and path != f"/{self.name}" else {}

    def is_small(self, path: str) -> bool:
        """Say whether a directory of the mount seems to be one page of a listing."""
        return self._tags is not None and self._tags.is_small(path)

    def open(self, path: str) -> Reader:
        """Return what reads a version; nothing else here is a file.

        Raises:
            NotFound, IsADirectory
        """
        parts = self._in_versions(path)
        if parts is None or self._versions is None:
            self.describe(path)
            raise IsADirectory(path)
        return self._versions.open(parts)

    def getxattr(self, path: str, name: str) -> bytes | None:
        """Return the value of an extended attribute; None if there is none."""
        parts = self._in_versions(path)
        if parts is not None and self._versions is not None:
            return self._versions.getxattr(parts, name)
        self.describe(path)
        age = self._tags.age() if name == AGE and self._tags is not None else None
        return None if age is None else f"{age:.0f}".encode()

    def listxattr(self, path: str) -> list[str]:
        """Return the names of the extended attributes."""
        parts = self._in_versions(path)
        if parts is not None and self._versions is not None:
            return self._versions.listxattr(parts)
        return []

    def undelete(self, path: str) -> str:
        """Let the object of a directory of versions be there again; return its key.

        Raises:
            NotFound, AlreadyExists
            ReadOnly: it is no such directory.
        """
        parts = self._in_versions(path)
        if not parts or self._versions is None:
            raise ReadOnly(f"{path}: no directory of versions")
        return self._versions.undelete(parts)

    def mkdir(self, path: str) -> None:
        """Keep a query, so that it is listed.

        Raises:
            ReadOnly, NotFound, AlreadyExists
        """
        self._changed(path).mkdir(path)

    def rmdir(self, path: str) -> None:
        """Keep a query no longer.

        Raises:
            ReadOnly, NotFound
        """
        self._changed(path).rmdir(path)

    def _in_versions(self, path: str) -> Parts | None:
        """Return the components below the view of versions; None for what is not in it."""
        if self._versions is None:
            return None
        parts = tuple(path.split("/")[2:])
        return parts[1:] if parts[:1] == (NAME,) else None

    def _by_tag(self, path: str) -> Views:
        if self._tags is None:
            raise NotFound(path)
        return self._tags

    def _changed(self, path: str) -> Views:
        if self._tags is None or self._in_versions(path) is not None:
            raise ReadOnly(f"{path}: views are made of what the service has")
        return self._tags
