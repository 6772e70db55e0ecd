"""Keys in UTF-8 byte order, and how a listing walks them. Pure: knows no object and no lock."""

from bisect import bisect_left, insort
from collections.abc import Iterator


class SortedKeys:
    """A set of keys in UTF-8 byte order, which is the order of `str` by code points."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: str) -> bool:
        at = bisect_left(self._keys, key)
        return at < len(self._keys) and self._keys[at] == key

    def add(self, key: str) -> None:
        """Hold `key` from now on."""
        if key not in self:
            insort(self._keys, key)

    def discard(self, key: str) -> None:
        """Hold `key` no more."""
        at = bisect_left(self._keys, key)
        if at < len(self._keys) and self._keys[at] == key:
            del self._keys[at]

    def has_prefix(self, prefix: str) -> bool:
        """Say whether any key begins with `prefix`."""
        at = bisect_left(self._keys, prefix)
        return at < len(self._keys) and self._keys[at].startswith(prefix)

    def walk(self, prefix: str, delimiter: str, after: str | None) -> Iterator[tuple[str, bool]]:
        """Yield (key, False) and (common prefix, True) below `prefix`, those after `after` only.

        `after` is what an earlier walk yielded last.
        """
        at = self._position(prefix, delimiter, after)
        while at < len(self._keys) and self._keys[at].startswith(prefix):
            key = self._keys[at]
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            if end < 0:
                yield key, False
                at += 1
            else:
                common = key[: end + len(delimiter)]
                yield common, True
                at = bisect_left(self._keys, _past(common))

    def _position(self, prefix: str, delimiter: str, after: str | None) -> int:
        if after is None:
            return bisect_left(self._keys, prefix)
        if delimiter and after != prefix and after.endswith(delimiter):
            return bisect_left(self._keys, _past(after))
        return bisect_left(self._keys, after + "\0")


def _past(prefix: str) -> str:
    """Return the first string after all that begin with `prefix` (which ends in a delimiter)."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
