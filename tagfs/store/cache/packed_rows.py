"""Listed objects packed into a few bytes each, because a million of them must fit in memory.

Pure. An `ObjectInfo` with its own strings takes some 340 bytes and is work for the garbage
collector; a row takes about 70 and is none. A row says nothing of the key: the listing that holds
it does.
"""

import re
import struct
import threading
from typing import Final

from tagfs.store.objects import ObjectInfo, ObjectType

COMMON_PREFIX: Final = b""
"""The row of a common prefix, whose name ends in "/"."""

_FIXED = struct.Struct("<qqH")  # size, last_modified_ns, number of the kind
_HEX = re.compile(r"[0-9A-F]{32}|[0-9a-f]{32}")

Kind = tuple[ObjectType, str, str]
"""Type, storage class, and how the ETag is written: "upper", "lower" (hexadecimal) or "text"."""

_kinds: Final[list[Kind]] = []
_numbers: Final[dict[Kind, int]] = {}
_guard = threading.Lock()


def pack(info: ObjectInfo) -> bytes:
    """Return the row of one object; its detail is left out."""
    form, etag = _pack_etag(info.etag)
    kind = (info.type, info.storage_class, form)
    number = _numbers.get(kind)
    if number is None:
        number = _new_number(kind)
    return _FIXED.pack(info.size, info.last_modified_ns, number) + etag


def unpack(key: str, row: bytes) -> ObjectInfo:
    """Return what was packed."""
    size, modified, number = _FIXED.unpack_from(row)
    kind, storage_class, form = _kinds[number]
    return ObjectInfo(
        key=key,
        size=size,
        etag=_unpack_etag(form, row[_FIXED.size :]),
        last_modified_ns=modified,
        type=kind,
        storage_class=storage_class,
    )


def _new_number(kind: Kind) -> int:
    with _guard:
        if kind not in _numbers:
            _kinds.append(kind)
            _numbers[kind] = len(_kinds) - 1
        return _numbers[kind]


def _pack_etag(etag: str) -> tuple[str, bytes]:
    if _HEX.fullmatch(etag):
        return ("upper" if etag.upper() == etag else "lower"), bytes.fromhex(etag)
    return "text", etag.encode()


def _unpack_etag(form: str, raw: bytes) -> str:
    if form == "text":
        return raw.decode()
    return raw.hex().upper() if form == "upper" else raw.hex()
