"""Complete listings of directories that are remembered, and what writes do to them.

Knows no request, clock or lock: the cache calls it under its own. `oldest` is always the moment
before which an answer is too old. A write is applied to what is kept and to every
`ListingInProgress`
listing, so that a scan which began before the write does not bring the old state back.
"""

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field

from tagfs.store.cache.packed_rows import COMMON_PREFIX

Seen = tuple[float, bytes | None]
"""When it was asked, and the row that a listing shows at a key; None when it shows none."""


@dataclass(slots=True)
class Listing:
    """One directory as it was listed.

    Attributes:
        at: when the scan began; moves back when older knowledge is applied.
        rows: rows by name; common prefixes by their name with "/", the marker by "".
        unsure: names of which nothing is known any more.
    """

    at: float
    rows: dict[str, bytes]
    unknown_names: set[str] = field(default_factory=set)

    def knows(self, name: str) -> bool:
        """Say whether the presence or absence of `name` is known."""
        return not self.unknown_names or name not in self.unknown_names

    def surely_has_any(self) -> bool:
        """Say whether the directory certainly has an entry or a marker."""
        return (
            any(name not in self.unknown_names for name in self.rows)
            if self.unknown_names
            else bool(self.rows)
        )

    def weight(self) -> int:
        """Return what counts against the bound of the cache."""
        return len(self.rows) + 1


@dataclass(slots=True)
class ListingInProgress:
    """What is written below a directory while it is being listed.

    Attributes:
        changes: rows by name; None for what was deleted.
        doubts: names of which nothing is known any more.
        void: nothing is known of the whole directory any more.
    """

    changes: dict[str, bytes | None] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    invalid: bool = False

    @property
    def touched(self) -> bool:
        """Whether pages that came before may be older than a write that has returned."""
        return bool(self.invalid or self.changes or self.unknown)

    def settle(self, rows: dict[str, bytes]) -> None:
        """Apply the writes to the rows that the scan brought."""
        for name, row in self.changes.items():
            if row is None:
                rows.pop(name, None)
            else:
                rows[name] = row


def split(key: str) -> tuple[str, str]:
    """Return the directory of a key and its name there; of a marker: itself and ""."""
    at = key.rfind("/") + 1
    return key[:at], key[at:]


def split_directory(prefix: str) -> tuple[str, str]:
    """Return the directory above `prefix` and the name of its common prefix there, with "/"."""
    above, name = split(prefix[:-1])
    return above, f"{name}/"


def above(key: str) -> Iterator[tuple[str, str]]:
    """Yield (directory, common prefix in it) for all directories above a key, nearest first."""
    prefix, _ = split(key)
    while prefix:
        prefix, name = split_directory(prefix)
        yield prefix, name


