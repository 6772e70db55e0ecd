"""What is among the views, as stat(2) shows it."""

from dataclasses import dataclass

from tagfs.fs.mapping.posix_metadata import Attributes


@dataclass(frozen=True, slots=True)
class Shown:
    """Something among the views."""

    attributes: Attributes
    size: int
