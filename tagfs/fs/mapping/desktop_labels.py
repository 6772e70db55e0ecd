"""Desktop labels (`user.xdg.tags`) as tags of the service.

Pure. KDE, Caja and others keep the labels of a file in one attribute, parted by commas. Services
allow no comma in a tag, and a label may have a slash in it (`parent/child`), so one tag that holds
all of them parts them by colons.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tagfs.errors import InvalidTag
from tagfs.store.tags import TagSet

LABELS_NAME: Final = "user.xdg.tags"

EACH: Final = "keys"
"""The choice of a tag for each label, whose value is empty."""

_BETWEEN: Final = ":"


@dataclass(frozen=True, slots=True)
class DesktopLabels:
    """Reads and writes labels in a tag set.

    Attributes:
        choice: the key of the tag that holds them all, or `EACH`.
        is_reserved: says of a key whether only the service changes its tag.
    """

    choice: str
    is_reserved: Callable[[str], bool]

    def read(self, tags: TagSet) -> str | None:
        """Return the attribute's value; None if there are no labels."""
        if self.choice == EACH:
            labels = [key for key in tags if self._is_label(tags, key)]
        else:
            labels = [label for label in tags.get(self.choice, "").split(_BETWEEN) if label]
        return ",".join(labels) or None

    def change(self, tags: TagSet, text: str) -> TagSet:
        """Return the tags with these labels and no others; what is no label stays as it is.

        Raises:
            InvalidTag: a label that would be read back as two.
        """
        labels = list(dict.fromkeys(filter(None, (part.strip() for part in text.split(",")))))
        if self.choice == EACH:
            return self._with_keys(tags, labels)
        for label in labels:
            if _BETWEEN in label:
                raise InvalidTag(f"label {label!r}: {_BETWEEN!r} parts the labels of one tag")
        if labels:
            return tags.with_tag(self.choice, _BETWEEN.join(labels))
        return tags.without_tag(self.choice) if self.choice in tags else tags

    def _with_keys(self, tags: TagSet, labels: list[str]) -> TagSet:
        kept = {k: v for k, v in tags.items() if k in labels or not self._is_label(tags, k)}
        return TagSet({**kept, **{label: "" for label in labels if label not in kept}})

    def _is_label(self, tags: TagSet, key: str) -> bool:
        return not tags[key] and "," not in key and not self.is_reserved(key)
