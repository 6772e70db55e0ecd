"""What a request promises of its body: MD5, SHA-256 and the newer checksums, verified at its end.

CRC64NVME is taken as sent: nothing at hand computes it at a bearable speed.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping

from fastcrc.crc32 import iscsi

from tagfs.emulator.engine.errors import ServiceError

_MD5_SIZE = 16
_PREFIX = "x-amz-checksum-"
_CRC64 = ("x-obs-checksum-crc64ecma", "x-obs-hash-crc64ecma", "x-amz-checksum-crc64ecma")


class _Crc:
    """A CRC with the interface of hashlib."""

    def __init__(self, update: Callable[[bytes, int], int], size: int) -> None:
        self._update = update
        self._size = size
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._update(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size)


def _hasher(name: str) -> "_Crc | hashlib._Hash | None":
    if name == "crc32":
        return _Crc(zlib.crc32, 4)
    if name == "crc32c":
        return _Crc(iscsi, 4)
    if name in {"sha1", "sha256"}:
        return hashlib.new(name)
    return None


class S3Promises:
    """The checksums of one body."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._md5 = headers.get("Content-MD5")
        content = headers.get("x-amz-content-sha256", "")
        self._sha256 = content if len(content) == 64 else ""  # noqa: PLR2004 - hex, not a word
        trailer = headers.get("x-amz-trailer", "").lower()
        names = {name.lower() for name in headers if name.lower().startswith(_PREFIX)}
        names |= {word.strip() for word in trailer.split(",") if word.strip().startswith(_PREFIX)}
        self._hashers = {
            name: hasher
            for name in names
            if (hasher := _hasher(name.removeprefix(_PREFIX))) is not None
        }
        base64_sha256 = headers.get("Content-SHA256") or ""
        self._whole = hashlib.sha256() if self._sha256 or base64_sha256 else None
        self._base64_sha256 = base64_sha256
        self.kept: dict[str, str] = {}
        self.given = bool(self._md5 or base64_sha256 or trailer) or any(
            name.lower().startswith(_PREFIX) for name in headers
        )

    def update(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        if self._whole is not None:
            self._whole.update(data)
        for hasher in self._hashers.values():
            hasher.update(data)

    def check(self, md5: str, crc: int, trailer: Mapping[str, str]) -> None:
        """Compare all that was promised with the body, whose MD5 is given in hex.

        Raises:
            ServiceError: something differs.
        """
        if self._md5 is not None:
            claimed = _raw(self._md5)
            if len(claimed) != _MD5_SIZE:
                raise ServiceError("InvalidDigest")
            if claimed != bytes.fromhex(md5):
                raise ServiceError("BadDigest")
        digest = self._whole.digest() if self._whole is not None else b""
        if self._sha256 and digest.hex() != self._sha256.lower():
            raise ServiceError("XAmzContentSHA256Mismatch")
        if self._base64_sha256 and _raw(self._base64_sha256) != digest:
            raise ServiceError("BadDigest")
        for name, hasher in self._hashers.items():
            self.kept[name] = self._headers.get(name) or trailer.get(name, "")
            _compare(name, _raw(self.kept[name]), hasher.digest())
        for name in _CRC64:
            if (claim := self._headers.get(name)) and claim != str(crc):
                raise ServiceError("BadDigest", f"The {name} you specified did not match.")


def _compare(name: str, promised: bytes, digest: bytes) -> None:
    if len(promised) != len(digest):
        raise ServiceError("InvalidRequest", f"Value for {name} header is invalid.")
    if promised != digest:
        raise ServiceError("BadDigest", f"The {name} you specified did not match.")


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b"\0"
