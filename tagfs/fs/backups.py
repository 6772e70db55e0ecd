"""Backups: tools that save by renaming the old file away and putting a new one in its place.

vim, emacs, sed -i.bak and rsync --backup do so. The tags belong to the name that people see.
"""

import time

from tagfs.errors import NotFound, Unsupported
from tagfs.fs.environment import RECENT, Environment
from tagfs.fs.paths import split
from tagfs.store.tags import TagSet

MEMORY = 60.0
"""Seconds in which a file made under the name of one that became a backup inherits its tags."""

MANY = 1000
"""Backups that are remembered."""

_MARKS = ("~", ".bak", ".orig", ".old", "#")


class Backups:
    """Which names were given up for a backup's, a moment ago."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._made: dict[str, tuple[float, str]] = {}

    def note(self, old: str, new: str) -> None:
        """Note a rename, if it makes a backup: the next file named `old` inherits the tags."""
        parent, name = split(old)
        other_parent, other = split(new)
        self._made.pop(old, None)
        if not self._env.choices.keep_replaced_tags or parent != other_parent or name not in other:
            return
        rest = other.replace(name, "", 1)
        if any(mark in rest for mark in _MARKS):
            self._made[old] = time.monotonic(), new
            while len(self._made) > MANY:
                self._made.pop(next(iter(self._made)))

    def tags_for(self, path: str) -> TagSet | None:
        """Return the tags of the backup that `path` was renamed to; None if it has none."""
        since, backup = self._made.pop(path, (0.0, ""))
        if not backup or time.monotonic() - since > MEMORY:
            return None
        key = self._env.root.to_key(backup)
        try:
            return self._env.bucket.get_tags(key, max_age=RECENT) or None
        except (NotFound, Unsupported):
            return None
