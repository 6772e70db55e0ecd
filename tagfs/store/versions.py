"""Is it the same object? Pure: what two descriptions prove of each other, and nothing guessed.

Evidence differs by question, because answers differ in what they tell. Evidence that one side
does not have proves nothing; where a question needs it all the same, the answer is no.

============================  =====  ======  =====  ========  ======  =============
question                      ETag   CRC-64  size   metadata  target  Last-Modified
============================  =====  ======  =====  ========  ======  =============
`same_version`                yes    -       yes    -         -       by the second
`is_version`                  yes    -       -      -         -       -
`may_be_version`              told   -       -      -         -       -
`is_what_was_sent`            sent   sent    sent   sent      sent    not before
`same_content`                or     first   yes    -         -       -
`copies_match`                or     first   yes    yes       -       not before
`is_part`                     yes    told    yes    -         -       -
============================  =====  ======  =====  ========  ======  =============

An ETag is of content: it stays when metadata or tags change, which Last-Modified alone shows. A
link has no content, and services differ in whose ETag they tell: its own or its target's.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from tagfs.errors import IntegrityError
from tagfs.store.objects import Detail, ObjectInfo, ObjectType, Part

_SECOND: Final = 1_000_000_000
_CLOCK_STEP_NS: Final = 2 * _SECOND  # Last-Modified is sent in whole seconds, by another clock


def same_version(one: ObjectInfo, other: ObjectInfo, *, apart: int = 0) -> bool:
    """Say whether two answers describe one version, its metadata and tags included.

    Whole seconds are compared, because headers tell no more. `apart` seconds may lie between them.
    """
    return (
        one.etag == other.etag
        and one.size == other.size
        and one.type is other.type
        and abs(one.last_modified_ns // _SECOND - other.last_modified_ns // _SECOND) <= apart
    )


def is_settled(modified_ns: int, asked_ns: int) -> bool:
    """Say whether any change after an answer that was asked for at `asked_ns` must show.

    That is, whether it moves Last-Modified, which is sent in whole seconds by another clock.
    """
    return asked_ns - modified_ns >= _CLOCK_STEP_NS


def is_version(found: ObjectInfo, meant: ObjectInfo) -> bool:
    """Say whether what was found surely has the content that is meant."""
    return bool(meant.etag) and found.etag == meant.etag


def may_be_version(found: ObjectInfo, meant: ObjectInfo) -> bool:
    """Say whether what was found may have the content that is meant, as far as looking can tell.

    Nothing tells two links apart: what is meant is another one if it is none any more.
    """
    if ObjectType.SYMLINK in (found.type, meant.type):
        return found.type is meant.type
    return not meant.etag or found.etag == meant.etag


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What is known of an object that was sent; None is no evidence.

    Attributes:
        metadata: names in any case.
        parts: how many parts it was put together from, which its ETag ends in.
        not_before_ns: when sending began, nanoseconds since the epoch on the service's clock.
    """

    size: int | None = None
    type: ObjectType | None = None
    etag: str | None = None
    crc64: int | None = None
    metadata: Mapping[str, str] | None = None
    target: str | None = None
    parts: int | None = None
    not_before_ns: int | None = None


def is_what_was_sent(found: ObjectInfo, sent: Sent) -> bool:
    """Say whether an object is what was sent: all evidence of that must be there, and fit."""
    detail = found.detail or Detail()
    pairs = [
        (sent.size, found.size),
        (sent.type, found.type),
        (sent.etag, found.etag),
        (sent.crc64, detail.crc64),
        (sent.target, detail.target),
        (None if sent.metadata is None else lower_names(sent.metadata), detail.metadata),
    ]
    if any(wanted is not None and wanted != reported for wanted, reported in pairs):
        return False
    if sent.parts is not None and not found.etag.endswith(f"-{sent.parts}"):
        return False
    earliest = sent.not_before_ns
    return earliest is None or found.last_modified_ns >= earliest - _CLOCK_STEP_NS


def same_content(one: ObjectInfo, other: ObjectInfo) -> bool:
    """Say whether two objects, at different keys, surely have the same bytes. Not for links."""
    if one.size != other.size or one.detail is None or other.detail is None:
        return False
    if None not in (one.detail.crc64, other.detail.crc64):
        return one.detail.crc64 == other.detail.crc64
    return is_version(one, other)


def copies_match(
    original: ObjectInfo, copy: ObjectInfo, *, own_metadata: Container[str] = ()
) -> bool:
    """Say whether one object is a copy of another in all but its tags, and no older.

    `own_metadata` are names that a copy may have of its own. Of links neither content nor target
    is compared: who asks knows how each is written.
    """
    if original.detail is None or copy.detail is None:
        return False
    are_links = ObjectType.SYMLINK in (original.type, copy.type)
    return (
        original.last_modified_ns <= copy.last_modified_ns
        and (original.type is copy.type if are_links else same_content(original, copy))
        and _without(original.detail.metadata, own_metadata)
        == _without(copy.detail.metadata, own_metadata)
        and dict(original.detail.headers) == dict(copy.detail.headers)
    )


def is_part(found: Part, sent: Part) -> bool:
    """Say whether the service has a part as it would be sent; its ETag is the MD5 of one."""
    return (
        found.size == sent.size
        and found.etag.upper() == sent.etag.upper()
        and found.crc64 in (None, sent.crc64)
    )


def check_same_size(known: ObjectInfo, found: ObjectInfo) -> None:
    """Raise if two answers tell different sizes of one version: one is a part's.

    A link is reported with its own size or its target's, and is left out.

    Raises:
        IntegrityError
    """
    linked = ObjectType.SYMLINK in (known.type, found.type)
    if not linked and is_version(found, known) and known.size != found.size:
        raise IntegrityError(
            f"{found.key!r}: {found.size} bytes where {known.size} are known of the same version"
        )


def lower_names(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata as services tell it: names in lower case."""
    return {name.lower(): value for name, value in metadata.items()}


def _without(metadata: Mapping[str, str], names: Container[str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name not in names}
