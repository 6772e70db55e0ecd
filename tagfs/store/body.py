"""What a request sends: read once if small, streamed in large blocks if not; checksummed."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tagfs.errors import IntegrityError
from tagfs.store.bucket import Source
from tagfs.store.checksum import crc64

SMALL_BODY: Final = 1024**2
"""Bytes: content up to this is read at once and sent with its MD5, so that a body garbled on the
way is refused instead of replacing the object."""
BLOCK: Final = 512 * 1024
"""Bytes read from a larger source and sent at once; http.client's own blocks of 16 KiB cost more
than the checksum."""


class Stream:
    """A large source as blocks to send, for one attempt; computes the checksum on the way."""

    def __init__(self, source: Source) -> None:
        self._source = source
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
            yield block


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body, ready for any number of attempts.

    Attributes:
        data: all of it, if it is small; None if there is none.
        source: a large one.
        crc64: of `data`, if that is content.
        md5: of `data`, base64.
    """

    data: bytes | None = None
    source: Source | None = None
    crc64: int | None = None
    md5: str | None = None

    def begin(self) -> Stream | None:
        """Return a stream for one attempt; None if `data` is all there is."""
        return Stream(self.source) if self.source is not None else None


def prepare_body(body: bytes | Source | None) -> Body:
    """Read a small source; compute what is to be known before sending.

    Raises:
        IntegrityError: the source is shorter than it says.
    """
    if body is None:
        return Body()
    if isinstance(body, bytes):
        return Body(body, md5=_md5(body))
    if body.size > SMALL_BODY:
        return Body(source=body)
    data = _read(body, 0, body.size)
    return Body(data, crc64=crc64(data), md5=_md5(data))


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _read(source: Source, offset: int, length: int) -> bytes:
    block = source.read(offset, length)
    if len(block) != length:
        raise IntegrityError(f"content to send is short: {len(block)} of {length} bytes")
    return block
