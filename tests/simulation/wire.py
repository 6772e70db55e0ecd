"""The client of the store within a simulation: its requests go to the emulator's logic, in process.

A connection is a call. Before and after what a request does, time passes, as much as the seed says;
requests are refused or lost, done with their answers lost, done and answered by an error, and what
was read may be old by the time it arrives.
"""

import atexit
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import replace
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from multidict import CIMultiDict

from tagfs.emulator.config import EmulatorConfig
from tagfs.emulator.messages import Call, Reply, Request, Service
from tagfs.emulator.obs.service import ObsService
from tagfs.emulator.oss.service import OssService
from tagfs.emulator.s3.service import S3Service
from tagfs.emulator.storage.engine import Storage
from tagfs.errors import Unreachable
from tagfs.store.client.client import DIALECTS, Client
from tagfs.store.credentials.values import Credentials
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.http import transport as transports
from tagfs.store.http.authenticator import Authenticator
from tagfs.store.http.connections import NoResponse, Timeouts
from tagfs.store.http.endpoints import Endpoint, find_endpoint
from tagfs.store.http.retry import RetryState
from tagfs.store.http.transport import Transport
from tests.simulation.primitives import EPOCH
from tests.simulation.scheduler import Simulation
from tests.simulation.service import Weather, travel

SERVICES: Final = {"oss": OssService, "obs": ObsService, "s3": S3Service}

REGIONS: Final = {"oss": "cn-hangzhou", "obs": "cn-north-4", "s3": "us-east-1"}

FAULTS: Final = ("refused", "reset", "lost", "500", "500 after", "503", "503 after")
"""What becomes of an attempt: not sent, not heard, its answer not heard, or an error instead."""

_buckets = itertools.count()


class Pair:
    """Credentials that do not change."""

    origin = "the test"

    def get(self) -> Credentials:
        return Credentials("emulator", "emulator-secret")

    def refresh(self) -> Credentials:
        return self.get()


@cache
def _service(name: str) -> tuple[Storage, Service]:
    """Return an emulated service; all runs of this process share it, each with a bucket."""
    directory = Path(tempfile.mkdtemp(prefix="tagfs-simulated-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    storage = Storage(directory)
    config = EmulatorConfig(data=directory, service=name, minimum_part_size=1)
    return storage, SERVICES[name](storage, config)


class Wire:
    """One bucket of a service, and the ways to it."""

    def __init__(self, sim: Simulation, service: str, part: int) -> None:
        self.sim = sim
        storage, self.service = _service(service)
        self.bucket = f"run-{next(_buckets)}"
        storage.ensure_buckets([self.bucket], int(self.now() * 1000))
        dialect = DIALECTS[service]
        self.dialect = replace(dialect, limits=replace(dialect.limits, min_part=part))
        self.endpoint = find_endpoint(
            self.dialect, self.bucket, "http://127.0.0.1:1", REGIONS[service], "path"
        )

    def now(self) -> float:
        return EPOCH + self.sim.now

    def client(self, weather: Weather | None = None) -> Client:
        """Return a client; without weather its requests take no time and are always answered."""
        authority = Authenticator(self.endpoint, self.dialect, Pair(), clock=self.now)
        pool = lambda _at, *_more: Connections(self, weather)  # noqa: E731
        with patch.object(transports, "ConnectionPool", pool):
            way = HonestTransport(self.endpoint, self.dialect, authority, weather)
        return Client(self.bucket, self.dialect, way)

    def do(
        self, method: str, target: str, headers: Mapping[str, str], data: bytes
    ) -> tuple[Call, Request]:
        path, _, query = target.partition("?")
        request = Request(
            method=method,
            host=headers.get("host", "127.0.0.1:1"),
            path=path,
            query_string=query,
            headers=headers,
            body=SentBody(data),
            clock=self.now,
        )
        return self.service.identify(request), request


class HonestTransport(Transport):
    """A transport that notes when it gives up: only then an operation may fail."""

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        authority: Authenticator,
        weather: Weather | None,
    ) -> None:
        super().__init__(endpoint, dialect, authority)
        self._weather = weather

    def _give_up(self, course: RetryState, reason: str) -> Unreachable:
        if self._weather is not None:
            self._weather.struck += 1
            if course.request.operation == "CompleteMultipartUpload":
                self._weather.unanswered.add(f"/{course.request.key}")
        return super()._give_up(course, reason)


class SentBody:
    """What came with a request."""

    chunked = False

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length: int | None = len(data)

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._data:
            yield self._data

    async def read(self, limit: int) -> bytes:  # noqa: ARG002  the shape of a body
        return self._data


class Connections:
    """What stands for a pool of connections."""

    asked_by = None

    def __init__(self, wire: Wire, weather: Weather | None) -> None:
        self._wire, self._weather = wire, weather

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str | bytes],
        body: Any,
        patience: Timeouts,
        *,
        retry_connect: bool = True,  # noqa: ARG002
    ) -> "Exchange":
        data = b"" if body is None else body if isinstance(body, bytes) else b"".join(body)
        sent = CIMultiDict(
            (name, value if isinstance(value, str) else value.decode("latin-1"))
            for name, value in headers.items()
        )
        call, request = self._wire.do(method, target, sent, data)
        return Exchange(self._wire, self._weather, call, request, patience)

    def close(self) -> None:
        pass


