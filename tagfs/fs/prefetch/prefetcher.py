"""Fetching ahead across the files of a directory that a program walks through.

The kernel looks children up one at a time, and tools read files one after the other, so every
file would cost a round trip. When the second entry of a listed directory is asked for in the order
of its listing, what the following ones will be asked for is fetched in parallel: attributes, tags,
or the content of small files. A directory that is only listed, or looked at here and there, costs
nothing more.
"""

import functools
import stat
import threading
from collections.abc import Callable, Iterator, Sequence

from cachetools import FIFOCache

from tagfs.fs.content.reader import SMALL
from tagfs.fs.context import FRESH_WITHIN, FsContext
from tagfs.fs.mapping.paths import join, split
from tagfs.fs.mapping.posix_metadata import described_keys
from tagfs.fs.mapping.xattr_names import XattrKind, parse_name
from tagfs.fs.prefetch.directory_walk import Ahead, ListedDirectory, UnlistedLookups, WalkStarts
from tagfs.fs.prefetch.quiet import quietly
from tagfs.fs.prefetch.small_contents import BATCH, SmallContents
from tagfs.fs.tree.lookup import TreeLookup
from tagfs.store.objects import Content, ObjectInfo

MAX_NAMES = 100_000
"""Names remembered over all directories; what is beyond them is walked without fetching ahead."""

MEMORY = 60.0
"""Seconds for which a listing is remembered for fetching ahead."""

HORIZON = 0.6 * FRESH_WITHIN
"""Seconds within which content fetched ahead should be read, for it has to be fresh."""

_FILES = (0, stat.S_IFREG)


