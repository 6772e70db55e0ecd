"""Which requests make a staged file an object: chosen from values alone; pure.

A mount chooses by this when a file is closed, and `tagfs recover` when it finishes what a mount
left, so that what one has begun the other can end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tagfs.errors import FileTooLarge
from tagfs.fs.content.byte_ranges import ByteRanges
from tagfs.fs.content.part_plan import Segment, part_bounds, plan_edit
from tagfs.store.bucket import Capabilities, Limits
from tagfs.store.objects import ObjectInfo, ObjectType


@dataclass(frozen=True, slots=True)
class ContentShape:
    """Which bytes of a file are its own, and which are still those of the object it derives from.

    Attributes:
        size: bytes of the file.
        base_size: how many of the base's first bytes still belong to the file.
        written: ranges changed since the base, in order.
    """

    size: int
    base_size: int = 0
    written: tuple[tuple[int, int], ...] = ()

    def changed(self) -> ByteRanges:
        """Return what differs from the base: all that was written, and all beyond the base."""
        ranges = ByteRanges(*self.written)
        ranges.add(self.base_size, self.size)
        return ranges


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What the choice depends on besides the file: the bucket, and the parts that were chosen."""

    limits: Limits
    capabilities: Capabilities
    part_size: int

    def bounds(self, number: int) -> tuple[int, int]:
        """Return where part `number` (from 1) of a file sent from its beginning lies."""
        least = max(self.part_size, self.limits.min_part)
        return part_bounds(number, least, self.limits)

    @property
    def first_part(self) -> int:
        """Bytes of the first parts."""
        return self.bounds(1)[1]

    def check_size(self, key: str, size: int) -> None:
        """Raise FileTooLarge if no object can hold as many bytes."""
        if size > min(self.limits.max_object, self.bounds(self.limits.max_parts)[1]):
            raise FileTooLarge(f"{key}: {size} bytes are more than one object holds")


@dataclass(frozen=True, slots=True)
class Put:
    """Send the file whole in one request; what only the base has is fetched first."""


@dataclass(frozen=True, slots=True)
class Append:
    """Send what was added to an appendable object, which is all that is new."""

    base: ObjectInfo


@dataclass(frozen=True, slots=True)
class StartAppend:
    """Send the file whole, and make an object that can be appended to."""


@dataclass(frozen=True, slots=True)
class SendParts:
    """Send the file in parts; of those `copied` the service takes the bytes from the base."""

    segments: tuple[Segment, ...] = field(repr=False)

    @property
    def copies(self) -> bool:
        """Whether the service is to copy any part."""
        return any(segment.copied for segment in self.segments)


UploadPlan = Put | Append | StartAppend | SendParts


def plan_upload(
    shape: ContentShape, base: ObjectInfo | None, rules: UploadRules, *, appendable: bool = False
) -> UploadPlan:
    """Choose how a file is sent.

    `base` is the object that it derives from, and that is at its key now; None if it replaces none,
    or if what is there is another's. `appendable`: a new one is to be one that can be appended to.
    """
    if base is not None and _only_appended(shape, base) and rules.capabilities.append:
        return Append(base)
    if appendable and shape.size <= rules.limits.max_put:
        return StartAppend()
    derives = base is not None and shape.base_size > 0
    if shape.size <= rules.first_part * (1 if derives else 2):
        return Put()
    if derives and rules.capabilities.part_copies:
        edit = plan_edit(shape.changed(), shape.size, rules.first_part, rules.limits)
        return SendParts(tuple(edit))
    return SendParts(tuple(_from_beginning(shape.size, rules)))


def goes_on(shape: ContentShape, sent: int, rules: UploadRules) -> bool:
    """Say whether an upload of which `sent` parts were sent can still become the file."""
    return sent > 0 and not shape.base_size and shape.size > rules.bounds(sent)[0]


def _only_appended(shape: ContentShape, base: ObjectInfo) -> bool:
    """Say whether the file is an appendable object with bytes added at its end."""
    return (
        base.type is ObjectType.APPENDABLE
        and shape.base_size == base.size < shape.size
        and all(start >= base.size for start, _ in shape.written)
    )


def _from_beginning(size: int, rules: UploadRules) -> Iterable[Segment]:
    number, end = 0, 0
    while end < size:
        number += 1
        start, end = rules.bounds(number)
        yield Segment(start, min(end, size), copied=False)
