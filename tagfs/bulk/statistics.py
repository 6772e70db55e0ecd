"""How often each tag is there, of how many bytes: sums over objects."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tagfs.store.tags import TagSet
from tagfs.terminal.format import shown, size_text

UNTAGGED = "(untagged)"
ALL = "(all)"


@dataclass(slots=True)
class Sum:
    """Some objects, and their bytes."""

    objects: int = 0
    size: int = 0

    def add(self, size: int) -> None:
        """Count one more."""
        self.objects += 1
        self.size += size

    def as_json(self) -> dict[str, int]:
        """Return it for programs."""
        return {"objects": self.objects, "bytes": self.size}

    def cells(self) -> list[str]:
        """Return it for people."""
        return [f"{self.objects:,}", size_text(self.size)]


@dataclass(slots=True)
class KeySums:
    """The objects that have a tag, and those of each of its values."""

    all: Sum = field(default_factory=Sum)
    values: dict[str, Sum] = field(default_factory=dict)

    def most_frequent(self) -> list[tuple[str, Sum]]:
        """Return the values, the most frequent first."""
        return sorted(self.values.items(), key=lambda item: (-item[1].objects, item[0]))


@dataclass(slots=True)
class TagSums:
    """The tags of some objects."""

    all: Sum = field(default_factory=Sum)
    untagged: Sum = field(default_factory=Sum)
    keys: dict[str, KeySums] = field(default_factory=dict)

    def add(self, tags: TagSet, size: int) -> None:
        """Count one object."""
        self.all.add(size)
        if not tags:
            self.untagged.add(size)
        for key, value in tags.items():
            sums = self.keys.setdefault(key, KeySums())
            sums.all.add(size)
            sums.values.setdefault(value, Sum()).add(size)

    def most_frequent(self) -> list[tuple[str, KeySums]]:
        """Return the keys, the most frequent first."""
        return sorted(self.keys.items(), key=lambda item: (-item[1].all.objects, item[0]))

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            **self.all.as_json(),
            "untagged": self.untagged.as_json(),
            "keys": {
                key: {
                    **sums.all.as_json(),
                    "values": {value: one.as_json() for value, one in sums.most_frequent()},
                }
                for key, sums in self.most_frequent()
            },
        }

    def rows(self, most: int) -> Iterator[list[str]]:
        """Yield the lines of a table, with so many values of each key at most; 0: all of them."""
        yield ["KEY", "VALUE", "OBJECTS", "SIZE"]
        for key, sums in self.most_frequent():
            yield [shown(key), "", *sums.all.cells()]
            values = sums.most_frequent()
            for value, one in values[: most or None]:
                yield ["", shown(value) or '""', *one.cells()]
            if most and len(values) > most:
                yield ["", f"... {len(values) - most:,} more", "", ""]
        yield [UNTAGGED, "", *self.untagged.cells()]
        yield [ALL, "", *self.all.cells()]

    def row(self, directory: str) -> list[str]:
        """Return the line of a table of directories."""
        keys = ", ".join(f"{shown(key)} {sums.all.objects:,}" for key, sums in self.most_frequent())
        return [shown(directory), keys or "-", f"{self.untagged.objects:,}", *self.all.cells()]
