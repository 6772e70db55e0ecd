"""Open files without a name, which libfuse hides: it calls them `.fuse_hidden` and sixteen digits.

Before an open file is unlinked, and before another is renamed over it, libfuse looks for such a
name that is free in the same directory, renames the file to it, and unlinks that with the last
handle. Nothing of that name is to be on the service. So here the rename becomes what it stands for,
the end of an open file's name, and the unlink the end of its alias.

A program may give a file such a name as well. libfuse looks and renames within one request of the
kernel; a program's look and its rename are two.
"""

import re
import threading
from collections.abc import Callable

from tagfs.errors import NotFound, ObjectChanged
from tagfs.fs.filesystem import FileSystem
from tagfs.fs.mapping.paths import is_below, split
from tagfs.fs.mapping.stat_fields import Stat
from tagfs.fs.openfiles.kernel_pages import Pages
from tagfs.fuse.binding import RequestMark

_NAME = re.compile(r"\.fuse_hidden[0-9a-f]{16}")


def has_hidden_name(path: str) -> bool:
    """Say whether libfuse may have made up the name of a path."""
    return _NAME.fullmatch(split(path)[1]) is not None


class HiddenFiles:
    """The calls of a file system in which libfuse may mean a file that it hides. Thread-safe."""

    def __init__(
        self,
        filesystem: FileSystem,
        mark: RequestMark,
        caller_renames: Callable[[], bool | None],
    ) -> None:
        """`caller_renames` says whether the calling process renames, or unlinks; None: unknown."""
        self._fs = filesystem
        self._mark = mark
        self._caller_renames = caller_renames
        self._lock = threading.Lock()
        self._aliases: set[str] = set()
        self._odd: set[str] = set()  # names of that kind which programs gave, hidden themselves

    def getattr(self, path: str | None, fh: int | None) -> Stat:
        """Return the stat of a path, or of an open handle."""
        try:
            return self._fs.getattr(path, fh)
        except NotFound:
            if path is not None and has_hidden_name(path):
                self._mark.set()  # perhaps it is libfuse that looks, and takes it next
            raise

    def open(self, path: str, flags: int, *, looks: bool = False) -> tuple[int, Pages]:
        """Open a file, which nobody is going to read if `looks`.

        Raises:
            ObjectChanged: it was hidden since the kernel looked it up, because another one takes
                its place; with that errno the kernel looks again.
        """
        try:
            return self._fs.open(path, flags, looks=looks)
        except NotFound as error:
            if has_hidden_name(path):
                raise ObjectChanged(f"{path}: {error}") from error
            raise

    def unlink(self, path: str) -> None:
        """Remove a file's name, or the alias of one that has none any more."""
        with self._lock:
            is_alias = path in self._aliases
            self._aliases.discard(path)
        if is_alias:
            self._fs.forget_unlinked(path)
        else:
            self._fs.unlink(path)

    def rename(self, old: str, new: str, *, exclusive: bool = False) -> None:
        """Rename something, or take the name of an open file away, if it is that."""
        is_marked = self._mark.take()
        if is_marked and has_hidden_name(new) and new not in self._odd:
            self._fs.unlink_open(old, new, is_replaced=self._caller_renames())
            with self._lock:
                self._aliases.add(new)
                if has_hidden_name(old):
                    self._odd.add(old)
            self._mark.set()  # if it makes way for another, the rename comes in the same request
            return
        self._odd.discard(new)
        self._fs.rename(old, new, exclusive=exclusive, follows=is_marked)
        if self._aliases:
            self._on_rename(old, new)

    def _on_rename(self, old: str, new: str) -> None:
        """Follow files without a name into the new place of their directory."""
        with self._lock:
            moved = {alias for alias in self._aliases if is_below(alias, old)}
            self._aliases -= moved
            self._aliases |= {new + alias[len(old) :] for alias in moved}
