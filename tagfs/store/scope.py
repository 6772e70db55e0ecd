"""Which objects of a bucket a mount shows, as far as changes have to know that.

A bucket that shows only some objects hides the others from who looks. Who makes or moves something
asks here first: what is hidden is never in the way unseen, and what is made is never hidden.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tagfs.store.objects import ObjectInfo
from tagfs.store.tags import NO_TAGS


class Scope(Protocol):
    """What is shown."""

    def check_name(self, key: str, *, exclusive: bool) -> None:
        """See that nothing hidden has a name at which nothing is seen.

        Raises:
            AlreadyExists: `exclusive`, and something has.
            NotShown: something has.
        """
        ...

    def check_tags(
        self, key: str, tags: Mapping[str, str], defaults: Mapping[str, str] = NO_TAGS
    ) -> None:
        """See that an object is shown that is written with these tags, and with default ones.

        `defaults` are its own, which go before those of all objects.

        Raises:
            NotShown
        """
        ...

    def check_all(self, objects: Sequence[ObjectInfo]) -> None:
        """See that none of these is hidden: they are to be moved, with what is seen of them.

        Raises:
            NotShown
        """
        ...


class Everything:
    """The scope of a mount that hides nothing."""

    def check_name(self, key: str, *, exclusive: bool) -> None:
        """Nothing is hidden."""

    def check_tags(
        self, key: str, tags: Mapping[str, str], defaults: Mapping[str, str] = NO_TAGS
    ) -> None:
        """All tags are shown."""

    def check_all(self, objects: Sequence[ObjectInfo]) -> None:
        """Nothing is hidden."""


def _keeps_the_contract(scope: Everything) -> Scope:
    return scope
