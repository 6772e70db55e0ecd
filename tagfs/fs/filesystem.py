"""The file system: one method for each thing a kernel asks for, spelled as it asks.

It knows nothing of FUSE: `operations` translates. Each method either does what it says or raises
an error of `tagfs.errors`.
"""

import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tagfs.errors import (
    BadHandle,
    NotExecutable,
    NotPermitted,
    Unreachable,
)
from tagfs.fs.build import build
from tagfs.fs.change_gate import ChangeGate
from tagfs.fs.context import FsContext
from tagfs.fs.directory_calls import DirectoryCalls
from tagfs.fs.file_calls import FileCalls
from tagfs.fs.guard import Guard
from tagfs.fs.mapping.stat_fields import Stat, statfs_fields, to_stat
from tagfs.fs.openfiles.kernel_pages import Pages
from tagfs.fs.openfiles.open_file import OpenFile
from tagfs.fs.tree.stats import stat_of

log = logging.getLogger(__name__)

ACL_BUFFER = 152
"""Bytes of the buffer with which gnulib, and nobody else, looks for an ACL."""


class FileSystem:
    """A bucket as a file tree."""

    def __init__(self, env: FsContext, status: Callable[[], dict[str, Any]]) -> None:
        self._env = env
        parts = build(env, lambda: {**status(), **self.state()})
        self.files = parts.files
        self.tree = parts.tree
        self.replaced = parts.replaced
        self._guard = Guard(env)
        self._gate = ChangeGate(env)
        self._calls = FileCalls(env, parts, self._guard, self._gate)
        self._creator = parts.creator
        self._remover = parts.remover
        self._renamer = parts.renamer
        self._xattrs = parts.xattrs
        self._edits = parts.attributes
        self._prefetcher = parts.prefetcher
        self._kernel_sizes = parts.kernel_sizes
        self._kernel_pages = parts.kernel_pages
        self._due = parts.due
        self._directories = DirectoryCalls(parts)

    # Looking

    def getattr(self, path: str | None, fh: int | None = None) -> Stat:
        """Return the stat of a path, or of an open handle."""
        self._edits.on_getattr()
        if fh is not None:
            node = self.files.handle(fh).node
            if path is None or node.unlinked or node.staged is not None:
                return self._node_stat(node)
        if path is None:
            raise BadHandle("neither a path nor a handle")
        made = self.files.dirty(path)
        if made is not None and made.is_new and not made.is_dir:  # the service knows nothing of it
            self._kernel_sizes.record(path, made.size)
            return self._node_stat(made)
        is_unlisted = self._prefetcher.on_getattr(path)
        entry = self.tree.lookup(path)
        if is_unlisted and path != "/" and entry.node is None:
            self._prefetcher.on_unlisted_lookup(path)
        self._kernel_sizes.record(path, entry.size)
        return stat_of(entry, self.files)

    def access(self, path: str, amode: int) -> None:
        """Say whether a program may do something, which with `default_permissions` the kernel does.

        Without that, whoever may use the mount may do everything, but the kernel runs no file
        that nobody may run.

        Raises:
            NotExecutable
        """
        if amode & os.X_OK:
            mode = self.tree.lookup(path).attributes.mode
            if stat.S_ISREG(mode) and not mode & 0o111:
                raise NotExecutable(path)

    def opendir(self, path: str) -> int:
        """Open a directory; return its handle."""
        return self._directories.opendir(path)

    def releasedir(self, fh: int) -> None:
        """Forget the handle of a directory."""
        self._directories.releasedir(fh)

    def readdir(self, fh: int) -> Iterator[tuple[str, int, int]]:
        """Yield name, type bits (0 if unknown) and inode number of all that is in a directory."""
        return self._directories.readdir(fh)

    def getattr_known(self, fh: int, names: Sequence[str]) -> list[Stat | None]:
        """Return the stat of entries of an open directory, as far as that needs no request."""
        return self._directories.getattr_known(fh, names)

    def readlink(self, path: str) -> str:
        """Return the text of a symlink."""
        return self.tree.read_link(path)

    def now_ns(self) -> int:
        """Return the time, in nanoseconds since the epoch."""
        return self._env.clock_ns()

    def statfs(self) -> dict[str, int]:
        """Return numbers that let every program believe that there is room."""
        return statfs_fields()

    # Files

    def open(self, path: str, flags: int, *, looks: bool = False) -> tuple[int, Pages]:
        """Open a file; return its handle and whether the kernel must not trust its own size."""
        return self._calls.open(path, flags, looks=looks)

    def create(self, path: str, mode: int, flags: int) -> int:
        """Make a new file and open it; its object is created when it is closed."""
        return self._calls.create(path, mode, flags)

    def read(self, fh: int, offset: int, length: int) -> bytes | memoryview:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        return self._calls.read(fh, offset, length)

    def write(self, fh: int, offset: int, data: bytes | memoryview, *, mapped: bool = False) -> int:
        """Put bytes at `offset`; return how many. `mapped`: they come from a shared mapping."""
        return self._calls.write(fh, offset, data, mapped=mapped)

    def copy_file_range(self, fh: int, start: int, target: int, offset: int, length: int) -> int:
        """Let bytes of one file be those of another; return how many."""
        return self._calls.copy_range(fh, start, target, offset, length)

    def truncate(self, path: str | None, size: int, fh: int | None = None) -> None:
        """Cut or extend a file; without an open writer it is uploaded before this returns."""
        self._calls.truncate(path, size, fh)

    def flush(self, fh: int) -> None:
        """Upload what a handle's file has changed: a descriptor of it is being closed."""
        self._calls.flush(fh)

    def fsyncdir(self, fh: int) -> None:
        """Wait until the service has what is in a directory: all but what is held is there."""
        self._directories.fsyncdir(fh)

    def fsync(self, fh: int) -> None:
        """Upload what a handle's file has changed."""
        self._calls.fsync(fh)

    def release(self, fh: int) -> None:
        """Forget a handle; its last descriptor is closed."""
        self._calls.release(fh)

    # The tree

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory."""
        self._gate.enter()
        self._creator.mkdir(path, mode)

    def mknod(self, path: str, mode: int, rdev: int) -> None:
        """Make a file or a special file."""
        self._gate.enter()
        self._creator.mknod(path, mode, rdev)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        self._gate.enter(path)
        self._guard.check_deletion(path)
        self._remover.rmdir(path)

    def unlink(self, path: str) -> None:
        """Remove a file's name."""
        self._gate.enter(path)
        self._guard.check_deletion(path)
        self._remover.unlink(path)

    def unlink_open(self, path: str, alias: str, *, is_replaced: bool | None) -> None:
        """Take the name of an open file away: what is asked of it by a path comes by `alias` now.

        `is_replaced`: another file is about to be renamed over it; None: that, or nothing. Nothing
        of that name is on the service, and nothing else may be.
        """
        self._gate.enter(path)
        self._guard.check_unlink_open(path, is_replaced=is_replaced)
        self._remover.unlink_open(path, alias, is_replaced=is_replaced)

    def forget_unlinked(self, alias: str) -> None:
        """Forget the alias of an open file: its last handle is closed."""
        self.replaced.forget(alias)

    def rename(
        self, old: str, new: str, *, exclusive: bool = False, follows: bool | None = None
    ) -> None:
        """Move a file or a directory; if `exclusive`, only to where nothing is.

        `follows`: an open file has just made way for it; None if that is not known.
        """
        self._gate.enter(old, new)
        with self._guard.renaming(new, exclusive=exclusive) as alone:
            try:
                self._renamer.rename(old, new, exclusive=alone, follows=follows)
            finally:
                self._kernel_pages.renamed(new)

    def symlink(self, path: str, text: str) -> None:
        """Make a symlink at `path` that says `text`."""
        self._gate.enter()
        self._creator.symlink(path, text)

    def link(self, path: str, existing: str) -> None:
        """Refuse, as POSIX has it for a file system without hard links."""
        raise NotPermitted(f"{path}: an object has one key, so no hard link to {existing}")

    # Attributes

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits."""
        self._gate.enter(path)
        self._edits.chmod(path, mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group; -1 leaves one as it is."""
        self._gate.enter(path)
        self._edits.chown(path, uid, gid)

    def utimens(self, path: str, atime_ns: int | None, mtime_ns: int | None) -> None:
        """Set times, nanoseconds since the epoch; None leaves one as it is."""
        self._gate.enter(path)
        self._edits.utimens(path, atime_ns, mtime_ns)

    # Extended attributes

    def getxattr(self, path: str, name: str) -> bytes:
        """Return the value of an extended attribute."""
        self._prefetcher.on_getxattr(path, name)
        return self._xattrs.getxattr(path, name)

    def listxattr(self, path: str, size: int = 0) -> list[str]:
        """Return the names of a file's extended attributes; `size` bytes are there for them.

        A lookup of an ACL alone is answered at once with none: `ls -l` does so for every
        file, and a file's tags cost a request.
        """
        lists = self._env.caller_lists()
        if lists or (lists is None and size == ACL_BUFFER):
            return []
        self._prefetcher.on_listxattr(path)
        return self._xattrs.listxattr(path)

    def setxattr(self, path: str, name: str, value: bytes, flags: int) -> None:
        """Set an extended attribute."""
        if self._xattrs.changes(name):
            self._gate.enter(path)
        self._xattrs.setxattr(path, name, value, flags)

    def removexattr(self, path: str, name: str) -> None:
        """Remove an extended attribute."""
        self._gate.enter(path)
        self._xattrs.removexattr(path, name)

    def state(self) -> dict[str, Any]:
        """Return what the status tells of open files; sizes in bytes."""
        return {
            **self.files.state(),
            **self._due.uploads.state(),
            "staging": self._env.staging.shown,
            "hidden_keys": self.tree.odd_keys.hidden,
        }

    # The end

    def close(self, give_up: Callable[[], None] = lambda: None) -> None:
        """Upload what is still due, or keep it and say where; then give everything back.

        `give_up` lets all later requests fail at once; it is called when the service is dead.
        """
        for error in self._due.changes.drain():
            if isinstance(error, Unreachable):
                give_up()
        self.files.close(give_up)
        self._prefetcher.close()
        self._due.changes.close()

    # Inside

    def _node_stat(self, node: OpenFile) -> Stat:
        links = 0 if node.unlinked else 1
        return to_stat(node.attributes, node.size, links=links, ino=node.ino)
