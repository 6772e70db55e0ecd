"""One scan of a directory that several readers follow, page by page.

The first caller that needs a page asks for it; the others find it there. Up to
`max_rows` entries are held, packed; of a larger directory nothing is held, the reader who came
there first goes on alone and the others with requests of their own.
"""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from tagfs.store.cache.listings import ListingInProgress
from tagfs.store.cache.packed_rows import COMMON_PREFIX, pack, unpack
from tagfs.store.objects import Page


@dataclass(frozen=True, slots=True)
class PackedPage:
    """One page, packed: names below the directory and their rows, and where the next begins."""

    names: list[str]
    rows: list[bytes]
    token: str | None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """Where a reader must go on with requests of its own; None: from the beginning."""

    token: str | None


class SharedScan:
    """One scan under way.

    Attributes:
        began: when it began, on the cache's clock.
        growing: what is written meanwhile; guarded by the cache's lock.
        users: how many readers follow; the same.
        complete: whether all of the directory came and is held.
        closed: whether nobody may join any more.
        kept: whether it was handed to the listings; the same as `growing`.
    """

    def __init__(
        self, prefix: str, began: float, pages: Iterator[Page], growing: ListingInProgress
    ) -> None:
        self.prefix = prefix
        self.began = began
        self.growing = growing
        self.users = 0
        self.complete = False
        self.closed = False
        self.kept = False
        self._pages = pages
        self._pulling = threading.Lock()
        self._chunks: list[PackedPage] = []
        self._held = 0
        self._alone: object = None
        self._error: BaseException | None = None

    def page(self, index: int, reader: object, max_rows: int) -> Page | TooLarge | None:
        """Return a page by number, None after the last.

        The first request is made by the first caller; a failure is raised to all.
        """
        with self._pulling:
            if index < len(self._chunks):
                return unpack_page(self.prefix, self._chunks[index])
            if self._alone is not None and self._alone is not reader:
                return TooLarge(self._chunks[-1].token if self._chunks else None)
            if self._error is not None:
                raise self._error
            if self.complete:
                return None
            return self._pull(reader, max_rows)

    def close(self) -> None:
        """Give back what the scan holds, when no reader follows any more."""
        with self._pulling:
            self.closed = True
            self._chunks.clear()
            if isinstance(self._pages, Generator):
                self._pages.close()

    def rows(self) -> dict[str, bytes]:
        """Return everything that came, by name."""
        rows: dict[str, bytes] = {}
        for chunk in self._chunks:
            rows.update(zip(chunk.names, chunk.rows, strict=True))
        return rows

    def _pull(self, reader: object, max_rows: int) -> Page | None:
        try:
            page = next(self._pages, None)
        except BaseException as error:
            self._error, self.closed = error, True
            raise
        if page is None or page.token is None:
            self.complete, self.closed = self._alone is None, True
        if page is None or self._alone is not None:
            return page
        chunk = pack_page(self.prefix, page)
        self._held += len(chunk.names)
        if self._held > max_rows:
            self.complete, self.closed, self._alone = False, True, reader
        else:
            self._chunks.append(chunk)
        return page


def pack_page(prefix: str, page: Page) -> PackedPage:
    """Return a page packed, names without the directory's."""
    start = len(prefix)
    names = [info.key[start:] for info in page.objects]
    names += [common[start:] for common in page.prefixes]
    rows = [pack(info) for info in page.objects]
    rows += [COMMON_PREFIX] * len(page.prefixes)
    return PackedPage(names, rows, page.token)


def unpack_page(prefix: str, chunk: PackedPage) -> Page:
    """Return what was packed."""
    pairs = list(zip(chunk.names, chunk.rows, strict=True))
    return Page(
        tuple(unpack(prefix + name, row) for name, row in pairs if row),
        tuple(prefix + name for name, row in pairs if not row),
        chunk.token,
    )


def kept_pages(prefix: str, rows: dict[str, bytes], page_size: int = 1000) -> Iterator[Page]:
    """Yield a remembered directory in listing order; what is deleted meanwhile is left out.

    The pages have no tokens: the service could make nothing of them.
    """
    names = sorted(list(rows))  # noqa: C414 - the copy is made at once, the comparisons take longer
    for start in range(0, max(len(names), 1), page_size):
        pairs = [(name, rows.get(name)) for name in names[start : start + page_size]]
        held = [(name, row) for name, row in pairs if row is not None]
        yield unpack_page(prefix, PackedPage([n for n, _ in held], [r for _, r in held], None))
