"""The HTTP server: one request in, one reply out, with log line, latency and faults around it.

aiohttp is met here, in `admin` and in `server` only, through its low-level server: no router, no
access log, no decompression, and the request target exactly as it was sent, for keys may hold `//`,
`..` and `%2F`.
"""

import asyncio
import math
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate

from aiohttp import hdrs, web

from tagfs.emulator.admin import ADMIN_PREFIX, administer
from tagfs.emulator.faults import MODES, REFUSALS, Fault, FaultBoard
from tagfs.emulator.messages import Reply, Request, Service
from tagfs.emulator.request_log import RequestLog
from tagfs.emulator.response_faults import Delivery, damage, delivery, refusal

_GLANCE = 0.05  # seconds between looks whether a client that is kept waiting is still there
_DROPPED = 0  # the status in the log of a request that got no answer


class _Drop(Exception):
    """The connection is to be dropped without an answer."""


class _HttpBody:
    """A request's body as the services read it."""

    def __init__(self, http: web.BaseRequest) -> None:
        self._http = http
        self._continue_due = "100-continue" in http.headers.get(hdrs.EXPECT, "").lower()
        self.length = http.content_length
        self.chunked = "chunked" in http.headers.get(hdrs.TRANSFER_ENCODING, "").lower()

    async def chunks(self) -> AsyncIterator[bytes]:
        self._invite()
        while chunk := await self._http.content.readany():
            yield chunk

    async def read(self, limit: int) -> bytes:
        """Return the whole body; more than `limit` bytes are cut off at a chunk's end."""
        self._invite()
        stream = self._http.content
        if stream.is_eof() and not stream.total_bytes:
            return b""
        data = await stream.readany()
        if self.length == len(data):
            return data
        parts, size = [data], len(data)
        while size <= limit and (chunk := await stream.readany()):
            parts.append(chunk)
            size += len(chunk)
        return b"".join(parts)

    def _invite(self) -> None:
        """Ask for the body if the client waits to be asked; a refused request is never asked."""
        if self._continue_due and self._http.transport is not None:
            self._http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._continue_due = False

    @property
    def is_unasked(self) -> bool:
        """Tell whether the body may never come: it waits to be asked for, or goes with a GET."""
        is_read = self._http.method in {"GET", "HEAD"} and not self._http.content.is_eof()
        return self._continue_due or is_read

    @property
    def received(self) -> int:
        """Return how many bytes have come so far."""
        return self._http.content.total_bytes


class HttpServer:
    """Answers every HTTP request of one service."""

    def __init__(
        self, service: Service, *, log: RequestLog, faults: FaultBoard, latency: float
    ) -> None:
        self.service = service
        self.log = log
        self.faults = faults
        self.latency = latency
        self._inflight = 0

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if http.raw_path.startswith(ADMIN_PREFIX):
            answer = await administer(http, self.faults)
            if answer is not None:
                return answer
        self._inflight += 1
        try:
            return await _Exchange(self, http, self._inflight).run()
        finally:
            self._inflight -= 1


