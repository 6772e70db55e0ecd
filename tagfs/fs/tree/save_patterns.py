"""Backups: tools that save by renaming the old file away and putting a new one in its place.

vim, emacs, sed -i.bak and rsync --backup do so. What an object carries belongs to the name that
people see.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from cachetools import TTLCache

from tagfs.errors import NotFound, Unsupported
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.inheritance import NO_HEIR, Inherited, inherited_from
from tagfs.fs.mapping.paths import split

MEMORY = 60.0
"""Seconds in which a file made under the name of one that became a backup inherits from that."""

MANY = 1000
"""Backups that are remembered."""

_MARKS = ("~", ".bak", ".orig", ".old", "#")


class BackupTags:
    """Which names were given up for a backup's, a moment ago. Thread-safe."""

    def __init__(self, env: FsContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._env = env
        self._lock = threading.Lock()
        self._backups: TTLCache[str, str] = TTLCache(MANY, MEMORY, clock)  # old name -> backup

    def on_rename(self, old: str, new: str) -> None:
        """Note a rename, if it makes a backup: the next file named `old` inherits from it."""
        parent, name = split(old)
        other_parent, other = split(new)
        with self._lock:
            self._backups.pop(old, None)
        if not self._env.choices.keep_replaced_tags or parent != other_parent or name not in other:
            return
        rest = other.replace(name, "", 1)
        if any(mark in rest for mark in _MARKS):
            with self._lock:
                self._backups[old] = new

    def left_to(self, path: str) -> Inherited:
        """Return what the backup that `path` was renamed to leaves to the new file there."""
        with self._lock:
            backup = self._backups.pop(path, None)
        if backup is None:
            return NO_HEIR
        key, bucket = self._env.root.to_key(backup), self._env.bucket
        asked = self._env.executor.submit(bucket.head, key, max_age=FRESH_WITHIN)
        acl = self._env.executor.submit(bucket.get_acl, key)
        try:
            tags = bucket.get_tags(key, max_age=FRESH_WITHIN) or None
        except (NotFound, Unsupported):
            tags = None
        try:
            left = inherited_from(asked.result(), tags, acl.result() or None)
        except NotFound:
            return NO_HEIR
        return replace(left, annotations_of=(key,)) if bucket.capabilities.annotations else left
