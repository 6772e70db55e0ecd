"""What a request sends: read once if small, streamed in large blocks if not; checksummed."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from tagfs.errors import IntegrityError
from tagfs.store.objects import Source
from tagfs.store.wire.checksums import crc32, crc64

SMALL_BODY: Final = 1024**2
"""Bytes: content up to this is read at once and sent with its MD5, so that a body garbled on the
way is refused instead of replacing the object."""
BLOCK: Final = 512 * 1024
"""Bytes read from a larger source and sent at once; http.client's own blocks of 16 KiB cost more
than the checksum."""


class Stream:
    """A large source as blocks to send, for one attempt; computes checksums on the way."""

    def __init__(self, source: Source, *, with_md5: bool) -> None:
        self._source = source
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
        self.crc64 = 0
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        size = self._source.size
        for offset in range(0, size, BLOCK):
            try:
                block = _read(self._source, offset, min(BLOCK, size - offset))
            except BaseException as failure:
                # urllib3 would take an OSError of the local disk for one of the connection.
                self.failure = failure
                raise
            self.crc64 = crc64(block, self.crc64)
            if self._md5 is not None:
                self._md5.update(block)
            yield block

    @property
    def md5(self) -> bytes | None:
        """The MD5 of what was sent so far; None if it is not wanted."""
        return self._md5.digest() if self._md5 is not None else None


class Digests(NamedTuple):
    """Which digests of a body are wanted.

    Attributes:
        md5: of all that is sent, known when it was sent.
        md5_first: the same before it is sent, at the price of reading a large source twice.
        sha256: before it is sent, where that is in memory anyway.
        sha256_first: the same of a large source, which is read twice.
        crc32: before it is sent; a large source is read twice, which costs less than its MD5.
    """

    md5: bool = False
    md5_first: bool = False
    sha256: bool = False
    sha256_first: bool = False
    crc32: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body, ready for any number of attempts.

    Attributes:
        data: all of it, if it is small; None if there is none.
        source: a large one.
        crc64: of `data`, if that is content.
        md5: of all that will be sent, where it is known before.
        with_md5: whether a stream computes one.
        sha256: of all that will be sent, in hex, where it is known before.
        crc32: of all that will be sent, in base64, where it is to be known before.
    """

    data: bytes | None = None
    source: Source | None = None
    crc64: int | None = None
    md5: bytes | None = None
    with_md5: bool = False
    sha256: str | None = None
    crc32: str | None = None

    @property
    def content_md5(self) -> str | None:
        """The header's value."""
        return None if self.md5 is None else base64.b64encode(self.md5).decode()

    def begin(self) -> Stream | None:
        """Return a stream for one attempt; None if `data` is all there is."""
        if self.source is None:
            return None
        return Stream(self.source, with_md5=self.with_md5 and self.md5 is None)


def prepare_body(body: bytes | Source | None, wanted: Digests) -> Body:
    """Read a small source; compute what is to be known before sending.

    Raises:
        IntegrityError: the source is shorter than it says.
    """
    if body is None:
        return Body(sha256=_NOTHING if wanted.sha256 else None)
    if isinstance(body, bytes):
        return Body(body, md5=_md5(body), sha256=_sha256(body) if wanted.sha256 else None)
    if body.size > SMALL_BODY:
        return _read_ahead(body, wanted)
    data = _read(body, 0, body.size)
    return Body(
        data,
        crc64=crc64(data),
        md5=_md5(data),
        sha256=_sha256(data) if wanted.sha256 else None,
        crc32=_base64(crc32(data)) if wanted.crc32 else None,
    )


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _base64(crc: int) -> str:
    return base64.b64encode(crc.to_bytes(4)).decode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_NOTHING: Final = _sha256(b"")


def _read_ahead(source: Source, wanted: Digests) -> Body:
    """Prepare a large source, read once already if a digest must go ahead of it."""
    signed = wanted.sha256 and wanted.sha256_first
    if not (wanted.md5_first or signed or wanted.crc32):
        return Body(source=source, with_md5=wanted.md5)
    md5 = hashlib.md5(usedforsecurity=False) if wanted.md5_first else None
    sha256 = hashlib.sha256() if signed else None
    crc = 0
    for block in Stream(source, with_md5=False):
        crc = crc32(block, crc) if wanted.crc32 else 0
        for digest in filter(None, (md5, sha256)):
            digest.update(block)
    return Body(
        source=source,
        md5=md5.digest() if md5 else None,
        with_md5=wanted.md5,
        sha256=sha256.hexdigest() if sha256 else None,
        crc32=_base64(crc) if wanted.crc32 else None,
    )


def _read(source: Source, offset: int, length: int) -> bytes:
    block = source.read(offset, length)
    if len(block) != length:
        raise IntegrityError(f"content to send is short: {len(block)} of {length} bytes")
    return block
