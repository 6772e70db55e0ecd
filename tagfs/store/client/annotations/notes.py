"""What a client remembers of annotations: who has none, who lacks some, and what was said."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final

from cachetools import TTLCache

from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.client.annotations.file import AnnotationFile
from tagfs.store.client.refusals import Refusals

Names = Mapping[str, int]
"""Sizes of the annotations of one object, by their names."""

_MANY: Final = 1000  # keys that are remembered


class KeptAnnotations:
    """What one rewrite keeps: asked for while other things are, and saved before it is sent.

    Attributes:
        files: what was saved.
        replaced: the new version is there, without them.
    """

    def __init__(self, collect: Callable[[], list[AnnotationFile]] | None = None) -> None:
        self._collect = collect
        self.files: list[AnnotationFile] = []
        self.replaced = False

    @property
    def is_copy(self) -> bool:
        """Whether the new version may have got other annotations with the request that made it."""
        return self._collect is None

    def save(self) -> None:
        """Wait for what is kept; from now on this process may die.

        Raises:
            TagfsError: it is not known what there is, or it cannot be saved.
        """
        if self._collect is not None:
            self.files = self._collect()


class AnnotationNotes(Refusals):
    """What a client knows of the annotations of its bucket. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        # Keys that had none just now.
        self._bare: TTLCache[str, bool] = TTLCache(_MANY, FRESH_WITHIN, clock)
        # What is being asked of keys whose new content is under way.
        self._ahead: TTLCache[str, Future[Names]] = TTLCache(_MANY, FRESH_WITHIN, clock)
        self._late: dict[str, list[AnnotationFile]] = {}
        self._noting = threading.Lock()

    def forget(self, key: str) -> None:
        """Note that what is at `key` may have annotations by now."""
        with self._noting:
            self._bare.pop(key, None)
            self._ahead.pop(key, None)

    def forget_below(self, prefix: str) -> None:
        """Note the same of all keys that begin with `prefix`."""
        with self._noting:
            for known in (self._bare, self._ahead):
                for key in [key for key in known if key.startswith(prefix)]:
                    known.pop(key, None)

    def note_bare(self, key: str) -> None:
        """Note that what is at `key` has none."""
        with self._noting:
            self._bare[key] = True

    def is_bare(self, key: str) -> bool:
        """Say whether what is at `key` had none a moment ago, so that nobody need ask."""
        with self._noting:
            return key in self._bare

    def ask_ahead(self, key: str, ask: Callable[[], Future[Names]]) -> None:
        """Begin to ask what is at `key`, unless that was begun a moment ago."""
        with self._noting:
            if key not in self._ahead:
                self._ahead[key] = ask()

    def take_ahead(self, key: str) -> Future[Names] | None:
        """Return what was asked a moment ago, if nothing was annotated since, to one caller."""
        with self._noting:
            return self._ahead.pop(key, None)

    def note_late(self, key: str, files: list[AnnotationFile]) -> None:
        """Remember what an object lacks by a rewrite that failed."""
        with self._noting:
            self._late[key] = files

    def take_late(self, key: str) -> list[AnnotationFile]:
        """Return what `note_late` noted, to one caller."""
        with self._noting:
            return self._late.pop(key, [])
