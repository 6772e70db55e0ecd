"""Ranges as HTTP has them: which part of a content is to be sent."""

import re
from collections.abc import Mapping

from tagfs.emulator.engine.errors import ServiceError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def choose_range(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """Return start and length of the part to send; None means the whole object.

    A malformed range, or several, are ignored; one that reaches over the end is cut there.

    Raises:
        ServiceError: 416, there is nothing to send.
    """
    match = _RANGE.fullmatch(headers.get("Range", "").strip())
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start, end = int(match[1]), int(match[2]) if match[2] else size - 1
        if match[2] and end < start:
            return None
    else:
        start, end = max(size - int(match[2]), 0), size - 1
    if start >= size or (not match[1] and int(match[2]) == 0):
        raise unsatisfiable(size)
    return start, min(end, size - 1) - start + 1


def unsatisfiable(size: int) -> ServiceError:
    """Return the error of a range that holds nothing."""
    return ServiceError("InvalidRange", headers={"Content-Range": f"bytes */{size}"})
