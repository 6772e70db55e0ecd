"""Mode, owner and times of a file, and how user metadata keeps them.

Pure. Names and values are those of ossfs 1, obsfs and s3fs, so their buckets look right here and
ours there: `mode` is st_mode in decimal with its type bits, `uid` and `gid` are decimal, times are
seconds with an optional fraction of nine digits. rclone's spellings (octal mode with a leading 0,
RFC 3339 times, `rdev` in hex) are read as well.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from tagfs.fs.mapping.xattr_metadata import XATTR_METADATA
from tagfs.store.objects import MARKER_TYPE, ObjectInfo, ObjectType

ATTRIBUTE_NAMES: Final = frozenset(
    {"mode", "uid", "gid", "mtime", "atime", "ctime", "rdev", "mtime-size", "symlink-target"}
)
"""Names of user metadata that hold what stat(2) shows, and links."""

RESERVED: Final = ATTRIBUTE_NAMES | {XATTR_METADATA}
"""Names of user metadata that are not shown as `user.meta.*`."""

_TIME_NAMES: Final = frozenset(
    {"mtime", "atime", "ctime", "mtime-size", "goog-reserved-file-mtime"}
)

_MAX_MODE: Final = 0o177777

_MAX_SECONDS: Final = 15  # digits

_TIME: Final = re.compile(r"\s*(-?\d{1,15})(?:\.(\d*))?\s*", re.ASCII)
_DIGITS: Final = re.compile(r"\d{1,10}", re.ASCII)
_OCTAL: Final = re.compile("[0-7]+")
_HEX: Final = re.compile("[0-9a-fA-F]{1,16}")
"""Compiled here: to have `re` look them up takes longer than to match, ten times a file."""

_FALLBACK_NAMES: Final = {
    "mode": ("mode", "permissions", "goog-reserved-posix-mode"),
    "uid": ("uid", "owner", "goog-reserved-posix-uid"),
    "gid": ("gid", "group", "goog-reserved-posix-gid"),
    "mtime": ("mtime", "goog-reserved-file-mtime"),
}
"""Where s3sync and gcsfuse keep the same, in the order in which s3fs looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What stat(2) shows of a file besides its size.

    Attributes:
        mode: st_mode, type bits included.
        mtime_ns, ctime_ns, atime_ns: nanoseconds since the epoch.
        rdev: device number of a device node.
    """

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    ctime_ns: int
    atime_ns: int
    rdev: int = 0

    @property
    def type(self) -> int:
        """The type bits of the mode: S_IFREG, S_IFLNK, ..."""
        return stat.S_IFMT(self.mode)

    def touched(self, now_ns: int, atime_ns: int) -> "Attributes":
        """Return these attributes after the content changed."""
        return replace(self, mtime_ns=now_ns, ctime_ns=now_ns, atime_ns=atime_ns)

    def render(self) -> dict[str, str]:
        """Write the attributes as user metadata."""
        metadata = {
            "mode": str(self.mode),
            "uid": str(self.uid),
            "gid": str(self.gid),
            "mtime": render_time(self.mtime_ns),
            "ctime": render_time(self.ctime_ns),
        }
        if self.atime_ns != self.mtime_ns:
            metadata["atime"] = render_time(self.atime_ns)
        if self.rdev:
            metadata["rdev"] = f"{self.rdev:x}"
        return metadata


def with_attributes(info: ObjectInfo, attributes: Attributes) -> dict[str, str]:
    """Return an object's user metadata with other attributes."""
    metadata = dict(info.detail.metadata) if info.detail else {}
    for name in ("mode", "uid", "gid", "mtime", "ctime", "atime"):
        metadata.pop(name, None)
    metadata.update(attributes.render())
    if info.type is ObjectType.APPENDABLE:
        metadata["mtime-size"] = str(info.size)
    return metadata


