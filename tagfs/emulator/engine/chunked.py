"""`aws-chunked`: a body inside the body, in chunks that may be signed, with headers at its end.

10000;chunk-signature=0f3c...          size in hex, then the bytes, then CRLF
0;chunk-signature=77ab...
x-amz-checksum-crc32:Wl3gqA==          only with a trailer
x-amz-trailer-signature:91fe...        only if it is signed
"""

import hashlib
from collections.abc import AsyncIterator
from typing import Protocol

from tagfs.emulator.engine.errors import ServiceError

_LINE_LIMIT = 16 * 1024
_SIGNATURE = "x-amz-trailer-signature"


class ChunkChain(Protocol):
    """Judges the signatures of chunks, each of which signs the one before it."""

    def accepts_chunk(self, signature: str, digest: str) -> bool: ...

    def accepts_trailer(self, signature: str, lines: bytes) -> bool: ...


class ChunkedBody:
    """Decodes such a body; `trailer` holds its last headers once all has been read."""

    def __init__(self, source: AsyncIterator[bytes], chain: ChunkChain | None) -> None:
        self._source = source
        self._chain = chain
        self._held = b""
        self.trailer: dict[str, str] = {}

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes inside.

        Raises:
            ServiceError: the body is malformed, or a chunk is not signed as it should be.
        """
        while size_of := await self._header():
            size, signature = size_of
            hasher = hashlib.sha256()
            left = size
            while left:
                piece = await self._take(left)
                left -= len(piece)
                hasher.update(piece)
                yield piece
            self._judge(signature, hasher.hexdigest())
            if not size:
                break
            if await self._line() != b"":
                raise _malformed()
        await self._read_trailer()

    async def _header(self) -> tuple[int, str]:
        words = (await self._line()).decode("ascii", "replace").split(";")
        try:
            size = int(words[0], 16)
        except ValueError:
            raise _malformed() from None
        if size < 0:
            raise _malformed()
        extension = words[1] if len(words) > 1 else ""
        return size, extension.partition("chunk-signature=")[2]

    def _judge(self, signature: str, digest: str) -> None:
        if self._chain is not None and not self._chain.accepts_chunk(signature, digest):
            raise ServiceError("SignatureDoesNotMatch")

    async def _read_trailer(self) -> None:
        signed = b""
        while await self._fill():
            line = await self._line()
            if not line:
                break
            name, _, value = line.decode("utf-8", "replace").partition(":")
            self.trailer[name.strip().lower()] = value.strip()
            if name.strip().lower() != _SIGNATURE:
                signed += line + b"\n"
        if self._chain is not None and self.trailer:
            signature = self.trailer.get(_SIGNATURE, "")
            if not self._chain.accepts_trailer(signature, signed):
                raise ServiceError("SignatureDoesNotMatch")

    async def _fill(self) -> bool:
        """Have at least one byte at hand; false at the end."""
        while not self._held:
            piece = await anext(self._source, None)
            if piece is None:
                return False
            self._held = piece
        return True

    async def _take(self, most: int) -> bytes:
        if not await self._fill():
            raise _malformed()
        piece, self._held = self._held[:most], self._held[most:]
        return piece

    async def _line(self) -> bytes:
        while b"\n" not in self._held:
            piece = await anext(self._source, None)
            if piece is None or len(self._held) > _LINE_LIMIT:
                raise _malformed()
            self._held += piece
        line, _, self._held = self._held.partition(b"\n")
        return line.removesuffix(b"\r")


def _malformed() -> ServiceError:
    return ServiceError("IncompleteBody", "The aws-chunked body is malformed.")
