"""What a listing tells beyond its rows, taken into the cache: for who looks, not for who changes.

What was written while the listing was under way is not overlaid. What a listing told counts as
older than it is by so much that no question for a fresh answer is answered by it.
"""

from collections.abc import Iterator
from typing import Final

from tagfs.store.bucket import FRESH_WITHIN
from tagfs.store.cache.coalescer import Coalescer
from tagfs.store.cache.witnesses import Witness
from tagfs.store.objects import Page

_OLDER: Final = FRESH_WITHIN + 0.1


class ListedDetails:
    """Details and tags of the pages of scans."""

    def __init__(self, state: Coalescer) -> None:
        self._state = state

    def taken_from(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Yield pages without details and tags, once these are remembered."""
        with self._state.witnesses.watching() as witness:
            began = self._state.clocks.monotonic()
            for page in pages:
                if page.tags or any(info.metadata is not None for info in page.objects):
                    self._take(page, witness, began - _OLDER)
                    objects = tuple(info.as_listed() for info in page.objects)
                    yield Page(objects, page.prefixes, page.token)
                else:
                    yield page

    def _take(self, page: Page, witness: Witness, at: float) -> None:
        with self._state.lock:
            for info in page.objects:
                if witness.saw(info.key):
                    continue
                if info.metadata is not None:
                    self._state.known.record_listed(info, at)
                tags = page.tags.get(info.key)
                if tags is not None:
                    self._state.known.record_tags(info.key, tags, at)