class SiblingPrefetcher:
    """Watches lookups, tag reads and opens, and fetches ahead where they walk a directory."""

    def __init__(self, env: FsContext, tree: TreeLookup) -> None:
        self._env = env
        self._clock = env.clock
        self._tree = tree
        self._lock = threading.RLock()
        self._directories: FIFOCache[str, ListedDirectory] = FIFOCache(
            MAX_NAMES, getsizeof=lambda directory: max(len(directory.names), 1)
        )
        self._contents = SmallContents(env, self._submit)
        self._unlisted_lookups = UnlistedLookups()
        self._starts = WalkStarts()

    def listing(
        self, path: str, entries: Iterator[tuple[str, int, int]]
    ) -> Iterator[tuple[str, int, int]]:
        """Remember the entries (name, type bits, inode number) of a directory, and pass them on."""
        directory = ListedDirectory(self._clock())
        for entry in entries:
            if len(directory.names) < MAX_NAMES:
                directory.add(*entry)
            yield entry
        with self._lock:
            self._directories[path] = directory

    def on_getattr(self, path: str) -> bool:
        """Note that a path's attributes are asked for.

        Return whether the service must be asked for it and its directory was not read.
        """
        if not self._env.choices.stored:
            return False
        found = self._find(path)
        if found is None:
            return self._held(split(path)[0]) is None and not self._tree.is_listed(path)
        if self._reads(*found[1:]):
            return False  # what is read ahead tells the attributes as well
        self._go_ahead("stat", path, found[1], self._fetch_stat)
        return False

    def on_page(self, parent: str, first: str) -> None:
        """Note that the kernel asks for a page of names with attributes, having used the last."""
        found = self._find(join(parent, first))
        if found is not None and self._env.choices.stored and not self._reads(*found[1:]):
            with self._lock:
                steps = found[1].step_page("stat", found[2], self._clock())
            if steps:
                self._fetch_stat(found[1].entries(parent, steps))

    def on_unlisted_lookup(self, path: str) -> None:
        """Note that a path was found in a directory that was not read.

        `rsync` into a mount, `make` and `tar d` look at one file after the other whose names they
        have from elsewhere. After some of them one page of the directory is read, for the order of
        the names alone: what it does not show is still asked for.
        """
        parent, name = split(path)
        with self._lock:
            if self._held(parent) is None:
                self._directories.pop(parent, None)
            is_due = self._unlisted_lookups.record(parent, name)
        if is_due:
            self._submit(lambda: self._read_names(parent, name))

    def _held(self, path: str) -> ListedDirectory | None:
        """Return what is remembered of the listing of a directory, if that is not too old."""
        with self._lock:
            held = self._directories.get(path)
        return held if held is not None and self._clock() - held.since < MEMORY else None

    def _read_names(self, parent: str, name: str) -> None:
        """Read the names of a directory that is walked through, at `name` now."""
        directory = ListedDirectory(self._clock())
        for entry, kind in self._tree.names.first(parent):
            directory.add(entry, kind)
        directory.begin_at("stat", name)
        with self._lock:
            if parent not in self._directories:
                self._directories[parent] = directory

    def on_getxattr(self, path: str, name: str) -> None:
        """Note that a path's tags are asked for."""
        if parse_name(name).kind in (XattrKind.TAG, XattrKind.TAGGING):
            self.on_listxattr(path)

    def on_listxattr(self, path: str) -> None:
        """Note that all names of a path are asked for: its tags are among them."""
        found = self._find(path)
        if found is not None:
            self._go_ahead("tags", path, found[1], self._fetch_tags)

    def on_open(self, path: str) -> Content | None:
        """Note that a file is opened to be read; return its content if it was fetched ahead.

        What is returned is fresh (FRESH_WITHIN), and the version last seen.
        """
        found = self._find(path)
        if found is not None:
            self._go_ahead("content", path, found[1], self._fetch_contents)
        return self._contents.take(path)

    def on_rename_target(self, path: str | None) -> None:
        """Look at a path while what will be renamed to it is uploaded."""
        if path is not None:
            self._submit(lambda: self._look_at_target(path))

    def _look_at_target(self, path: str) -> None:
        found = self._tree.find(path, max_age=FRESH_WITHIN)
        keep = self._env.choices.keep_replaced_tags
        if found is not None and found.node is None and not found.is_dir and keep:
            self._env.bucket.get_tags(found.key, max_age=FRESH_WITHIN)

    def close(self) -> None:
        """Forget everything."""
        self._contents.close()

    def _find(self, path: str) -> tuple[str, ListedDirectory, int] | None:
        parent, name = split(path)
        directory = self._held(parent)
        if directory is None:
            return None
        index = directory.index.get(name)
        return None if index is None else (parent, directory, index)

    def _reads(self, directory: ListedDirectory, index: int) -> bool:
        """Say whether contents or tags are read ahead at an entry of a directory."""
        return any(directory.is_walking(what, index) for what in ("content", "tags"))

    def _go_ahead(
        self,
        what: str,
        path: str,
        directory: ListedDirectory,
        fetch: Callable[[Sequence[Ahead]], None],
    ) -> None:
        within = HORIZON if what == "content" else None
        parent, name = split(path)
        with self._lock:
            index = directory.follow(name)
            steps = self._starts.step(directory, what, index, self._clock(), within=within)
            due = directory.entries(parent, steps)
        if due:
            fetch(due)

    # What is fetched

    def look_ahead(self, paths: Sequence[str]) -> None:
        """Ask for the attributes of files that will be asked for."""
        self._fetch_stat([(path, stat.S_IFREG) for path in paths])

    def read_ahead(self, paths: Sequence[str]) -> None:
        """Ask for the content of files that will be read."""
        self._fetch_contents([(path, stat.S_IFREG) for path in paths])

    def _fetch_stat(self, due: Sequence[Ahead]) -> None:
        """Ask for attributes, but for what was learnt before: that needs no thread."""
        files = {path: self._env.root.to_key(path) for path, kind in due if kind in _FILES}
        described = described_keys(self._env.bucket.recall(list(files.values())))
        left = [one for one in due if files.get(one[0]) not in described]
        for keys, paths in self._cut(left):
            self._submit(functools.partial(self._read_stat, keys, paths))

    def _read_stat(self, keys: Sequence[str], paths: Sequence[str]) -> None:
        if len(keys) > 1 and self._env.choices.stored:
            self._env.bucket.head_many(keys)
            described = described_keys(self._env.bucket.described(keys))
            paths = [path for key, path in zip(keys, paths, strict=True) if key not in described]
        for path in paths:
            quietly(functools.partial(self._tree.lookup, path))

    def _fetch_tags(self, due: Sequence[Ahead]) -> None:
        for keys, paths in self._cut(due):
            self._submit(functools.partial(self._read_tags, keys, paths))

    def _read_tags(self, keys: Sequence[str], paths: Sequence[str]) -> None:
        # The attributes first, for they may tell that there are no tags. Who walks through tags
        # asks for both, and with as many files under way as threads neither order is faster.
        self._read_stat(keys, paths)
        if len(keys) > 1:
            self._env.bucket.get_tags_many(keys)
        for path in paths:
            quietly(functools.partial(self._read_tags_of, path))

    def _read_tags_of(self, path: str) -> None:
        entry = self._tree.lookup(path)
        if entry.node is None:
            self._env.bucket.get_tags(entry.key)

    def _cut(self, due: Sequence[Ahead]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """Yield keys and paths for one thread each: files that a listing showed, many together.

        What else there is takes other requests, one after the other, and a thread of its own.
        """
        keys: list[str] = []
        paths: list[str] = []
        for path, kind in due:
            key = self._env.root.to_key(path)
            if kind not in _FILES or self._env.bucket.known(key) is None:
                yield (), (path,)
                continue
            keys.append(key)
            paths.append(path)
            if len(keys) == BATCH:
                yield keys, paths
                keys, paths = [], []
        if keys:
            yield keys, paths

    def _fetch_contents(self, due: Sequence[Ahead]) -> None:
        """Ask for the content of small files, for the attributes of anything else."""
        small: list[tuple[str, ObjectInfo]] = []
        for path, kind in due:
            known = self._env.bucket.known(self._env.root.to_key(path))
            if known is not None and kind in _FILES and 0 < known.size <= SMALL:
                small.append((path, known))
            elif self._env.choices.stored:
                self._fetch_stat([(path, kind)])
        self._contents.fetch(small)

    def _submit(self, work: Callable[[], object]) -> None:
        self._env.executor.submit(quietly, work)
