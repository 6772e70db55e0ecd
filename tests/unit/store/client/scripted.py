"""A client's parts over a transport that answers by a script: no socket, no time.

The transport does what the real one does with an answer: it reads the error in it, repeats what is
transient, and asks `verify_done` before it repeats what may have happened.
"""

from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import md5
from typing import Any, Final, NamedTuple, cast
from zlib import crc32

from tagfs.errors import TagfsError, Unreachable
from tagfs.store.client.api import Api
from tagfs.store.client.context import ClientContext, WriteChoices
from tagfs.store.client.features import Features
from tagfs.store.client.parts import Parts
from tagfs.store.dialects.dialect import Dialect
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.http import retry
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.http.error_response import parse_response
from tagfs.store.http.messages import Request, Response
from tagfs.store.http.transport import Transport, TransportOptions
from tagfs.store.key_locks import KeyLocks
from tagfs.store.objects import ObjectInfo, ObjectType
from tagfs.store.wire.checksums import crc64
from tests.fakes.pool import DirectPool

DATE: Final = "Tue, 02 Jan 2024 03:04:05 GMT"
DATE_NS: Final = 1_704_164_645 * 10**9
ETAG: Final = "0" * 31 + "1"
OTHER: Final = "0" * 31 + "2"
SERVERS: Final = {"s3": "AmazonS3", "oss": "AliyunOSS", "obs": "OBS"}
DIALECTS: Final = {"s3": S3, "oss": OSS, "obs": OBS}


class Raw(NamedTuple):
    """One answer as it comes; `heard` is False where it is lost on the way."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    heard: bool = True


LOST: Final = Raw(200, heard=False)
"""The request may have been carried out; no answer arrives."""

BUSY: Final = Raw(503, {}, b"<Error><Code>SlowDown</Code></Error>")
Step = Raw | TagfsError | Callable[[Request], Raw]


def ok(body: str | bytes = b"", **headers: str) -> Raw:
    """Return a success; names of headers have "_" for "-"."""
    named = {"date": DATE} | {name.replace("_", "-"): text for name, text in headers.items()}
    return Raw(200, named, body.encode() if isinstance(body, str) else body)


def refused(status: int, code: str = "", **fields: str) -> Raw:
    """Return a refusal with the service's error document, or with nothing."""
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in fields.items())
    body = f"<Error><Code>{code}</Code>{inner}</Error>".encode() if code else b""
    return Raw(status, {}, body)


def described(size: int = 5, etag: str = ETAG, **headers: str) -> Raw:
    """Return the answer to HEAD of an object."""
    return ok(content_length=str(size), etag=f'"{etag}"', last_modified=DATE, **headers)


def tag_set(**tags: str) -> Raw:
    """Return the answer to GET ?tagging."""
    pairs = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in tags.items())
    return ok(f"<Tagging><TagSet>{pairs}</TagSet></Tagging>")


def listing(*keys: str, token: str = "") -> Raw:
    """Return one page of a listing."""
    contents = "".join(
        f"<Contents><Key>{key}</Key><Size>5</Size><ETag>{ETAG}</ETag>"
        "<LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents>"
        for key in keys
    )
    more = (
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        if token
        else ""
    )
    return ok(f"<ListBucketResult>{contents}{more}</ListBucketResult>")


def copied(etag: str = ETAG) -> Raw:
    """Return the answer to a copy."""
    return ok(f"<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>")


def info(key: str = "k", size: int = 5, etag: str = ETAG, **fields: Any) -> ObjectInfo:
    """Return the description of an object."""
    return ObjectInfo(key=key, size=size, etag=etag, last_modified_ns=DATE_NS, **fields)


LINK: Final = info("link", type=ObjectType.SYMLINK)


