"""Items found ahead of the work, so that their number is known before all of them are done."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

AHEAD: Final = 50_000
"""Items that wait at most: some 25 MiB. Only the total of what is more is not known before."""

_LOOK: Final = 0.2  # seconds after which a full queue's thread looks whether anybody waits for it


def run_ahead(found: Iterator[T], known: Callable[[int], None], ahead: int = AHEAD) -> Iterator[T]:
    """Yield what `found` yields, which a thread asks for; `known` is called with their number.

    That is as soon as it is known, in the thread of who iterates. What `found` raises is raised at
    its place. Who stops iterating stops the thread before it asks for more.
    """
    search = _Search(found, ahead)
    threading.Thread(target=search.run, name="tagfs-find", daemon=True).start()
    is_known = False
    try:
        while (entry := search.waiting.get()) is not None:
            if not is_known and search.total is not None:
                is_known = True
                known(search.total)
            if isinstance(entry, BaseException):
                raise entry
            yield entry[0]
    finally:
        search.over.set()


class _Search(Generic[T]):
    """What the thread does."""

    def __init__(self, found: Iterator[T], ahead: int) -> None:
        self._found = found
        self.waiting: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(ahead)
        self.over = threading.Event()
        self.total: int | None = None

    def run(self) -> None:
        """Find all of them; an error takes the place of what would have come."""
        count = 0
        try:
            for item in self._found:
                count += 1
                if not self._put((item,)):
                    return
        except BaseException as error:  # noqa: BLE001  (raised again by who iterates)
            self._put(error)
            return
        self.total = count
        self._put(None)

    def _put(self, entry: tuple[T] | BaseException | None) -> bool:
        while not self.over.is_set():
            try:
                self.waiting.put(entry, timeout=_LOOK)
            except queue.Full:
                continue
            return True
        return False
