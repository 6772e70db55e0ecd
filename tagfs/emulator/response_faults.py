"""Damage to answers: what the faults do to a reply, and to the way it is sent."""

from collections.abc import Iterator
from dataclasses import dataclass

from tagfs.emulator.faults import Fault
from tagfs.emulator.messages import Call, Reply, Request, Service

_GARBAGE = b"<html>\x00 this is no XML & never was <oops"
_DRIP_BYTES = 1024
_DRIP_PAUSE = 0.05


@dataclass(slots=True)
class Delivery:
    """How a body is sent: cut off after so many bytes, one byte wrong, or in slow small pieces."""

    cut_after: int | None = None
    corrupt_at: int | None = None
    drip_bytes: int = 0
    drip_pause: float = 0.0

    def chunks(self, source: Iterator[bytes]) -> Iterator[bytes]:
        """Yield a body as it is to be sent."""
        left, offset = self.cut_after, 0
        for chunk in source:
            piece = self._corrupted(chunk, offset)
            offset += len(chunk)
            if left is not None:
                piece = piece[:left]
                left -= len(piece)
            yield from self._dripped(piece)
            if left == 0:
                return

    def _corrupted(self, chunk: bytes, offset: int) -> bytes:
        if self.corrupt_at is None or not offset <= self.corrupt_at < offset + len(chunk):
            return chunk
        changed = bytearray(chunk)
        changed[self.corrupt_at - offset] ^= 0x01
        return bytes(changed)

    def _dripped(self, chunk: bytes) -> Iterator[bytes]:
        step = self.drip_bytes or len(chunk) or 1
        for at in range(0, len(chunk), step):
            yield chunk[at : at + step]


def refusal(service: Service, request: Request, fault: Fault) -> Reply:
    """Return the error that a fault asks for, in the service's words."""
    if fault.action == "empty":
        return Reply()
    if fault.action == "token_expired":
        code, text = "SecurityTokenExpired", "The security token you provided has expired."
        return service.refuse(request, 403, code, text)
    if fault.action == "skew":
        code = "RequestTimeTooSkewed"
        text = "The difference between the request time and the current time is too large."
        return service.refuse(request, 403, code, text)
    if fault.action == "deny":
        return service.refuse(request, 403, "AccessDenied", "Access denied by a fault.")
    status = int(fault.value)
    code = fault.options.get("code", _CODES.get(status, "InternalError"))
    message = fault.options.get("message", "A fault was injected.")
    reply = service.refuse(request, status, code, message)
    if "retry_after" in fault.options:
        reply.headers["Retry-After"] = fault.options["retry_after"]
    return reply


_CODES = {
    400: "BadRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    409: "OperationAborted",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def damage(service: Service, request: Request, call: Call, reply: Reply, fault: Fault) -> Reply:
    """Return a reply as a fault leaves it, as far as that can be said in its headers and size."""
    if fault.action == "crc":
        for name in reply.headers:
            if name.lower().endswith("crc64ecma"):
                reply.headers[name] = str(int(reply.headers[name] or 0) ^ 1)
    elif fault.action == "etag":
        if "ETag" in reply.headers:
            reply.headers["ETag"] = '"' + "0" * 32 + '"'
    elif fault.action == "garbage":
        _replace_body(reply, _GARBAGE)
    elif fault.action == "error200":
        code = fault.value or "InternalError"
        error = service.refuse(request, 500, code, "An error inside a success.")
        _replace_body(reply, error.body)
        reply.headers.pop("ETag", None)
    elif fault.action == "short" and call.method != "HEAD":
        _shorten(reply, int(fault.number(1)))
    return reply


def _replace_body(reply: Reply, body: bytes) -> None:
    reply.status = 200
    reply.headers["Content-Type"] = "application/xml"
    if reply.content is not None:
        reply.content.close()
        reply.content = None
    reply.headers.pop("Content-Length", None)
    reply.body = body


def _shorten(reply: Reply, lack: int) -> None:
    if reply.content is None:
        reply.body = reply.body[: max(len(reply.body) - lack, 0)]
    else:
        reply.length = max(reply.length - lack, 0)
    reply.headers.pop("Content-Length", None)


def delivery(reply: Reply, struck: list[Fault]) -> Delivery | None:
    """Return how a reply is to be sent; None: as it is."""
    plan = Delivery()
    for fault in struck:
        if fault.action == "cut":
            plan.cut_after = int(fault.number(reply.size() // 2))
        elif fault.action == "corrupt":
            plan.corrupt_at = int(fault.number(reply.size() // 2))
        elif fault.action == "drip":
            plan.drip_bytes = int(fault.number(_DRIP_BYTES))
            plan.drip_pause = float(fault.options.get("pause", _DRIP_PAUSE))
    return plan if plan != Delivery() else None
