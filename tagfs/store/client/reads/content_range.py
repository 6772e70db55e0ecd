"""Which bytes of an object an answer to GetObject holds. Pure.

Content-Range decides, whatever the status: rclone's S3 server answers ranges with 200. What an
answer says is held against what was asked and against what came, for whatever else it may be, a
part that is taken for the whole is content lost.
"""

from typing import NamedTuple

from tagfs.errors import MalformedResponse
from tagfs.store.http.messages import OK, Response

_PARTIAL = 206


class Extent(NamedTuple):
    """What came.

    Attributes:
        total: bytes of the whole object.
        is_told: whether the answer says so; else a whole body was taken for the whole object.
    """

    total: int
    is_known: bool


def find_extent(answer: Response, start: int, length: int | None) -> Extent:
    """Return what came for `length` bytes from `start` on, all if None.

    Raises:
        MalformedResponse: it is not what was asked for, or not what the headers say.
    """
    header = answer.headers.get("content-range")
    if header is not None and answer.status in {OK, _PARTIAL}:
        first, last, total = _parse_range(header)
        if last - first + 1 != len(answer.body):
            raise MalformedResponse(f"{len(answer.body)} bytes with content-range {header!r}")
        end = total if length is None else min(start + length, total)
        if (first, last + 1) != (start, end):
            raise MalformedResponse(f"content-range {header!r} instead of {start}-{end - 1}")
        return Extent(total, is_known=True)
    if answer.status != OK:  # 206 without a range has several, or none
        raise MalformedResponse(f"status {answer.status} with content-range {header!r}")
    if start:
        raise MalformedResponse(f"bytes from 0 on instead of {start}")
    # A body without a length may be another one than is stored: decompressed on the way, say.
    return Extent(len(answer.body), is_known=length is None and "content-length" in answer.headers)


def _parse_range(text: str) -> tuple[int, int, int]:
    """Read `bytes FIRST-LAST/TOTAL`; the last byte is inside."""
    unit, _, rest = text.strip().partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    numbers = [first, last, total]
    if unit.lower() != "bytes" or not all(n.isascii() and n.isdigit() for n in numbers):
        raise MalformedResponse(f"content-range {text!r}")
    if not int(first) <= int(last) < int(total):
        raise MalformedResponse(f"content-range {text!r}")
    return int(first), int(last), int(total)
