"""Conditional requests and ranges: which part of an object is to be sent, if at all."""

import re
from collections.abc import Mapping

from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.storage.records import ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, parse_http_date

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def check_conditions(headers: Mapping[str, str], record: ObjectRecord, mtime_ms: int) -> None:
    """Judge If-Match and its kin.

    Raises:
        ServiceError: 412 if the object is not the wanted one, 304 if the client has it already.
    """
    if failed := _unwanted(headers, record, mtime_ms, ""):
        raise ServiceError("PreconditionFailed", extra={"Condition": failed})
    if _known(headers, record, mtime_ms, ""):
        raise ServiceError("NotModified", headers={"ETag": f'"{record.etag}"'})


def check_source(headers: Mapping[str, str], record: ObjectRecord, prefix: str) -> None:
    """Judge the conditions of a copy's source, where every failure is a 412.

    Raises:
        ServiceError: the object is not the wanted one.
    """
    mtime_ms = record.mtime_ms
    if _unwanted(headers, record, mtime_ms, prefix) or _known(headers, record, mtime_ms, prefix):
        raise ServiceError("PreconditionFailed")


def _unwanted(headers: Mapping[str, str], record: ObjectRecord, mtime_ms: int, prefix: str) -> str:
    wanted = headers.get(f"{prefix}If-Match")
    if wanted is not None:  # and then If-Unmodified-Since does not matter (RFC 9110, 13.2.2)
        return "" if matches(wanted, record.etag) else "If-Match"
    before = _moment(headers.get(f"{prefix}If-Unmodified-Since"))
    if before is not None and mtime_ms // MILLISECONDS > before:
        return "If-Unmodified-Since"
    return ""


def _known(headers: Mapping[str, str], record: ObjectRecord, mtime_ms: int, prefix: str) -> bool:
    known = headers.get(f"{prefix}If-None-Match")
    if known is not None:
        return matches(known, record.etag)
    since = _moment(headers.get(f"{prefix}If-Modified-Since"))
    return since is not None and mtime_ms // MILLISECONDS <= since


def matches(wanted: str, etag: str) -> bool:
    """Tell whether an ETag is among those of a header."""
    names = (name.strip().removeprefix("W/").strip('"') for name in wanted.split(","))
    return any(name in {"*", etag} for name in names)


def _moment(text: str | None) -> float | None:
    return None if text is None else parse_http_date(text)


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
    """Return the error of a range."""
    return ServiceError("InvalidRange", headers={"Content-Range": f"bytes */{size}"})
