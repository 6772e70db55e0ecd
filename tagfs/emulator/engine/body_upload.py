"""Taking in a request's body: unwrapped, verified, in memory while small, else in a file."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

from tagfs.emulator.engine.chunked import ChunkedBody
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.storage.blobs import INLINE_LIMIT, Staged
from tagfs.emulator.storage.crc64 import crc64

SINGLE_LIMIT = 5 * 1024**3
_XML_LIMIT = 2 * 1024 * 1024


def is_wrapped(context: Context) -> bool:
    """Tell whether the body is `aws-chunked`."""
    if not context.dialect.aws_chunked:
        return False
    return (context.header("x-amz-content-sha256") or "").startswith("STREAMING-")


async def receive(context: Context) -> Staged:
    """Return the body, staged; the caller discards it if it does not store it.

    Raises:
        ServiceError: it is too long, or not what was promised.
    """
    body = context.request.body
    if body.length is None and not body.chunked:
        raise ServiceError("MissingContentLength")
    _check_size(body.length)
    if context.is_posix and any(map(_is_crc64, context.request.headers)):
        raise ServiceError("FsNotSupport")
    promises = context.dialect.promises(context.request.headers)
    incoming = context.storage.receive()
    wrapped = None
    pieces = _raw(context)
    if is_wrapped(context):
        wrapped = ChunkedBody(pieces, context.caller.chain)
        pieces = wrapped.pieces()
    try:
        async for piece in pieces:
            promises.update(piece)
            incoming.write(piece)
            _check_size(incoming.size)
        staged = incoming.finish()
        promises.check(staged.md5, staged.crc64, wrapped.trailer if wrapped else {})
    except BaseException:
        incoming.discard()
        raise
    _check_decoded_size(context, staged)
    return replace(staged, checksums=promises.kept)


def _check_decoded_size(context: Context, staged: Staged) -> None:
    claimed = context.header("x-amz-decoded-content-length")
    if is_wrapped(context) and claimed is not None and claimed != str(staged.size):
        staged.discard()
        raise ServiceError("IncompleteBody")


async def _raw(context: Context) -> AsyncIterator[bytes]:
    body = context.request.body
    if body.length is not None and body.length <= INLINE_LIMIT:
        if body.length:
            yield await body.read(INLINE_LIMIT)
        return
    async for chunk in body.chunks():
        yield chunk


def _check_size(size: int | None) -> None:
    if size is not None and size > SINGLE_LIMIT:
        raise too_large()


def too_large() -> ServiceError:
    """Return the error for more than fits one request."""
    return ServiceError("EntityTooLarge", extra={"MaxSizeAllowed": str(SINGLE_LIMIT)})


async def read_document(
    context: Context, *, integrity: bool = False, of_object: bool = False
) -> bytes:
    """Return a body that is a document and thus small; `integrity` demands a checksum of it.

    With `of_object` a CRC64 that comes along is not the document's: see `check_crc64`.

    Raises:
        ServiceError: it is not small, or not what was promised.
    """
    parts, size = [], 0
    pieces = _raw(context)
    if is_wrapped(context):
        pieces = ChunkedBody(pieces, context.caller.chain).pieces()
    async for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > _XML_LIMIT:
            raise ServiceError("MalformedXML", "The body is over 2 MB.")
    data = b"".join(parts)
    if not is_wrapped(context):
        headers = context.request.headers
        if of_object:
            headers = {name: headers[name] for name in headers if not _is_crc64(name)}
        promises = context.dialect.promises(headers)
        if integrity and not promises.given:
            raise ServiceError(*context.dialect.no_digest)
        promises.update(data)
        promises.check(hashlib.md5(data).hexdigest(), crc64(data), {})
    return data


def check_crc64(context: Context, crc: int) -> None:
    """Compare an object's CRC64 with the one that the request promises, if it does.

    Raises:
        ServiceError: they differ.
    """
    headers = context.request.headers
    claims = {name: headers[name] for name in headers if _is_crc64(name)}
    context.dialect.promises(claims).check("", crc, {})


def _is_crc64(name: str) -> bool:
    return name.lower().endswith("crc64ecma")
