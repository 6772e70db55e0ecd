"""Walks: noticing that a program goes through a listed directory, and how far to go ahead of it.

Pure but for a clock that is passed in. A walk is one kind of question (stat, tags, content) asked
of one entry after the other, in the order of the listing or in that of inode numbers, by which
cp(1) sorts what it has listed. Its window is 0 until the second entry is asked for, grows while the
walk goes on, and starts anew after a jump.
"""

from array import array
from dataclasses import dataclass, field

from cachetools import LRUCache

from tagfs.fs.mapping.paths import join

FIRST_WINDOW = 16
"""Entries to go ahead when a walk is noticed."""

EAGER_WINDOW = 32
"""Entries to go ahead of the first one, if it is asked for right after the directory was read."""

GROWTH = 4
"""How much further a walk goes ahead each time that it has come half of the way."""

MAX_WINDOW = 384
"""Entries to go ahead at most."""

SKIPPED = 4
"""Entries that a walk may leave out and still be one: directories among files, links, ..."""

IMMEDIATE = ("stat", "tags")
"""What is asked for ahead from the first entry on, after its directory was read."""

FRESH = 2.0
"""Seconds after which a look at the first entry has nothing to do with reading the directory."""

SIBLINGS = 3
"""Entries looked at in a directory that was not read, after which its names are."""

MAX_UNLISTED = 1000
"""Directories of which such looks are counted."""


Ahead = tuple[str, int]
"""A path to be fetched ahead, and its type bits, 0 if unknown."""


@dataclass(slots=True)
class Walk:
    """How far one kind of question has come.

    Attributes:
        last: index asked for last.
        done: index before which everything was asked for, by the program or ahead of it.
        since: when this walk began (seconds), at index `first`.
    """

    last: int = -1
    done: int = 0
    window: int = 0
    since: float = 0.0
    first: int = 0


