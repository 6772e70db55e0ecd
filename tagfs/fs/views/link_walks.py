"""Fetching ahead what the links of a directory of views lead to.

`ls -L`, `tar -h` and `rsync -L` follow one link after the other, each to a path that nobody has
looked at: a round trip and two requests for every one. When the second is followed in the order of
the directory, the paths of the following ones are looked up in parallel. A directory that has
several of them, and few others, is listed: one request confirms them all.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, Protocol

from cachetools import LRUCache

from tagfs.fs.context import FsContext
from tagfs.fs.mapping.paths import split
from tagfs.fs.prefetch.directory_walk import SIBLINGS, ListedDirectory, WalkStarts
from tagfs.fs.prefetch.prefetcher import HORIZON, SiblingPrefetcher
from tagfs.fs.prefetch.quiet import quietly

MAX_NAMES: Final = 100_000
"""Links that are remembered over all directories; those of a larger one are followed singly."""

FOLLOWED: Final = 1000
"""Paths to which links were followed not long ago."""

PAGES: Final = 2
"""Pages of a directory that are listed at most: it may have become a large one."""


class Targets(Protocol):
    """Knows where links lead to."""

    def links(self, path: str) -> Mapping[str, str]:
        """Return the paths to which the links of a directory of views lead, by their names."""
        ...

    def is_small(self, path: str) -> bool:
        """Say whether a directory of the mount seems to be one page of a listing."""
        ...


@dataclass(slots=True)
class _Links:
    """The links of a directory, and how many of them lead into each directory of the mount."""

    order: ListedDirectory
    targets: Mapping[str, str]
    parents: Counter[str]


class LinkWalks:
    """Watches links that are followed, and files that are opened by them. Thread-safe."""

    def __init__(self, env: FsContext, prefetcher: SiblingPrefetcher, views: Targets) -> None:
        self._env = env
        self._prefetcher = prefetcher
        self._views = views
        self._lock = threading.Lock()
        self._starts = WalkStarts()
        self._held: LRUCache[str, _Links] = LRUCache(
            MAX_NAMES, getsizeof=lambda links: len(links.targets)
        )
        self._followed: LRUCache[str, str] = LRUCache(FOLLOWED)

    def listing(self, path: str, entries: Iterator[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        """Remember the order of a directory's entries (name, type bits), and pass them on."""
        order = ListedDirectory(self._env.clock())
        targets = self._views.links(path)
        for name, kind in entries:
            if name in targets:
                order.add(name, kind)
            yield name, kind
        if 1 < len(targets) <= MAX_NAMES:
            parents = Counter(split(target)[0] for target in targets.values())
            with self._lock:
                self._held[path] = _Links(order, targets, parents)

    def on_link(self, path: str) -> None:
        """Note that a link is read, perhaps to be followed."""
        place, name = split(path)
        with self._lock:
            links = self._held.get(place)
            if links is not None and name in links.order.index:
                self._followed[links.targets[name]] = path

    def on_getattr(self, path: str | None) -> None:
        """Note that a path's attributes are asked for, perhaps by a link."""
        for links, parent, paths in self._due(path, "stat"):
            self._env.executor.submit(quietly, partial(self._look_at, links, parent, paths))

    def on_open(self, path: str) -> None:
        """Note that a file is opened, perhaps by a link."""
        for _links, _parent, paths in self._due(path, "content"):
            self._prefetcher.read_ahead(paths)

    def _due(self, path: str | None, what: str) -> Iterator[tuple[_Links, str, list[str]]]:
        """Yield the paths that will be asked for next, by what directory they are in."""
        if path is None or path not in self._followed:
            return
        found: dict[str, list[str]] = defaultdict(list)
        with self._lock:
            place, name = split(self._followed.get(path, "/"))
            links = self._held.get(place)
            if links is None or name not in links.order.index:
                return
            index, now = links.order.follow(name), self._env.clock()
            within = HORIZON if what == "content" else None
            for at in self._starts.step(links.order, what, index, now, within=within):
                target = links.targets[links.order.names[at]]
                found[split(target)[0]].append(target)
        yield from ((links, parent, paths) for parent, paths in found.items())

    def _look_at(self, links: _Links, parent: str, paths: Sequence[str]) -> None:
        is_known = self._env.bucket.known(self._env.root.to_key(paths[0])) is not None
        if not is_known and links.parents[parent] >= SIBLINGS and self._views.is_small(parent):
            for _ in islice(self._env.bucket.scan(self._env.root.to_prefix(parent)), PAGES):
                pass
        self._prefetcher.look_ahead([parent, *paths] if parent != "/" else paths)