@dataclass
class ScriptedTransport:
    """Answers each operation by its own list; what is asked beyond it fails the test.

    Attributes:
        server: what the answers call their maker.
        sent: the requests, in order, each as often as it was sent.
    """

    dialect: Dialect
    server: str
    steps: dict[str, deque[Step]] = field(default_factory=lambda: defaultdict(deque))
    sent: list[Request] = field(default_factory=list)
    options: TransportOptions = field(default_factory=TransportOptions)
    origin: str = "the environment"

    @property
    def endpoint(self) -> Any:
        """Where the bucket is."""
        return find_endpoint(self.dialect, "bucket", "http://127.0.0.1:1", "r-1", "path")

    def now(self) -> float:
        """Return the service's clock."""
        return DATE_NS / 1e9

    def request(self, request: Request) -> Response:
        """Return the final answer."""
        may_have_happened = False
        while True:
            steps = self.steps[request.operation]
            if not steps and may_have_happened:
                raise Unreachable(f"{request}: no answer")
            assert steps, f"{request} is not in the script: {dict(request.headers)}"
            self.sent.append(request)
            step = steps.popleft()
            if isinstance(step, TagfsError):
                raise step
            answer = step if isinstance(step, Raw) else step(request)
            final = self._read(request, answer)
            may_have_happened |= final is None or final.may_have_happened or final.status >= 500
            if final is not None and not retry.is_transient(self.dialect, final.status, final.code):
                return replace(final, may_have_happened=may_have_happened)
            if may_have_happened and request.verify_done and request.verify_done():
                return Response(status=200, headers={}, may_have_happened=True)

    def request_all(self, requests: Sequence[Request]) -> list[Response | None]:
        """Return the plain answers."""
        answers: list[Response | None] = []
        for request in requests:
            self.sent.append(request)
            step = self.steps[request.operation].popleft()
            final = self._read(request, step) if isinstance(step, Raw) else None
            answers.append(final if final is not None and final.status in (200, 206, 404) else None)
        return answers

    def _read(self, request: Request, answer: Raw) -> Response | None:
        if not answer.heard:
            return None
        final = parse_response(self.dialect, request, answer.status, answer.headers, answer.body)
        if request.body is None or isinstance(request.body, bytes):
            return final
        data = request.body.read(0, request.body.size)
        return replace(
            final,
            sent_crc64=crc64(data),
            sent_md5=md5(data, usedforsecurity=False).hexdigest() if request.md5 else None,
            sent_checksum=b64encode(crc32(data).to_bytes(4)).decode() if request.checksum else None,
            md5_was_first=request.md5_first,
        )

    def close(self) -> None:
        """Do nothing."""


class Script:
    """The parts of one client, and what its service answers."""

    def __init__(self, service: str = "s3", server: str | None = None, **choices: Any) -> None:
        dialect = DIALECTS[service]
        maker = SERVERS[service] if server is None else server
        self.transport = ScriptedTransport(dialect, maker)
        self.dialect = dialect
        api = Api("bucket", dialect, cast("Transport", self.transport))
        self.context = ClientContext(
            api=api,
            features=Features("bucket", dialect),
            choices=WriteChoices(**choices),
            locks=KeyLocks(),
            pool=DirectPool(1),
            trial_pool=DirectPool(1),
        )
        self.features = self.context.features
        self.parts = Parts(self.context)

    def on(self, operation: str, *steps: Step) -> "Script":
        """Answer an operation in this way, one step for each time that it is sent."""
        self.transport.steps[operation].extend(steps)
        return self

    @property
    def asked(self) -> list[str]:
        """What was sent: operations, in order."""
        return [request.operation for request in self.transport.sent]

    @property
    def last(self) -> Request:
        """What was sent last."""
        return self.transport.sent[-1]

    def all_of(self, operation: str) -> list[Request]:
        """Return what was sent of one operation."""
        return [one for one in self.transport.sent if one.operation == operation]

    @property
    def unused(self) -> dict[str, int]:
        """How many steps of the script were not needed."""
        return {name: len(steps) for name, steps in self.transport.steps.items() if steps}