class Exchange:
    """A request, and its answer once it has come."""

    def __init__(
        self,
        wire: Wire,
        weather: Weather | None,
        call: Call,
        request: Request,
        patience: Timeouts,
    ) -> None:
        self._wire, self._weather = wire, weather
        self._call, self._request, self._patience = call, request, patience

    def drop(self) -> None:
        pass

    def answer(self, within: float | None = None) -> "Answer":
        """Do it, in the time that it takes.

        Raises:
            NoResponse
        """
        weather, fault = self._weather, ""
        if weather is None:
            return self._answered(self._done())
        began = self._wire.sim.now
        if weather.chance.random() < weather.faults:
            fault = weather.chance.choice(FAULTS)
        name = f"{self._call.operation} {self._call.key or ''}"
        travel(_KINDS.get(self._call.operation, ""), self._wire.sim, weather)
        self._wire.sim.note(f"  {name}{f': {fault}' if fault else ''}")
        if fault in ("refused", "reset"):
            raise NoResponse(fault, sent=fault == "reset")
        reply = self._refusal(fault) if fault in ("500", "503") else self._done()
        travel(_KINDS.get(self._call.operation, ""), self._wire.sim, weather)
        if fault == "lost" or self._wire.sim.now - began > (within or self._patience.read):
            raise NoResponse("the answer was lost", sent=True)
        return self._answered(self._refusal(fault[:3]) if fault.endswith("after") else reply)

    def _done(self) -> Reply:
        return _finished(self._wire.service.answer(self._request, self._call))

    def _refusal(self, status: str) -> Reply:
        code = {"500": "InternalError", "503": "ServiceUnavailable"}[status]
        return self._wire.service.refuse(self._request, int(status), code, "injected")

    def _answered(self, reply: Reply) -> "Answer":
        return Answer(reply, self._request.method, self._wire.now())


class Answer:
    """An answer as a client reads it."""

    def __init__(self, reply: Reply, method: str, now: float) -> None:
        self.status = reply.status
        self._body = b"" if method == "HEAD" else b"".join(reply.chunks())
        if reply.content is not None:
            reply.content.close()
        headers = {"Date": formatdate(now, usegmt=True), "Content-Length": str(reply.size())}
        self.fields = {name.lower(): value for name, value in {**headers, **reply.headers}.items()}

    def read(self, most: int | None = None) -> bytes:
        return self._body if most is None else self._body[:most]

    def drop(self) -> None:
        pass


def _finished(work: Coroutine[Any, Any, Reply]) -> Reply:
    """Run what waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        reply: Reply = stop.value
        return reply
    raise AssertionError("an emulated request waits")


_KINDS: Final = {
    "ListObjects": "list",
    "ListObjectsV2": "list",
    "HeadObject": "head",
    "GetObject": "get",
    "PutObject": "put",
    "DeleteObject": "delete",
    "CopyObject": "copy",
    "GetObjectTagging": "get_tags",
}
"""What plans call the requests that can be the slowest."""
