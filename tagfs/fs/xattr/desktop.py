"""`user.xdg.tags`, with the option `desktop_tags`: what a file manager calls tags are tags."""

from tagfs.errors import NoSuchTag, TagExists
from tagfs.fs.mapping.desktop_labels import DesktopLabels
from tagfs.fs.mapping.xattr_names import XATTR_CREATE, XATTR_REPLACE
from tagfs.fs.xattr.tags import TagXattrs
from tagfs.store.tags import TagSet


class DesktopTagXattrs:
    """Reads and changes the labels of a path by one edit of its tags."""

    def __init__(self, tags: TagXattrs, labels: DesktopLabels) -> None:
        self._tags = tags
        self._labels = labels

    def get(self, path: str) -> bytes:
        """Return the labels, parted by commas.

        Raises:
            NoSuchTag: there are none.
        """
        text = self._labels.read(self._tags.read(path))
        if text is None:
            raise NoSuchTag(f"{path}: no labels")
        return text.encode("utf-8")

    def set(self, path: str, text: str, flags: int) -> None:
        """Replace the labels; other tags stay.

        Raises:
            InvalidTag and what is below it, TagExists, NoSuchTag
        """

        def change(tags: TagSet) -> TagSet:
            there = self._labels.read(tags) is not None
            if flags & XATTR_CREATE and there:
                raise TagExists(f"{path}: has labels")
            if flags & XATTR_REPLACE and not there:
                raise NoSuchTag(f"{path}: no labels")
            return self._labels.change(tags, text)

        self._tags.change(path, change)

    def remove(self, path: str) -> None:
        """Remove all labels.

        Raises:
            NoSuchTag: there are none.
        """
        self.set(path, "", XATTR_REPLACE)
