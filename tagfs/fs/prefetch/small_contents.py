"""Content of small files that will be opened soon, asked for before they are.

Of the smallest many are asked for by one thread: to hand each to a thread of its own costs more
processor time than its request. Larger ones have one each, so that their bytes come side by side.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple

from tagfs.errors import TagfsError
from tagfs.fs.context import FsContext
from tagfs.fs.prefetch.content_buffer import ContentBuffer
from tagfs.store.objects import Content, ObjectInfo
from tagfs.store.versions import is_version

log = logging.getLogger(__name__)

BATCH: Final = 16
"""Files that one thread asks for at the same time."""

BATCHED: Final = 64 * 1024
"""Bytes up to which a file is asked for together with others."""


class _Wanted(NamedTuple):
    key: str
    size: int
    future: Future[Content | None]


class SmallContents:
    """Whole contents of small files, by path: asked for, and handed over once."""

    def __init__(self, env: FsContext, submit: Callable[[Callable[[], object]], None]) -> None:
        """`submit` has a thread do something."""
        self._env = env
        self._submit = submit
        self._buffer = ContentBuffer(env.budget, env.clock)

    def fetch(self, files: Iterable[tuple[str, ObjectInfo]]) -> None:
        """Ask for the content of files: each a path, and what its object is known to be."""
        wanted: list[_Wanted] = []
        for path, info in files:
            future = self._buffer.reserve(path, info.size)
            if future is None:
                continue
            one = _Wanted(info.key, info.size, future)
            if info.size > BATCHED:
                self._start((one,))
                continue
            wanted.append(one)
            if len(wanted) == BATCH:
                self._start(wanted)
                wanted = []
        if wanted:
            self._start(wanted)

    def take(self, path: str) -> Content | None:
        """Hand over content that was asked for, if it is fresh, whole, and what was last seen."""
        content = self._buffer.take(path)
        if content is None or len(content.data) != content.info.size:
            return None
        known = self._env.bucket.known(self._env.root.to_key(path))
        return content if known is not None and is_version(content.info, known) else None

    def close(self) -> None:
        """Forget everything."""
        self._buffer.close()

    def _start(self, wanted: Sequence[_Wanted]) -> None:
        self._submit(lambda: self._deliver(wanted))

    def _deliver(self, wanted: Sequence[_Wanted]) -> None:
        left = iter(wanted)
        try:
            found = self._read({one.key: one.size for one in wanted})
            for one in left:
                one.future.set_result(found.get(one.key))
        finally:
            for one in left:  # an open of the file waits for it, even after a bug
                one.future.set_result(None)

    def _read(self, sizes: dict[str, int]) -> dict[str, Content]:
        """Return what comes; what does not is asked for when the file is opened."""
        try:
            if len(sizes) > 1:
                return dict(self._env.reads.get_many(sizes))
            return {key: self._env.reads.get(key, 0, size) for key, size in sizes.items()}
        except TagfsError as error:
            log.debug("%s: not read ahead: %s", ", ".join(sizes), error)
            return {}
