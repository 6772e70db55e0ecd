"""Conditional requests and ranges: which part of an object is to be sent, if at all."""

import re
from collections.abc import Mapping

from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.storage.records import ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, parse_http_date

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_RANGES = re.compile(r"bytes=\s*\d*-\d*(\s*,\s*\d*-\d*)+")


def check_conditions(
    headers: Mapping[str, str], record: ObjectRecord, mtime_ms: int, prefix: str = ""
) -> None:
    """Judge If-Match and its kin, or with a prefix those of a copy's source.

    Raises:
        ServiceError: 412 if the object is not the wanted one, 304 if the client has it already.
    """
    seconds = mtime_ms // MILLISECONDS
    wanted = headers.get(f"{prefix}If-Match")
    if wanted is not None and not _matches(wanted, record.etag):
        raise ServiceError("PreconditionFailed", extra={"Condition": "If-Match"})
    before = _moment(headers.get(f"{prefix}If-Unmodified-Since"))
    if before is not None and seconds > before:
        raise ServiceError("PreconditionFailed", extra={"Condition": "If-Unmodified-Since"})
    known = headers.get(f"{prefix}If-None-Match")
    if known is not None:
        unchanged = _matches(known, record.etag)
    else:
        since = _moment(headers.get(f"{prefix}If-Modified-Since"))
        unchanged = since is not None and seconds <= since
    if unchanged:
        raise ServiceError("NotModified", headers={"ETag": f'"{record.etag}"'})


def _matches(wanted: str, etag: str) -> bool:
    names = (name.strip().removeprefix("W/").strip('"') for name in wanted.split(","))
    return any(name in {"*", etag} for name in names)


def _moment(text: str | None) -> float | None:
    return None if text is None else parse_http_date(text)


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


def unsatisfiable(size: int) -> ServiceError:
    """Return the error of a range."""
    return ServiceError("InvalidRange", headers={"Content-Range": f"bytes */{size}"})
