"""Directories outlive the last of their entries: what is emptied here stays until rmdir.

A directory without a marker is there only as long as a key below it is. Before its last entry
goes, it needs a marker.
"""

from collections.abc import Callable, Sequence

from tagfs.errors import AlreadyExists
from tagfs.fs.context import RECENT, Environment
from tagfs.fs.files import OpenFiles
from tagfs.fs.mapping.paths import split
from tagfs.fs.survivors import Survivors
from tagfs.store.bucket import KNOWN_KEYS


class Parents:
    """Sees to the directories of entries that are removed."""

    def __init__(
        self, env: Environment, files: OpenFiles, make_marker: Callable[[str], object]
    ) -> None:
        """`make_marker` writes the marker of a path, or raises AlreadyExists."""
        self._env = env
        self._files = files
        self._make_marker = make_marker
        self._survivors = Survivors(self.keys_in)

    def keep(self, path: str) -> None:
        """Make sure that the directory of a path stays when the path is removed.

        Only a directory without a marker needs one now, and only if nothing else is in it. One
        look at a directory serves until all entries that were seen then are themselves removed.
        """
        if self._env.bucket.capabilities.rename:
            return  # there directories stay by themselves
        parent, _ = split(path)
        prefix = self._env.root.to_prefix(parent)
        made = self._files.node(parent)
        if made is not None and made.is_new:
            return  # its marker is about to be written
        gone = self._env.root.to_key(path)
        if not prefix or self._env.bucket.known(prefix) is not None:
            return
        if self._survivors.outlive(prefix, gone):
            return
        try:
            self._make_marker(parent)
        except AlreadyExists:
            return

    def keys_in(self, prefix: str, limit: int = KNOWN_KEYS) -> Sequence[str]:
        """Return keys and common prefixes, all that there are or at least `limit`.

        Who removes a tree has just read each directory of it: that counts as having asked.
        """
        known = self._env.bucket.known_keys(prefix, max_age=RECENT)
        if known is not None:
            return known
        page = self._env.bucket.list(prefix, limit=limit)
        return [*page.prefixes, *(info.key for info in page.objects)]
