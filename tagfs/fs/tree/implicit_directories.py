"""Directories outlive the last of their entries: what is emptied here stays until rmdir.

A directory without a marker is there only as long as a key below it is. Before its last entry
goes, it needs a marker.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from tagfs.errors import AlreadyExists
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.paths import split
from tagfs.fs.openfiles.handle_table import HandleTable
from tagfs.store.bucket import KNOWN_KEYS

MEMORY = 10.0
"""Seconds for which an entry seen in a directory is taken to be still there."""

UNDER_WAY = 2.0
"""Seconds for which a removal that began may still be under way."""

MANY = 1000
"""Directories that are remembered."""


@dataclass(slots=True)
class _Seen:
    since: float = float("-inf")
    stays: set[str] = field(default_factory=set)
    gone: dict[str, float] = field(default_factory=dict)


class RemainingEntries:
    """Entries seen in directories. Thread-safe; its lock is not held while a directory is read."""

    def __init__(
        self,
        look: Callable[[str], Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at a directory by `look`, which returns keys and common prefixes in it."""
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: LRUCache[str, _Seen] = LRUCache(MANY)

    def any_besides(self, prefix: str, gone: str) -> bool:
        """Say whether anything stays in the directory `prefix` when the key `gone` is removed."""
        now = self._clock()
        with self._lock:
            seen = self._seen.setdefault(prefix, _Seen())
            seen.gone = {key: at for key, at in seen.gone.items() if now - at < UNDER_WAY}
            seen.gone |= {gone: now, f"{gone}/": now}
            seen.stays -= seen.gone.keys()
            if seen.stays and now - seen.since < MEMORY:
                return True
        keys = set(self._look(prefix))
        with self._lock:
            # What others are removing meanwhile may have been listed.
            seen.stays = keys - seen.gone.keys()
            seen.since = now
            return bool(seen.stays)


class ImplicitDirectories:
    """Sees to the directories of entries that are removed."""

    def __init__(
        self, env: FsContext, files: HandleTable, make_marker: Callable[[str], object]
    ) -> None:
        """`make_marker` writes the marker of a path, or raises AlreadyExists."""
        self._env = env
        self._files = files
        self._make_marker = make_marker
        self._remaining = RemainingEntries(self.keys_in, env.clock)

    def ensure_survives(self, path: str) -> None:
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
        if self._remaining.any_besides(prefix, gone):
            return
        if not self._env.bucket.may_delete(gone):
            return  # what is to be removed stays, and a marker could not be taken back
        try:
            self._make_marker(parent)
        except AlreadyExists:
            return

    def keys_in(self, prefix: str, limit: int = KNOWN_KEYS) -> Sequence[str]:
        """Return keys and common prefixes, all that there are or at least `limit`.

        Who removes a tree has just read each directory of it: that counts as having asked.
        """
        known = self._env.bucket.known_keys(prefix, max_age=FRESH_WITHIN)
        if known is not None:
            return known
        page = self._env.bucket.list(prefix, limit=limit)
        return [*page.prefixes, *(info.key for info in page.objects)]
