"""A file system with a directory of views in its root.

Its name is not listed unless the user chose one. Where the bucket has something of that name, that
is shown, and there are no views.
"""

import itertools
import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from tagfs.errors import AlreadyExists, NoSuchTag, ReadOnly, Unsupported
from tagfs.fs.content.reader import Reader
from tagfs.fs.context import FsContext
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import join, split
from tagfs.fs.mapping.stat_fields import Stat, to_stat
from tagfs.fs.openfiles.kernel_pages import Pages
from tagfs.fs.views.link_walks import LinkWalks
from tagfs.fs.views.view_directory import ViewDirectory

log = logging.getLogger(__name__)

HANDLES: Final = 1 << 40
"""Where the numbers of handles of views begin: no other is so high."""

UNDELETE: Final = "user.tagfs.undelete"
"""Set on a directory of versions, it lets the object be there again."""


class ViewFileSystem(FileSystem):
    """A `FileSystem` whose root has views as well.

    Args:
        listed: show the directory of views among the names of the root.
    """

    def __init__(
        self,
        env: FsContext,
        status: Callable[[], dict[str, Any]],
        views: ViewDirectory,
        *,
        listed: bool,
    ) -> None:
        super().__init__(env, status)
        self._bucket, self._root = env.bucket, env.root
        self._views = views
        self._walks = LinkWalks(env, self._prefetcher, views)
        self._listed = listed
        self._is_free: bool | None = None
        self._handles = itertools.count(HANDLES)
        self._opened: dict[int, str] = {}
        self._readers: dict[int, Reader] = {}
        self._roots: set[int] = set()

    # Looking

    def getattr(self, path: str | None, fh: int | None = None) -> Stat:
        """Return the stat of a path, or of an open handle."""
        if fh is not None and fh >= HANDLES:
            path = self._opened[fh]
        if path is None or not self._owns(path):
            self._walks.on_getattr(path)
            return super().getattr(path, fh)
        shown = self._views.describe(path)
        return to_stat(shown.attributes, shown.size, links=1, ino=self.files.number(path))

    def access(self, path: str, amode: int) -> None:
        """Say whether a program may do something."""
        if self._owns(path):
            self._views.describe(path)
        else:
            super().access(path, amode)

    def opendir(self, path: str) -> int:
        """Open a directory; return its handle."""
        if not self._owns(path):
            fh = super().opendir(path)
            if path == "/":
                self._roots.add(fh)
            return fh
        fh = next(self._handles)
        self._opened[fh] = path
        return fh

    def releasedir(self, fh: int) -> None:
        """Forget the handle of a directory."""
        if fh < HANDLES:
            super().releasedir(fh)
        self._roots.discard(fh)
        self._opened.pop(fh, None)

    def fsyncdir(self, fh: int) -> None:
        """Wait until the service has what is in a directory; views are nowhere else."""
        if fh < HANDLES:
            super().fsyncdir(fh)

    def readdir(self, fh: int) -> Iterator[tuple[str, int, int]]:
        """Yield name, type bits and inode number of all that is in a directory."""
        if fh < HANDLES:
            return self._with_views(fh, super().readdir(fh))
        return self._read_view(self._opened[fh])

    def getattr_known(self, fh: int, names: Sequence[str]) -> list[Stat | None]:
        """Return the stat of entries of an open directory, as far as that needs no request."""
        return [None for _ in names] if fh >= HANDLES else super().getattr_known(fh, names)

    def readlink(self, path: str) -> str:
        """Return the text of a symlink."""
        if not self._owns(path):
            return super().readlink(path)
        self._walks.on_link(path)
        return self._views.read_link(path)

    def getxattr(self, path: str, name: str) -> bytes:
        """Return the value of an extended attribute."""
        if not self._owns(path):
            return super().getxattr(path, name)
        value = self._views.getxattr(path, name)
        if value is None:
            raise NoSuchTag(f"{path}: {name}")
        return value

    def listxattr(self, path: str, size: int = 0) -> list[str]:
        """Return the names of a file's extended attributes."""
        return self._views.listxattr(path) if self._owns(path) else super().listxattr(path, size)

    # Reading what objects were

    def open(self, path: str, flags: int, *, looks: bool = False) -> tuple[int, Pages]:
        """Open a file."""
        if not self._owns(path):
            self._walks.on_open(path)
            return super().open(path, flags, looks=looks)
        if flags & (os.O_ACCMODE | os.O_TRUNC) != os.O_RDONLY:
            self._check(path)
        reader = self._views.open(path)
        fh = next(self._handles)
        self._opened[fh], self._readers[fh] = path, reader
        return fh, Pages.DROPPED

    def read(self, fh: int, offset: int, length: int) -> bytes | memoryview:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        if fh < HANDLES:
            return super().read(fh, offset, length)
        return self._readers[fh].read(offset, length)

    def copy_file_range(self, fh: int, start: int, target: int, offset: int, length: int) -> int:
        """Let bytes of one file be those of another; return how many."""
        if fh >= HANDLES:
            raise Unsupported("of a version the bytes are copied")
        return super().copy_file_range(fh, start, target, offset, length)

    def flush(self, fh: int) -> None:
        """Upload what a handle's file has changed."""
        if fh < HANDLES:
            super().flush(fh)

    def fsync(self, fh: int) -> None:
        """Upload what a handle's file has changed."""
        if fh < HANDLES:
            super().fsync(fh)

    def release(self, fh: int) -> None:
        """Forget a handle; its last descriptor is closed."""
        if fh < HANDLES:
            super().release(fh)
            return
        self._opened.pop(fh, None)
        self._readers.pop(fh).close()

    # Changes: none but the queries that are kept

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory; among the views, keep a query."""
        if not self._owns(path):
            super().mkdir(path, mode)
        elif path == f"/{self._views.name}":
            raise AlreadyExists(path)
        else:
            self._views.mkdir(path)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory; among the views, keep a query no longer."""
        if self._owns(path):
            self._views.rmdir(path)
        else:
            super().rmdir(path)

    def create(self, path: str, mode: int, flags: int) -> int:
        """Make a new file and open it."""
        self._check(path)
        return super().create(path, mode, flags)

    def truncate(self, path: str | None, size: int, fh: int | None = None) -> None:
        """Cut or extend a file."""
        self._check(path)
        super().truncate(path, size, fh)

    def mknod(self, path: str, mode: int, rdev: int) -> None:
        """Make a file or a special file."""
        self._check(path)
        super().mknod(path, mode, rdev)

    def unlink(self, path: str) -> None:
        """Remove a file's name."""
        self._check(path)
        super().unlink(path)

    def rename(
        self, old: str, new: str, *, exclusive: bool = False, follows: bool | None = None
    ) -> None:
        """Move a file or a directory."""
        self._check(old)
        self._check(new)
        super().rename(old, new, exclusive=exclusive, follows=follows)

    def symlink(self, path: str, text: str) -> None:
        """Make a symlink at `path` that says `text`."""
        self._check(path)
        super().symlink(path, text)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits."""
        self._check(path)
        super().chmod(path, mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group."""
        self._check(path)
        super().chown(path, uid, gid)

    def utimens(self, path: str, atime_ns: int | None, mtime_ns: int | None) -> None:
        """Set times."""
        self._check(path)
        super().utimens(path, atime_ns, mtime_ns)

    def setxattr(self, path: str, name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute."""
        if name == UNDELETE and self._owns(path):
            self._env.check_writable()
            self._bucket.forget(self._views.undelete(path))
            return
        self._check(path)
        super().setxattr(path, name, value, flags)

    def removexattr(self, path: str, name: str) -> None:
        """Remove an extended attribute."""
        self._check(path)
        super().removexattr(path, name)

    # Inside

    def _check(self, path: str | None) -> None:
        if path is not None and self._owns(path):
            raise ReadOnly(f"{path}: views are made of what the service has")

    def _owns(self, path: str) -> bool:
        return self._views.owns(path) and self._name_is_free()

    def _name_is_free(self) -> bool:
        """Say whether nothing in the bucket has the name of the views; asked once."""
        if self._is_free is None:
            found = self._bucket.lookup(self._root.to_key(f"/{self._views.name}"))
            self._found(free=found.info is None and not found.is_prefix)
        return bool(self._is_free)

    def _found(self, *, free: bool) -> None:
        if not free and self._is_free is None:
            log.warning(
                "%r is a name in the bucket: no views; -o views=NAME gives them another",
                self._views.name,
            )
        self._is_free = free

    def _with_views(
        self, fh: int, entries: Iterator[tuple[str, int, int]]
    ) -> Iterator[tuple[str, int, int]]:
        if not self._listed or fh not in self._roots:
            yield from entries
            return
        taken = False
        for entry in entries:
            taken = taken or entry[0] == self._views.name
            yield entry
        if taken:
            self._found(free=False)
        elif self._name_is_free():
            path = f"/{self._views.name}"
            yield self._views.name, stat.S_IFDIR, self.files.number(path)

    def _read_view(self, path: str) -> Iterator[tuple[str, int, int]]:
        number = self.files.number
        yield ".", stat.S_IFDIR, number(path)
        yield "..", stat.S_IFDIR, number(split(path)[0])
        for name, kind in self._walks.listing(path, self._views.names(path)):
            yield name, kind, number(join(path, name))
