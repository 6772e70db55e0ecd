"""Changes of a vocabulary: keys and values that get another name on many objects. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tagfs.bulk.edits import Edit
from tagfs.errors import SettingsError, TagExists
from tagfs.store.tags import TagSet


@dataclass(frozen=True, slots=True)
class Renaming:
    """What `rename` does to one tag.

    Attributes:
        key: the tag that is meant.
        value: only where it has this value; None: whatever it has.
        new_key: what its key becomes.
        new_value: what its value becomes; None: it stays.
    """

    key: str
    value: str | None
    new_key: str
    new_value: str | None

    @property
    def wanted(self) -> TagSet:
        """The tags that the rules have to allow, as far as that is known before any read."""
        return TagSet({self.new_key: self.new_value or ""})


def parse_renaming(old: str, new: str) -> Renaming:
    """Read `KEY NEWKEY`, `KEY=VALUE NEWVALUE` or `KEY=VALUE NEWKEY=NEWVALUE`.

    Raises:
        SettingsError: an empty key, or a new value for whatever value there is.
    """
    key, has_value, value = old.partition("=")
    first, is_pair, second = new.partition("=")
    if not key or not first:
        raise SettingsError(f"{old!r} {new!r}: a key is empty")
    if not has_value:
        if is_pair:
            raise SettingsError(
                f"{new!r}: this would give every value of {key!r} one value; write KEY=VALUE {new}"
            )
        return Renaming(key, None, new, None)
    if is_pair:
        return Renaming(key, value, first, second)
    return Renaming(key, value, key, new)


def renaming(wanted: Renaming) -> Edit:
    """Return the change that renames one tag, where it is; other tags stay."""

    def change(present: TagSet) -> TagSet:
        value = present.get(wanted.key)
        if value is None or wanted.value not in (None, value):
            return present
        new = value if wanted.new_value is None else wanted.new_value
        rest = {k: v for k, v in present.items() if k != wanted.key}
        return _with(rest, wanted.new_key, new)

    return Edit(change)


def merging(keys: Sequence[str], new_key: str, *, force: bool) -> Edit:
    """Return the change that makes one tag of several; `force`: the first value found wins.

    The tag `new_key` counts as the first of them, then they come in the order of `keys`.
    """

    def change(present: TagSet) -> TagSet:
        found = [k for k in dict.fromkeys((new_key, *keys)) if k in present]
        if not found or found == [new_key]:
            return present
        values = {present[key] for key in found}
        if len(values) > 1 and not force:
            pairs = " ".join(f"{key}={present[key]}" for key in found)
            raise TagExists(f"{pairs}: which value is right? --force keeps the first")
        rest = {k: v for k, v in present.items() if k not in found}
        return TagSet({**rest, new_key: present[found[0]]})

    return Edit(change)


def _with(rest: Mapping[str, str], key: str, value: str) -> TagSet:
    """Return the tags with one more.

    Raises:
        TagExists: there is another value, which would be lost.
    """
    if rest.get(key, value) != value:
        raise TagExists(f"has {key}={rest[key]} already, so {key}={value} cannot be set as well")
    return TagSet({**rest, key: value})