class Listings:
    """All listings that are remembered."""

    def __init__(self, kept: MutableMapping[str, Listing], max_rows: int) -> None:
        self._kept = kept
        self._max_rows = max_rows
        self._growing: dict[str, list[ListingInProgress]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    # Reading

    def get(self, prefix: str, oldest: float) -> Listing | None:
        """Return the listing of a directory if it is young enough."""
        listing = self._kept.get(prefix)
        return listing if listing is not None and listing.at > oldest else None

    def row(self, key: str, oldest: float) -> Seen | None:
        """Say what the listings show at a key; None when they cannot tell."""
        prefix, name = split(key)
        listing = self.get(prefix, oldest)
        if listing is None:
            return self._missing(prefix, oldest)
        if listing.unknown_names and name in listing.unknown_names:
            return None
        return listing.at, listing.rows.get(name)

    def directory(self, key: str, oldest: float) -> tuple[float, bool] | None:
        """Say whether any key begins with `key + "/"`; None when the listings cannot tell."""
        prefix, name = split(key)
        listing = self.get(prefix, oldest)
        name = f"{name}/"
        if listing is not None and listing.knows(name):
            return listing.at, name in listing.rows
        own = self.get(f"{key}/", oldest)
        if own is not None and (own.surely_has_any() or not own.unknown_names):
            return own.at, bool(own.rows)
        missing = self._missing(prefix, oldest)
        return (missing[0], False) if missing else None

    def _missing(self, prefix: str, oldest: float) -> Seen | None:
        # Only the nearest listing above can say that a directory does not exist.
        while prefix:
            prefix, name = split_directory(prefix)
            listing = self.get(prefix, oldest)
            if listing is not None:
                absent = name not in listing.rows and listing.knows(name)
                return (listing.at, None) if absent else None
        return None

    # Scans

    def grow(self, prefix: str) -> ListingInProgress:
        """Begin to note what is written below a directory that is being listed."""
        growing = ListingInProgress()
        self._growing.setdefault(prefix, []).append(growing)
        return growing

    def stop(self, prefix: str, growing: ListingInProgress) -> None:
        """Stop noting."""
        active = self._growing.get(prefix, [])
        active[:] = [other for other in active if other is not growing]
        if not active:
            self._growing.pop(prefix, None)

    def keep(self, prefix: str, listing: Listing) -> None:
        """Remember a listing, unless one that was asked for later is there or it is too large."""
        held = self._kept.get(prefix)
        if held is not None and held.at > listing.at:
            return
        if len(listing.rows) <= self._max_rows:
            self._kept[prefix] = listing

    def begin(self, prefix: str, at: float, oldest: float) -> None:
        """Remember that a directory is empty, unless more is known of it."""
        if self.get(prefix, oldest) is None:
            self._kept[prefix] = Listing(at, {})

    # Writing

    def put(self, key: str, row: bytes, oldest: float) -> None:
        """Show a new object, and the directories above it."""
        self._set(*split(key), row, oldest)
        for prefix, name in above(key):
            self._set(prefix, name, COMMON_PREFIX, oldest)

    def delete(
        self, key: str, oldest: float, has_marker: Callable[[str], bool]
    ) -> list[tuple[str, float | None]]:
        """Show an object no more, nor the directories that vanish with it.

        Returns the directories (ending in "/") whose existence changed: with the age of the
        knowledge that they are gone, or None when nobody knows.
        """
        prefix, name = split(key)
        self._set(prefix, name, None, oldest)
        gone: list[tuple[str, float | None]] = []
        while prefix and not has_marker(prefix):
            listing = self.get(prefix, oldest)
            if listing is None or (listing.unknown_names and not listing.surely_has_any()):
                return gone + [
                    (path, None) for path in self._invalidate_above(prefix, oldest, has_marker)
                ]
            if listing.rows:
                break
            gone.append((prefix, listing.at))
            prefix, name = split_directory(prefix)
            self._set(prefix, name, None, oldest)
            parent = self._kept.get(prefix)
            if parent is not None:
                parent.at = min(parent.at, listing.at)
        return gone

    def invalidate(self, key: str, oldest: float, has_marker: Callable[[str], bool]) -> list[str]:
        """Invalidate a key; return the directories that are invalid with it."""
        prefix, name = split(key)
        self._invalidate(prefix, name)
        listing = self.get(prefix, oldest)
        if not prefix or has_marker(prefix) or (listing and listing.surely_has_any()):
            return []
        return self._invalidate_above(prefix, oldest, has_marker)

    def invalidate_prefix(self, prefix: str) -> None:
        """Drop the listings of all directories below `prefix` and of those that show it."""
        for directory in [d for d in self._kept if d.startswith(prefix) or prefix.startswith(d)]:
            del self._kept[directory]
        for directory, growing in self._growing.items():
            if directory.startswith(prefix) or prefix.startswith(directory):
                for one in growing:
                    one.invalid = True

    def _invalidate_above(
        self, prefix: str, oldest: float, has_marker: Callable[[str], bool]
    ) -> list[str]:
        invalidated = []
        while prefix and not has_marker(prefix):
            invalidated.append(prefix)
            prefix, name = split_directory(prefix)
            self._invalidate(prefix, name)
            listing = self.get(prefix, oldest)
            if listing is not None and listing.surely_has_any():
                break
        return invalidated

    def _set(self, prefix: str, name: str, row: bytes | None, oldest: float) -> None:
        for growing in self._growing.get(prefix, ()):
            growing.changes[name] = row
            growing.unknown.discard(name)
        listing = self._kept.get(prefix)
        if listing is None:
            return
        if listing.at <= oldest:
            del self._kept[prefix]
            return
        listing.unknown_names.discard(name)
        if row is None:
            listing.rows.pop(name, None)
        elif name in listing.rows:
            listing.rows[name] = row
        else:
            listing.rows[name] = row
            self._reweigh(prefix, listing)

    def _reweigh(self, prefix: str, listing: Listing) -> None:
        if len(listing.rows) > self._max_rows:
            del self._kept[prefix]
        else:
            self._kept[prefix] = listing

    def _invalidate(self, prefix: str, name: str) -> None:
        for growing in self._growing.get(prefix, ()):
            growing.changes.pop(name, None)
            growing.unknown.add(name)
        listing = self._kept.get(prefix)
        if listing is not None:
            listing.unknown_names.add(name)
