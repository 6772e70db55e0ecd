"""Ranges as OSS has them: one that does not fit is ignored unless HTTP is asked for."""

import re
from collections.abc import Mapping

from tagfs.emulator.engine.ranges import unsatisfiable

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_RANGES = re.compile(r"bytes=\s*\d*-\d*(\s*,\s*\d*-\d*)+")


def choose_range(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """Return start and length of the part to send; None means the whole object.

    Without `x-oss-range-behavior: standard` a range that does not fit is ignored, whatever HTTP
    says of it.

    Raises:
        ServiceError: 416, there is nothing to send.
    """
    text = headers.get("Range")
    if text is None:
        return None
    if _RANGES.fullmatch(text):
        raise unsatisfiable(size)
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return None
    standard = headers.get("x-oss-range-behavior", "").lower() == "standard"
    return _fit(match[1], match[2], size, standard=standard)


def _fit(first: str, last: str, size: int, *, standard: bool) -> tuple[int, int] | None:
    if first:
        start, end = int(first), int(last) if last else size - 1
        if last and end < start:
            return None
        fits = start < size and end < size
    else:
        start, end = max(size - int(last), 0), size - 1
        fits = 0 < int(last) <= size
    if fits:
        return start, end - start + 1
    if not standard:
        return None
    if start >= size or (not first and int(last) == 0):
        raise unsatisfiable(size)
    return start, min(end, size - 1) - start + 1