def without_times(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return user metadata without the times, which new content makes wrong."""
    return {name: text for name, text in metadata.items() if name not in _TIME_NAMES}


def render_time(time_ns: int) -> str:
    """Write a time as s3fs does: seconds, and nine digits of a fraction if there is one."""
    seconds, fraction = divmod(time_ns, 10**9)
    return f"{seconds}.{fraction:09d}" if fraction else str(seconds)


def parse_time(text: str) -> int | None:
    """Read a time in any of the known spellings, in nanoseconds; None if it is none."""
    if not text:
        return None
    if len(text) <= _MAX_SECONDS and text.isdecimal() and text.isascii():
        return int(text) * 10**9
    match = _TIME.fullmatch(text)
    if match:
        return int(match[1]) * 10**9 + int((match[2] or "").ljust(9, "0")[:9] or "0")
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


@lru_cache(maxsize=1024)  # files have few modes, owners and groups
def parse_mode(text: str) -> int | None:
    """Read a mode, decimal or (with a leading 0) octal; None if it is none."""
    digits = text.strip()
    if not _DIGITS.fullmatch(digits):
        return None
    octal = digits.startswith("0") and _OCTAL.fullmatch(digits)
    mode = int(digits, 8 if octal else 10)
    return mode if mode <= _MAX_MODE else None


def _first(metadata: Mapping[str, str], field: str) -> str:
    for name in _FALLBACK_NAMES[field]:
        text = metadata.get(name)
        if text is not None:
            return text
    return ""


@lru_cache(maxsize=1024)
def _number(text: str) -> int | None:
    return int(text) if _DIGITS.fullmatch(text) and int(text) < 2**32 else None


def parse_attributes(info: ObjectInfo, default: Attributes) -> Attributes:
    """Read an object's attributes; what its metadata does not tell comes from `default`.

    The type: a symlink object is a link; a directory marker is a directory whatever its metadata
    says; other type bits stand; none with a `symlink-target` means a link (ossfs 1).
    """
    metadata = info.metadata or {}
    mode = parse_mode(_first(metadata, "mode"))
    modified_ns = info.last_modified_ns // 10**9 * 10**9  # the same from HEAD and from a listing
    mtime_ns = parse_time(_first(metadata, "mtime"))
    if mtime_ns is not None and _outgrown(info, metadata):
        mtime_ns = None
    if mtime_ns is None:
        mtime_ns = modified_ns
    ctime_ns = parse_time(metadata.get("ctime", ""))
    atime_ns = parse_time(metadata.get("atime", ""))
    uid, gid = _number(_first(metadata, "uid")), _number(_first(metadata, "gid"))
    return Attributes(
        mode=_with_type(info, default.mode if mode is None else mode, metadata, default.mode),
        uid=default.uid if uid is None else uid,
        gid=default.gid if gid is None else gid,
        mtime_ns=mtime_ns,
        ctime_ns=modified_ns if ctime_ns is None else max(ctime_ns, 0),
        atime_ns=mtime_ns if atime_ns is None else atime_ns,
        rdev=_hex(metadata.get("rdev", "")),
    )


def _hex(text: str) -> int:
    return int(text, 16) if _HEX.fullmatch(text) else 0


def _outgrown(info: ObjectInfo, metadata: Mapping[str, str]) -> bool:
    """Say whether an appendable object grew after its mtime was stored.

    AppendObject takes no metadata, so the stored mtime holds only for the size stored beside it.
    """
    return info.type is ObjectType.APPENDABLE and metadata.get("mtime-size") != str(info.size)


def _with_type(info: ObjectInfo, mode: int, metadata: Mapping[str, str], default: int) -> int:
    if info.key.endswith("/"):
        kind = stat.S_IFDIR
    elif info.type is ObjectType.SYMLINK:
        kind = stat.S_IFLNK
    elif stat.S_IFMT(mode) in _FILE_TYPES:
        kind = stat.S_IFMT(mode)
    elif "symlink-target" in metadata:
        kind = stat.S_IFLNK
    else:
        kind = stat.S_IFMT(default)
    permissions = 0o777 if kind == stat.S_IFLNK else stat.S_IMODE(mode)
    return kind | permissions


def is_described(info: ObjectInfo) -> bool:
    """Say whether what is known of an object tells all that stat(2) shows.

    What a listing told does not where the object may be an old directory, or a link.
    """
    if info.detail is not None or info.listed_metadata is None:
        return info.detail is not None
    mode = parse_mode(_first(info.listed_metadata, "mode")) or 0
    kind = stat.S_IFMT(_with_type(info, mode, info.listed_metadata, 0))
    return kind != stat.S_IFLNK and (info.size > 0 or kind in _FILE_TYPES)


def described_keys(found: Mapping[str, ObjectInfo]) -> set[str]:
    """Return the keys of those objects of which that is so."""
    return {key for key, info in found.items() if is_described(info)}


def is_old_directory(info: ObjectInfo) -> bool:
    """Say whether an object without a slash stands for a directory: s3fs wrote such long ago.

    Only what a HEAD says can tell, so not of an object that was just listed.
    """
    if info.detail is None or info.size or info.key.endswith("/"):
        return False
    mode = parse_mode(_first(info.detail.metadata, "mode")) or 0
    kind = info.detail.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == MARKER_TYPE and stat.S_IFMT(mode) not in _FILE_TYPES


def as_directory(attributes: Attributes) -> Attributes:
    """Return what was read as a file's as a directory's: who may read it may enter it."""
    permissions = stat.S_IMODE(attributes.mode)
    return replace(attributes, mode=stat.S_IFDIR | permissions | (permissions & 0o444) >> 2)


_FILE_TYPES: Final = frozenset(
    {stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFBLK, stat.S_IFCHR}
)
"""Types that an object which is no directory marker may have."""
