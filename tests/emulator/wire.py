"""Requests as they are on the wire, for what no SDK would send."""

import base64
import hashlib
import http.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from xml.etree import ElementTree

OWN = {"oss": "x-oss-", "obs": "x-obs-", "s3": "x-amz-"}
"""The services, and what their headers begin with."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def _root(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body.decode("utf-8", "replace"))

    def text(self, name: str) -> str | None:
        """Return the text of an element of the body, wherever it stands; None if there is none."""
        found = self._root.find(f".//{{*}}{name}")
        return None if found is None else found.text or ""

    def texts(self, name: str) -> list[str]:
        return [node.text or "" for node in self._root.findall(f".//{{*}}{name}")]

    @property
    def code(self) -> str | None:
        return self.text("Code") if self.body else None


class Wire:
    """Sends to one port; the headers may hold any bytes."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str | bytes] | None = None,
        body: bytes = b"",
        host: str = "127.0.0.1",
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", f"{host}:{self._port}")
            connection.putheader("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


Wires = dict[str, Wire]


def md5_of(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def parts_document(parts: Iterable[tuple[int, str]]) -> bytes:
    inner = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, etag in parts
    )
    return f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()


def upload(wire: Wire, key: str, *bodies: bytes) -> tuple[str, list[tuple[int, str]]]:
    identity = wire("POST", f"/bkt/{key}?uploads").text("UploadId") or ""
    parts = []
    for number, body in enumerate(bodies, 1):
        target = f"/bkt/{key}?partNumber={number}&uploadId={identity}"
        parts.append((number, wire("PUT", target, body=body).headers["ETag"]))
    return identity, parts
