"""The numbers that a service fixes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers that a service fixes (bytes, unless named otherwise).

    Attributes:
        max_key: bytes of a key in UTF-8.
        max_head: bytes of all headers of a request; None for more than any has.
        head_reserve: of these, what signature, token and the like may take.
        max_tag_header: bytes of the header of tags, in which servers have the least room.
        max_metadata: bytes of all user metadata, names and values.
        max_object: one object.
        max_put: one PutObject.
        max_parts: number of parts in one upload.
        min_part: every part but the last.
        max_part: one part.
        max_copy_part: one part copied by the service.
        delete_batch: keys in one DeleteMultipleObjects.
    """

    max_key: int = 1023
    max_head: int | None = None
    head_reserve: int = 2048
    max_tag_header: int = 7 * 1024
    max_metadata: int = 8192
    max_object: int = 48_800 * 1024**3
    max_put: int = 5 * 1024**3
    max_parts: int = 10_000
    min_part: int = 100 * 1024
    max_part: int = 5 * 1024**3
    max_copy_part: int = 5 * 1024**3
    delete_batch: int = 1000
