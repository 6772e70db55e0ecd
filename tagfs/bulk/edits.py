"""One change of one item: what it does, what it would do, and what is written down of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tagfs.bulk.audit import Audit
from tagfs.bulk.targets import TagOwner
from tagfs.errors import NotFound, TagfsError
from tagfs.store.tags import TagRules, TagSet


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a tag set.

    Attributes:
        change: makes the wanted set from the present one.
        whole: the wanted set, where it does not depend on the present one.
    """

    change: Callable[[TagSet], TagSet]
    whole: TagSet | None = None


def replacement(tags: TagSet) -> Edit:
    """Return the change that leaves exactly `tags`."""
    return Edit(lambda _: tags, tags)


def addition(tags: TagSet) -> Edit:
    """Return the change that sets `tags` and keeps the others."""
    return Edit(lambda present: TagSet({**present, **tags}))


def removal(keys: tuple[str, ...]) -> Edit:
    """Return the change that removes some tags, which need not be there."""
    return Edit(lambda present: TagSet({k: v for k, v in present.items() if k not in keys}))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item.

    Attributes:
        old: its tags before, where they were read.
        new: its tags now (or as they would be).
        gone: a listing showed it, but it is there no more.
        requests: reads and writes that the change takes.
    """

    item: TagOwner
    old: TagSet | None = None
    new: TagSet | None = None
    error: TagfsError | None = None
    gone: bool = False
    requests: tuple[int, int] = field(default=(0, 0))

    @property
    def changed(self) -> bool:
        """Whether tags were written (or would be)."""
        return self.error is None and not self.gone and self.old != self.new


def rules_of(item: TagOwner) -> TagRules:
    """Return the rules that hold for an item's tags."""
    access = item.place.access
    return access.object_tag_rules if item.address.key else access.bucket_tag_rules


def read(item: TagOwner) -> Outcome:
    """Read an item's tags."""
    try:
        _, tags = item.place.access.get(item.address)
    except TagfsError as error:
        return _failed(item, error)
    return Outcome(item, tags, tags, requests=(1, 0))


class Editor:
    """Applies changes. Thread-safe.

    Whoever sends a tag set checks it first; here only what is written down without being sent.

    Args:
        dry: only say what would be done.
    """

    def __init__(self, audit: Audit | None = None, *, dry: bool = False) -> None:
        self._audit = audit
        self._dry = dry

    def apply(self, item: TagOwner, edit: Edit) -> Outcome:
        """Make one change, or say why not."""
        try:
            if self._dry:
                return self._foresee(item, edit)
            if edit.whole is not None and self._audit is None:
                item.place.access.put(item.address, edit.whole)
                return Outcome(item, None, edit.whole, requests=(0, 1))
            return self._update(item, edit)
        except TagfsError as error:
            return _failed(item, error)

    def _foresee(self, item: TagOwner, edit: Edit) -> Outcome:
        _, old = item.place.access.get(item.address)
        new = edit.change(old)
        rules_of(item).check(new, old)
        blind = edit.whole is not None and self._audit is None
        return Outcome(item, old, new, requests=(int(not blind), int(blind or old != new)))

    def _update(self, item: TagOwner, edit: Edit) -> Outcome:
        old = TagSet()
        begun: list[str] = []

        def change(key: str, present: TagSet) -> TagSet:
            nonlocal old
            old = present
            wanted = edit.change(present)
            if wanted != present and self._audit is not None:
                rules_of(item).check(wanted, present)
                begun.append(self._audit.begin(item.place, key, present, wanted))
            return wanted

        try:
            new = item.place.access.update(item.address, change)
        except TagfsError as error:
            self._ended(begun, error)
            raise
        self._ended(begun, None)
        return Outcome(item, old, new, requests=(1, int(old != new)))

    def _ended(self, begun: list[str], failure: TagfsError | None) -> None:
        if self._audit is not None:
            for name in begun:
                self._audit.end(name, failure)


def _failed(item: TagOwner, error: TagfsError) -> Outcome:
    if item.listed and isinstance(error, NotFound):
        return Outcome(item, gone=True)
    if type(error) is NotFound and item.place.mount is None and not item.address.key.endswith("/"):
        error = NotFound(f"no such object (a directory is written with a / at its end): {error}")
    return Outcome(item, error=error)