class _Exchange:
    """One request on its way through the server."""

    def __init__(self, server: HttpServer, http: web.BaseRequest, inflight: int) -> None:
        self._server = server
        self._http = http
        self._inflight = inflight
        self._began = time.time()
        self._clock = time.perf_counter()
        self._body = _HttpBody(http)
        path, _, query = http.raw_path.partition("?")
        self._request = Request(
            method=http.method,
            host=http.headers.get(hdrs.HOST, ""),
            path=path,
            query_string=query,
            headers=http.headers,
            body=self._body,
            clock=time.time,
        )
        self._call = server.service.identify(self._request)
        self._struck = server.faults.strike(self._call, http.headers)

    async def run(self) -> web.StreamResponse:
        try:
            if self._server.latency:
                await asyncio.sleep(self._server.latency)
            reply = await (self._faulty_answer() if self._struck else self._answer())
        except (_Drop, ConnectionError):  # ours, or the client's in the middle of its body
            self._write_down(_DROPPED, 0)
            return self._drop()
        try:
            return await self._send(reply)
        except ConnectionError:  # the client left before it had everything
            return self._drop()

    async def _answer(self) -> Reply:
        return await self._server.service.answer(self._request, self._call)

    async def _faulty_answer(self) -> Reply:
        request = self._request
        for fault in self._struck:
            if fault.action in MODES:
                request.modes[fault.action] = fault.value
        request.ahead = float(request.modes.get("clock", 0))
        reply = await self._reply_or_refusal()
        if "clock" in request.modes:
            reply.headers[hdrs.DATE] = formatdate(request.now, usegmt=True)
        return reply

    async def _reply_or_refusal(self) -> Reply:
        for fault in self._struck:
            if fault.action == "delay":
                await asyncio.sleep(fault.number(0))
            elif fault.action == "hold":
                await self._hold(fault)
            elif fault.action in REFUSALS and fault.when == "before":
                return await self._prevented(fault)
        reply = await self._answer()
        for fault in self._struck:
            fault.done += 1
            if fault.action in REFUSALS:
                if reply.content is not None:
                    reply.content.close()
                return await self._prevented(fault)
            reply = damage(self._server.service, self._request, self._call, reply, fault)
        return reply

    async def _prevented(self, fault: Fault) -> Reply:
        if fault.action == "hang":
            await self._hang(fault.number(math.inf))
            raise _Drop
        if fault.action == "reset":
            raise _Drop
        return refusal(self._server.service, self._request, fault)

    async def _hang(self, seconds: float) -> None:
        """Wait, but not longer than the client does."""
        deadline = time.monotonic() + seconds
        while self._http.transport is not None and time.monotonic() < deadline:
            await asyncio.sleep(min(_GLANCE, max(deadline - time.monotonic(), 0)))

    async def _hold(self, fault: Fault) -> None:
        """Wait until a fault is in force no more.

        Raises:
            _Drop: the client did not.
        """
        while not fault.lifted:
            if self._http.transport is None:
                raise _Drop
            await asyncio.sleep(_GLANCE)

    async def _send(self, reply: Reply) -> web.StreamResponse:
        plan = delivery(reply, self._struck) if self._struck else None
        if reply.content is None and plan is None and not reply.compressed:
            sent = 0 if self._http.method == "HEAD" else len(reply.body)
            self._write_down(reply.status, sent)
            body = None if self._http.method == "HEAD" else reply.body
            response = web.Response(status=reply.status, headers=reply.headers, body=body)
            if self._body.is_unasked:
                response.force_close()
            return response
        try:
            return await self._stream(reply, plan)
        finally:
            if reply.content is not None:
                reply.content.close()

    async def _stream(self, reply: Reply, plan: Delivery | None) -> web.StreamResponse:
        """Send a body piece by piece; the log line goes out before the last piece."""
        reply.headers.setdefault("Content-Length", str(reply.size()))
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        if self._body.is_unasked:
            response.force_close()
        if reply.compressed:
            response.enable_compression(web.ContentCoding.gzip)
        chunks = plan.chunks(reply.chunks()) if plan else reply.chunks()
        sent, is_last = 0, False
        try:
            await response.prepare(self._http)
            for chunk, is_last in _marked(chunks):
                if plan and sent:
                    await asyncio.sleep(plan.drip_pause)
                sent += len(chunk)
                if is_last:
                    self._write_down(reply.status, sent)
                await response.write(chunk)
        finally:
            if not is_last:  # the client left: what it was sent until then
                self._write_down(reply.status, sent)
        if plan and plan.cut_after is not None and sent < reply.size():
            return self._drop()
        return response

    def _write_down(self, status: int, sent: int) -> None:
        outcome: dict[str, object] = {
            "time": round(self._began, 6),
            "status": status,
            "bytes_in": self._body.received,
            "bytes_out": sent,
            "seconds": round(time.perf_counter() - self._clock, 6),
            "inflight": self._inflight,
        }
        if self._struck:
            outcome["fault"] = [fault.specification for fault in self._struck]
        self._server.log.write(self._call, outcome)

    def _drop(self) -> web.StreamResponse:
        """Reset the connection; aiohttp notices when it tries to send what is returned here."""
        transport = self._http.transport
        if transport is not None:
            raw = transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        return web.Response(status=503)


def _marked(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each chunk with whether it is the last; an empty body is one empty chunk."""
    held = next(chunks, b"")
    for chunk in chunks:
        yield held, False
        held = chunk
    yield held, True