@dataclass(slots=True)
class ListedDirectory:
    """The entries of one directory in the order of walks, and the walks through them.

    Attributes:
        kinds: type bits of each entry, 0 where unknown.
        numbers: inode number of each entry, as long as they are in listing order.
        since: when it was listed (seconds).
        last: index of the entry that was asked for last.
    """

    since: float
    names: list[str] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    walks: dict[str, Walk] = field(default_factory=dict)
    numbers: "array[int]" = field(default_factory=lambda: array("Q"))
    last: int = -1
    _other: "array[int] | None" = None  # rank of each entry in the other order

    def add(self, name: str, kind: int, number: int | None = None) -> None:
        """Append an entry; `number` is its inode number, None if none was reported."""
        self.index[name] = len(self.names)
        self.names.append(name)
        self.kinds.append(kind)
        if number is not None:
            self.numbers.append(number)

    def entries(self, parent: str, which: range) -> list[Ahead]:
        """Return paths and kinds of some entries of the directory at `parent`."""
        return [(join(parent, self.names[at]), self.kinds[at]) for at in which]

    def follow(self, name: str) -> int:
        """Note that an entry is asked for; return its index in the order of the caller."""
        index, last = self.index[name], self.last
        if last >= 0 and not last <= index <= last + SKIPPED:
            ranks = self._ranks()
            if ranks is not None and ranks[index] == ranks[last] + 1:
                self._reorder(ranks)
                index = self.index[name]
        self.last = index
        return index

    def _ranks(self) -> "array[int] | None":
        """Return the rank of each entry in the other order, None if that is not known."""
        if self._other is None and len(self.numbers) == len(self.names):
            self._other = array("Q", bytes(8 * len(self.names)))
            for rank, at in enumerate(sorted(range(len(self.names)), key=self.numbers.__getitem__)):
                self._other[at] = rank
        return self._other

    def _reorder(self, ranks: "array[int]") -> None:
        """Take the other order. Walks begin anew: one step may be chance, two are none."""
        order = sorted(range(len(self.names)), key=ranks.__getitem__)
        self.names = [self.names[at] for at in order]
        self.kinds = [self.kinds[at] for at in order]
        self.index = {name: at for at, name in enumerate(self.names)}
        self.walks = {}
        self._other = array("Q", order)

    def is_walking(self, what: str, index: int) -> bool:
        """Say whether a walk is under way whose window reaches `index`, or has just passed it."""
        walk = self.walks.get(what)
        return walk is not None and walk.window > 0 and walk.last - SKIPPED <= index <= walk.done

    def begin(self, what: str, now: float) -> range:
        """Take the first entry, which is asked for, for the beginning of a walk."""
        window = min(EAGER_WINDOW, len(self.names) - 1)
        self.walks[what] = Walk(last=0, done=1 + window, window=EAGER_WINDOW, since=now)
        return range(1, 1 + window)

    def begin_at(self, what: str, name: str) -> None:
        """Take an entry, which is asked for, for one of a walk that goes on behind it."""
        at = self.index.get(name, -1)
        self.walks[what] = Walk(last=at, done=at + 1, since=self.since, first=at)

    def step(self, what: str, index: int, now: float, *, within: float | None = None) -> range:
        """Note that entry `index` is asked for; return the entries to ask for ahead.

        `within` (seconds) bounds the window to what the walk, at its pace, will reach in that time.
        """
        walk = self.walks.setdefault(what, Walk())
        if index == walk.last:
            return range(0)
        if not walk.last < index <= max(walk.last + SKIPPED, walk.done) or walk.last < 0:
            self.walks[what] = Walk(last=index, done=index + 1, since=now, first=index)
            return range(0)
        walk.last = index
        return self._go_on(walk, index, now, within)

    def step_page(self, what: str, index: int, now: float) -> range:
        """Note that a page of entries from `index` on is asked for in a walk, as in `step`.

        What is asked of its entries one by one after that goes on with the same walk.
        """
        walk = self.walks.get(what)
        if walk is None or not walk.last < index <= walk.done:
            walk = self.walks[what] = Walk(done=index, window=EAGER_WINDOW // GROWTH, since=now)
        walk.last = index - 1
        return self._go_on(walk, index - 1, now)

    def _go_on(self, walk: Walk, index: int, now: float, within: float | None = None) -> range:
        """Return the entries to ask for ahead of entry `index`, which a walk has come to."""
        walk.done = max(walk.done, index + 1)
        if walk.window and index + walk.window * 3 // 4 < walk.done:
            return range(0)  # enough is under way
        walk.window = min(MAX_WINDOW, max(FIRST_WINDOW, walk.window * GROWTH))
        if within is not None:
            pace = (now - walk.since) / max(1, index - walk.first)
            walk.window = min(walk.window, max(1, int(within / pace) if pace > 0 else MAX_WINDOW))
        start, end = walk.done, min(index + 1 + walk.window, len(self.names))
        walk.done = max(start, end)
        return range(start, end)


class WalkStarts:
    """Where walks begin: at the second entry, or at the first where that is usual.

    It is usual while the last look at a directory's first entry was followed by the others
    (`ls -l`, `find`, `getfattr -R`). A program that takes the first entry of a spool directory,
    over and over, costs nothing more.
    """

    def __init__(self) -> None:
        # The walk whose directory's first entry was looked at, or asked for its tags, last.
        self._first: dict[str, Walk] = {}

    def step(
        self,
        directory: ListedDirectory,
        what: str,
        index: int,
        now: float,
        *,
        within: float | None = None,
    ) -> range:
        """Note that an entry is asked for, as `ListedDirectory.step`; return what is due ahead."""
        first = what in IMMEDIATE and index == 0 and what not in directory.walks
        if first and now - directory.since < FRESH and self._is_usual(what):
            due = directory.begin(what, now)
        else:
            due = directory.step(what, index, now, within=within)
        if first:
            self._first[what] = directory.walks[what]
        return due

    def _is_usual(self, what: str) -> bool:
        first = self._first.get(what)
        return first is None or first.last > 0


class UnlistedLookups:
    """Counts what is looked at in directories that were not read."""

    def __init__(self) -> None:
        self._counts: LRUCache[str, tuple[int, str]] = LRUCache(MAX_UNLISTED)

    def record(self, directory: str, name: str) -> bool:
        """Note that `name` was found; say whether it is time to read the directory's names.

        A name that is looked at again, with no other between, counts once.
        """
        count, last = self._counts.get(directory, (0, ""))
        count += name != last
        self._counts[directory] = count % SIBLINGS, name
        return count == SIBLINGS
