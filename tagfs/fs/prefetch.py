"""Fetching ahead across the files of a directory that a program walks through.

The kernel looks children up one at a time, and tools read files one after the other, so that
every file would cost a round trip. When the second entry of a listed directory is asked for in
the order of its listing, what the following ones will be asked for is fetched in parallel. The
window grows while the walk goes on; a directory that is only listed, or looked at here and there,
costs nothing more.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from tagfs.errors import TagfsError
from tagfs.fs.environment import Environment
from tagfs.fs.paths import join, split
from tagfs.fs.tree import Tree
from tagfs.fs.xattrs import Kind, parse_name

log = logging.getLogger(__name__)

FIRST_WINDOW = 16
"""Entries fetched ahead when a walk is noticed."""

MAX_WINDOW = 256
"""Entries fetched ahead at most."""

MAX_NAMES = 100_000
"""Names remembered of one directory; a larger one is walked without fetching ahead beyond them."""

MAX_DIRECTORIES = 64
MEMORY = 60.0
"""Directories whose listing is remembered for fetching ahead, and for how many seconds."""


class _Walk:
    """How far one kind of question has come through one directory."""

    __slots__ = ("done", "last", "window")

    def __init__(self) -> None:
        self.last = -2
        self.done = 0  # index up to which answers were asked for
        self.window = 0


class _Directory:
    """The names of one directory, in listing order, and the walks through it."""

    __slots__ = ("index", "names", "since", "walks")

    def __init__(self) -> None:
        self.names: list[tuple[str, int]] = []
        self.index: dict[str, int] = {}
        self.walks: dict[str, _Walk] = {}
        self.since = time.monotonic()


class Prefetcher:
    """Watches lookups and tag reads, and fetches ahead where they walk a directory."""

    def __init__(self, env: Environment, tree: Tree) -> None:
        self._env = env
        self._tree = tree
        self._lock = threading.Lock()
        self._directories: OrderedDict[str, _Directory] = OrderedDict()

    def listing(self, path: str, names: Iterator[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        """Remember the names of a directory while they are passed on."""
        directory = _Directory()
        for name, kind in names:
            if len(directory.names) < MAX_NAMES:
                directory.index[name] = len(directory.names)
                directory.names.append((name, kind))
            yield name, kind
        with self._lock:
            self._directories[path] = directory
            self._directories.move_to_end(path)
            while len(self._directories) > MAX_DIRECTORIES:
                self._directories.popitem(last=False)

    def looked_at(self, path: str) -> None:
        """Note that a path's attributes are asked for."""
        if self._env.choices.stored:
            self._step("stat", path, self._fetch_stat)

    def asked_tags(self, path: str, name: str) -> None:
        """Note that a path's tags are asked for."""
        if parse_name(name).kind in (Kind.TAG, Kind.TAGGING):
            self._step("tags", path, self._fetch_tags)

    def _step(self, what: str, path: str, fetch: Callable[[str, int], None]) -> None:
        parent, name = split(path)
        directory = self._directories.get(parent)
        if directory is None:
            return
        index = directory.index.get(name)
        if index is None:
            return
        for ahead, kind in self._due(directory, what, index):
            self._env.executor.submit(self._run, fetch, join(parent, ahead), kind)

    def _due(self, directory: _Directory, what: str, index: int) -> list[tuple[str, int]]:
        """Return the entries to fetch now, after entry `index` was asked for."""
        if time.monotonic() - directory.since > MEMORY:
            return []
        with self._lock:
            walk = directory.walks.setdefault(what, _Walk())
            forward = walk.last < index <= max(walk.last + 4, walk.done)
            if index != walk.last and not forward:
                walk.window, walk.done = 0, index + 1
            walk.last, first = index, walk.last
            if not forward or first < 0:
                walk.done = max(walk.done, index + 1)
                return []
            walk.window = min(MAX_WINDOW, max(FIRST_WINDOW, walk.window))
            if index + walk.window // 2 < walk.done:
                return []  # enough is under way
            start, end = max(walk.done, index + 1), index + walk.window
            walk.done = max(walk.done, min(end, len(directory.names)))
            walk.window *= 2
            return directory.names[start:end]

    def _run(self, fetch: Callable[[str, int], None], path: str, kind: int) -> None:
        try:
            fetch(path, kind)
        except TagfsError as error:
            log.debug("%s: not fetched ahead: %s", path, error)

    def _fetch_stat(self, path: str, _kind: int) -> None:
        self._tree.entry(path)

    def _fetch_tags(self, path: str, _kind: int) -> None:
        entry = self._tree.entry(path)
        if entry.node is None:
            self._env.bucket.get_tags(entry.key)
