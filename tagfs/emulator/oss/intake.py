"""Taking in a request's body: in memory while small, else to a file; its checksums are verified."""

import base64
import binascii

from tagfs.emulator.messages import Request
from tagfs.emulator.oss.context import Context
from tagfs.emulator.oss.errors import ServiceError
from tagfs.emulator.storage.blobs import INLINE_LIMIT, Staged

SINGLE_LIMIT = 5 * 1024**3


async def receive(context: Context) -> Staged:
    """Return the body, staged; the caller discards it if it does not store it.

    Raises:
        ServiceError: it is too long, or not what its checksums say.
    """
    body = context.request.body
    if body.length is None and not body.chunked:
        raise ServiceError("MissingContentLength")
    _check_size(body.length)
    if body.length is not None and body.length <= INLINE_LIMIT:
        data = await body.read(INLINE_LIMIT) if body.length else b""
        staged = context.storage.stage(data)
    else:
        staged = await _stream(context)
    try:
        check_md5(context.request, staged.md5)
        _check_crc64(context, staged.crc64)
    except ServiceError:
        staged.discard()
        raise
    return staged


async def _stream(context: Context) -> Staged:
    incoming = context.storage.receive()
    try:
        async for chunk in context.request.body.chunks():
            incoming.write(chunk)
            _check_size(incoming.size)
        return incoming.finish()
    except BaseException:
        incoming.discard()
        raise


def _check_size(size: int | None) -> None:
    if size is not None and size > SINGLE_LIMIT:
        raise too_large()


def too_large() -> ServiceError:
    """Return the error for more than fits one request."""
    return ServiceError("EntityTooLarge", extra={"MaxSizeAllowed": str(SINGLE_LIMIT)})


def check_md5(request: Request, actual: str) -> None:
    """Compare the body's MD5 (hex) with Content-MD5, if that was sent.

    Raises:
        ServiceError: they differ.
    """
    claimed = request.headers.get("Content-MD5")
    if not claimed:
        return
    try:
        same = base64.b64decode(claimed, validate=True).hex() == actual
    except (binascii.Error, ValueError):
        same = False
    if not same:
        raise ServiceError("InvalidDigest", extra={"ClientMD5": claimed, "ServerMD5": actual})


def _check_crc64(context: Context, actual: int) -> None:
    claimed = context.header("x-oss-hash-crc64ecma")
    if claimed and claimed != str(actual):
        raise ServiceError(
            "InvalidCRC64", extra={"ClientCRC64": claimed, "ServerCRC64": str(actual)}
        )
