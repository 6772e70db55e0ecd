"""Takes what the long-term memory has into the cache, where the cache would have to ask.

What is written meanwhile is never overlaid.
"""

from collections.abc import Callable, Sequence
from typing import Final

from tagfs.store.cache.coalescer import Coalescer
from tagfs.store.cache.entry import UNKNOWN
from tagfs.store.cache.long_term import LongTermMemory, NoMemory
from tagfs.store.cache.packed_rows import unpack
from tagfs.store.objects import ObjectInfo


class Recollection:
    """Recalls details and tags of objects, many at a time."""

    def __init__(self, state: Coalescer, memory: LongTermMemory) -> None:
        self._state: Final = state
        self._memory: Final = memory
        self._is_off: Final = isinstance(memory, NoMemory)

    def recall_details(self, keys: Sequence[str]) -> dict[str, ObjectInfo]:
        """Take in the details of objects that a listing shows; return all that are known now."""
        described: dict[str, ObjectInfo] = {}
        listed: list[ObjectInfo] = []
        rows: dict[str, bytes] = {}
        known = self._state.known
        with self._state.lock:
            oldest = self._state.clocks.oldest()
            for key in keys:
                seen = None if key in known.entries else known.listings.row(key, oldest)
                if seen is not None and seen[1]:  # nothing but this is known of it
                    rows[key] = seen[1]
                    listed.append(unpack(key, seen[1]))
                    continue
                info = known.find(key, oldest)
                if not isinstance(info, ObjectInfo):
                    continue
                if info.metadata is not None:
                    described[key] = info
                if info.detail is None:
                    listed.append(info)
        if not listed or self._is_off:
            return described
        with self._state.witnesses.watching() as witness:
            recalled = self._memory.recall_details(listed)
            with self._state.lock:
                for key, one in recalled.items():
                    if not witness.saw(key) and known.recall_detail(one, oldest, rows.get(key)):
                        described[key] = one.info
        return described

    def recall_tags(self, keys: Sequence[str], recall: Callable[[str], object]) -> None:
        """Take in tags that are not known; `recall` says what is, under the lock."""
        if self._is_off:
            return
        with self._state.lock:
            wanted = [key for key in keys if recall(key) is UNKNOWN]
        if not wanted:
            return
        with self._state.witnesses.watching() as witness:
            recalled = self._memory.recall_tags(wanted)
            with self._state.lock:
                for key, (at, tags) in recalled.items():
                    if not witness.saw(key):
                        self._state.known.recall_tags(key, tags, at)
