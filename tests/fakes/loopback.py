"""A server on loopback that answers from a script, byte for byte, and remembers what it was asked.

Each request takes the next step of the script: bytes to send as they are, or one of `CLOSE` (end
the connection without an answer), `RESET`, `Cut(bytes)` (send, then end). The last step repeats.
"""

import socket
import struct
import threading
from dataclasses import dataclass, field

CLOSE, RESET = object(), object()


@dataclass(frozen=True)
class Cut:
    data: bytes


@dataclass(frozen=True)
class Slow:
    seconds: float
    data: bytes


@dataclass
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Write an answer; `content_length=...` overrides the true one.

    It is the service's own, as far as S3 reports; `server="..."` makes it another's.
    """
    fields = {
        "server": "AmazonS3",
        "date": "Tue, 02 Jan 2024 03:04:05 GMT",
        "last-modified": "Tue, 02 Jan 2024 03:04:05 GMT",
        "etag": '"E"',
        "x-oss-request-id": "REQ",
        "content-length": str(len(body)),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status} Status\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    return head.encode() + b"\r\n" + body


def error(status: int, code: str, message: str = "", **headers: str) -> bytes:
    body = (
        f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>RID</RequestId></Error>"
    )
    return answer(status, body.encode(), **headers)


@dataclass
class LoopbackServer:
    script: list[object]
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        # accept() in the other thread would keep a closed socket listening.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while asked := self._read(stream):
                    with self._lock:
                        self.asked.append(asked)
                        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                    if not self._play(connection, step):
                        return
            except OSError:
                return

    def _play(self, connection: socket.socket, step: object) -> bool:
        if step is CLOSE:
            return False
        if step is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if isinstance(step, Cut):
            connection.sendall(step.data)
            return False
        if isinstance(step, Slow):
            threading.Event().wait(step.seconds)
            step = step.data
        assert isinstance(step, bytes)
        connection.sendall(step)
        return True

    def _read(self, stream) -> Asked | None:
        line = stream.readline().decode("latin-1")
        if not line:
            return None
        method, target, _ = line.split(" ")
        headers = {}
        while (line := stream.readline().decode()) not in {"\r\n", ""}:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        return Asked(method, target, headers, body)
