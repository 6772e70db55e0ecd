"""Connections: which are used again, what a failure reports, and what is closed when."""

import gc
import itertools
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3

from tagfs.store.dialects.oss import OSS
from tagfs.store.http.connection_pool import ConnectionPool
from tagfs.store.http.connections import NoResponse, Timeouts
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.http.request_body import Stream
from tagfs.store.objects import BytesSource
from tests.fakes.loopback import CLOSE, RESET, Cut, LoopbackServer, Slow, answer, error

PATIENCE = Timeouts(connect=5.0, read=5.0)
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
LARGE = 20_000_000
"""More bytes than a socket takes before they are read."""


class Pieces(LoopbackServer):
    """Sends the pieces of a step when its `go` is set, one after the other."""

    def __init__(self, script: list[object]) -> None:
        self.go, self.gone = threading.Semaphore(0), threading.Semaphore(0)
        super().__init__(script)

    def _play(self, connection: socket.socket, step: object) -> bool:
        if not isinstance(step, list):
            return super()._play(connection, step)
        for piece in step:
            assert self.go.acquire(timeout=60)
            connection.sendall(piece)
            self.gone.release()
        return True

    def send_piece(self) -> None:
        self.go.release()
        assert self.gone.acquire(timeout=60)


class Impatient(LoopbackServer):
    """Answers the first request when its head is there, and ends the connection."""

    numbers: "itertools.count[int]"

    def __init__(self, script: list[object]) -> None:
        self.numbers = itertools.count()
        super().__init__(script)

    def _serve(self, connection: socket.socket) -> None:
        if next(self.numbers):
            super()._serve(connection)
            return
        with connection:
            connection.recv(1000)
            connection.sendall(error(403, "AccessDenied"))


class Echo(LoopbackServer):
    """Answers with what was asked for."""

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while asked := self._read(stream):
                connection.sendall(answer(body=asked.target.encode()))


@pytest.fixture
def opened():
    """Open connections to a server; both end with the test."""
    open_ones: list[ConnectionPool | LoopbackServer] = []

    def start(server: LoopbackServer, scheme: str = "http") -> ConnectionPool:
        url = server.url.replace("http:", f"{scheme}:")
        connections = ConnectionPool(find_endpoint(OSS, "bkt", url), None)
        open_ones.extend([connections, server])
        return connections

    yield start
    for one in open_ones:
        try:
            one.close()
        except OSError:  # the test has closed it
            continue


def send(connections, method="GET", body=None, *, target="/k", patience=PATIENCE, **kwargs):
    """Send a request as `Transport` does: with all its headers."""
    size = body._source.size if isinstance(body, Stream) else len(body or b"")
    headers = {"host": "h", "content-length": str(size)}
    return connections.send(method, target, headers, body, patience, **kwargs)


def ask(connections, method="GET", body=None, **kwargs):
    exchange = send(connections, method, body, **kwargs).answer()
    return exchange.status, exchange.read()


def wait_for_end(connections):
    """Return when the service has ended the only idle connection."""
    (idle,) = connections._idle
    assert urllib3.util.wait_for_read(idle.sock, timeout=10)


# Used again


@pytest.mark.parametrize(
    ("method", "first", "body"),
    [
        ("GET", answer(body=b"x"), b"x"),
        ("GET", answer(), b""),
        ("GET", answer(404, b"gone"), b"gone"),
        ("GET", CHUNKED, b"abc"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\na: b\r\n\r\n" + answer(), b""),
        ("GET", b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx", b"x"),
        ("HEAD", answer(content_length="1000"), b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b""),
        ("HEAD", b"HTTP/1.1 404 No\r\n\r\n", b""),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Same\r\ncontent-length: 7\r\n\r\n", b""),
    ],
)
def test_a_connection_whose_answer_was_read_is_used_again(opened, method, first, body):
    server = LoopbackServer([first, answer(body=b"next")])
    connections = opened(server)
    assert ask(connections, method)[1] == body
    assert ask(connections) == (200, b"next")
    assert server.connections == 1


def test_one_chunk_more_than_is_wanted(opened):
    server = LoopbackServer([CHUNKED, answer(body=b"next")])
    connections = opened(server)
    assert send(connections).answer().read(4) == b"abc"
    assert ask(connections) == (200, b"next")
    assert server.connections == 1


def test_the_connection_used_last_is_used_first(opened):
    server = LoopbackServer([answer()])
    connections = opened(server)
    several = [send(connections) for _ in range(3)]
    for one in several:
        one.answer().read()
    for _ in range(5):
        last = connections._idle[-1]
        ask(connections)
        assert connections._idle[-1] is last
    assert server.connections == 3


# Not used again


@pytest.mark.parametrize(
    "first",
    [
        answer(body=b"x", connection="close"),
        answer(body=b"x", connection="Close"),
        answer(connection="close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
        Cut(b"HTTP/1.1 200 OK\r\n\r\nto the end"),
        CHUNKED.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1),
    ],
)
def test_a_connection_that_ends_with_its_answer_is_not_used_again(opened, first):
    server = LoopbackServer([first, answer(body=b"next")])
    connections = opened(server)
    assert ask(connections)[0] == 200
    assert ask(connections, "PUT", b"b") == (200, b"next")
    assert server.connections == 2


@pytest.mark.parametrize("first", [answer(body=b"abcdef"), CHUNKED])
@pytest.mark.parametrize("most", [1, 2])
def test_a_connection_with_more_to_come_is_not_used_again(opened, first, most):
    server = LoopbackServer([first, answer(body=b"next")])
    connections = opened(server)
    assert send(connections).answer().read(most) == b"abcdef"[:most]
    assert ask(connections) == (200, b"next")
    assert server.connections == 2


@pytest.mark.parametrize("when", ["before the head", "before the body"])
def test_a_connection_that_was_dropped_is_not_used_again(opened, when):
    server = LoopbackServer([answer(body=b"first"), answer(body=b"next")])
    connections = opened(server)
    sent = send(connections)
    (sent if when == "before the head" else sent.answer()).drop()
    while not server.asked:  # the script is in order of arrival
        threading.Event().wait(0.005)
    assert ask(connections) == (200, b"next")
    assert server.connections == 2


@pytest.mark.parametrize(
    "first",
    [
        CLOSE,
        RESET,
        Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n"),
        Cut(answer(body=b"hal", content_length="6")),
        Cut(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal"),
        Cut(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhal\r\n"),
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhal",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_fails_after_sending_may_have_been_done(opened, first, method):
    server = LoopbackServer([first, answer(body=b"next")])
    connections = opened(server)
    with pytest.raises(NoResponse) as caught:
        ask(connections, method)
    assert (caught.value.sent, caught.value.permanent) == (True, False)
    assert connections._idle == []
    assert ask(connections) == (200, b"next")
    assert server.connections == 2


def test_silence(opened):
    server = LoopbackServer([Slow(30, answer()), answer(body=b"next")])
    connections = opened(server)
    with pytest.raises(NoResponse) as caught:
        ask(connections, patience=Timeouts(connect=5.0, read=0.2))
    assert (caught.value.sent, caught.value.permanent) == (True, False)
    assert ask(connections) == (200, b"next")


def test_patience_is_that_of_each_request(opened):
    server = LoopbackServer([answer(), Slow(0.5, answer(body=b"late"))])
    connections = opened(server)
    ask(connections, patience=Timeouts(connect=5.0, read=0.1))
    assert ask(connections) == (200, b"late")
    assert server.connections == 1


# Idle ones that the service has ended


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
def test_an_idle_connection_that_has_ended_is_not_used(opened, method):
    server = LoopbackServer([Cut(answer(body=b"x")), answer()])
    connections = opened(server)
    ask(connections)
    wait_for_end(connections)
    assert ask(connections, method) == (200, b"")
    assert [asked.method for asked in server.asked] == ["GET", method]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_write_never_meets_a_connection_that_has_ended(opened, method):
    """It would be uncertain then, though the service never saw it."""
    server = LoopbackServer([Cut(answer(body=b"x")), answer()])
    connections = opened(server)
    ask(connections)
    wait_for_end(connections)
    assert ask(connections, method, b"b") == (200, b"")


def test_a_read_that_meets_a_connection_that_has_ended_finds_another(opened):
    server = LoopbackServer([Cut(answer(body=b"x")), answer(body=b"y")])
    connections = opened(server)
    ask(connections)
    wait_for_end(connections)
    assert ask(connections) == (200, b"y")
    assert len(connections._idle) == 1


def test_what_is_left_over_is_nobodys_answer(opened):
    server = Pieces([[answer(body=b"first"), answer(body=b"WRONG")], answer(body=b"second")])
    connections = opened(server)
    server.go.release()
    assert ask(connections) == (200, b"first")
    server.send_piece()
    server.send_piece()
    wait_for_end(connections)
    assert ask(connections, target="/other") == (200, b"second")


# Sending


def test_an_answer_that_comes_while_sending_is_read(opened):
    connections = opened(Impatient([answer()]))
    assert ask(connections, "PUT", bytes(LARGE))[0] == 403


def test_a_connection_on_which_sending_was_cut_is_not_kept(opened):
    connections = opened(Impatient([answer()]))
    assert ask(connections, "PUT", bytes(LARGE))[0] == 403
    assert connections._idle == []


class FailingSource:
    size = 3_000_000

    def __init__(self, failure: BaseException, good: int) -> None:
        self.failure, self.good = failure, good

    def read(self, offset: int, length: int) -> bytes:
        if offset >= self.good:
            raise self.failure
        return bytes(length)


@pytest.mark.parametrize("good", [0, 1_000_000])
@pytest.mark.parametrize("failure", [OSError(5, "disk"), ValueError("x"), KeyboardInterrupt()])
def test_a_connection_whose_body_failed_is_not_used_again(opened, failure, good):
    server = LoopbackServer([answer()])
    connections = opened(server)
    ask(connections)
    stream = Stream(FailingSource(failure, good), with_md5=False)
    ours = NoResponse if isinstance(failure, OSError) else type(failure)
    with pytest.raises(ours):
        send(connections, "PUT", stream)
    assert stream.failure is failure
    assert connections._idle == []
    assert ask(connections) == (200, b"")
    assert server.connections == 2


@pytest.mark.parametrize("kind", [BrokenPipeError, ConnectionResetError])
def test_a_source_that_is_cut_is_no_connection_that_is_cut(opened, kind):
    connections = opened(LoopbackServer([answer()]))
    stream = Stream(FailingSource(kind("of the source"), 0), with_md5=False)
    with pytest.raises((NoResponse, kind)):
        send(connections, "PUT", stream).drop()


def test_a_large_body_is_sent_in_blocks(opened):
    server = LoopbackServer([answer()])
    connections = opened(server)
    data = bytes(range(250)) * 12_000
    assert ask(connections, "PUT", Stream(BytesSource(data), with_md5=False)) == (200, b"")
    assert server.asked[0].body == data


def test_a_header_that_cannot_be_sent_closes_the_connection(opened):
    server = LoopbackServer([answer()])
    connections = opened(server)
    ask(connections)
    with pytest.raises(ValueError, match="header"):
        connections.send("GET", "/k", {"a": "b\nc"}, None, PATIENCE)
    assert connections._idle == []
    assert ask(connections) == (200, b"")


# Connecting


@pytest.mark.parametrize("patient", [True, False])
def test_nobody_listening(opened, patient):
    server = LoopbackServer([answer()])
    connections = opened(server)
    server.close()
    with pytest.raises(NoResponse, match="refused") as caught:
        send(connections, retry_connect=patient)
    assert (caught.value.sent, caught.value.permanent) == (False, not patient)


@pytest.mark.parametrize(
    ("failure", "permanent"),
    [
        (socket.gaierror(-2, "Name or service not known"), True),
        (TimeoutError("timed out"), False),
        (OSError(113, "No route to host"), True),
    ],
)
def test_what_fails_before_sending_was_not_done(opened, monkeypatch, failure, permanent):
    def fail(*_args, **_kwargs):
        raise failure

    connections = opened(LoopbackServer([answer()]))
    monkeypatch.setattr("urllib3.util.connection.create_connection", fail)
    with pytest.raises(NoResponse) as caught:
        send(connections, retry_connect=False)
    assert (caught.value.sent, caught.value.permanent) == (False, permanent)
    assert "object at" not in str(caught.value)


class Handshaker(LoopbackServer):
    """Says something else than TLS wants to hear, and ends the connection."""

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(1000)
            self._play(connection, self.script[0])


@pytest.mark.parametrize(("said", "permanent"), [(answer(400), True), (b"", False)])
def test_a_service_that_speaks_no_tls(opened, said, permanent):
    connections = opened(Handshaker([said]), "https")
    with pytest.raises(NoResponse) as caught:
        send(connections)
    assert (caught.value.sent, caught.value.permanent) == (False, permanent)


# Closing


def ended(server: LoopbackServer) -> bool:
    """Say whether the client has ended its last connection, whose server then closes it."""
    for _ in range(2000):
        if server._open[-1].fileno() == -1:
            return True
        threading.Event().wait(0.005)
    return False


def test_close_ends_what_is_idle(opened):
    server = LoopbackServer([answer()])
    connections = opened(server)
    ask(connections)
    (idle,) = connections._idle
    connections.close()
    assert (idle.sock, connections._idle) == (None, [])
    assert ended(server)


def test_what_is_in_use_is_closed_when_it_is_given_back(opened):
    server = LoopbackServer([answer(body=b"x")])
    connections = opened(server)
    exchange = send(connections).answer()
    connections.close()
    assert exchange.read() == b"x"
    assert connections._idle == []
    assert ended(server)


def test_connections_that_nobody_closes_end_with_their_owner():
    server = LoopbackServer([answer()])
    connections = ConnectionPool(find_endpoint(OSS, "bkt", server.url), None)
    ask(connections)
    (idle,) = connections._idle
    del connections
    gc.collect()
    assert idle.sock is None
    server.close()


# Many at once


def test_threads_never_share_a_connection(opened):
    server = Echo([])
    connections = opened(server)

    def walk(thread: int) -> list[str]:
        return [ask(connections, target=f"/{thread}/{number}")[1].decode() for number in range(100)]

    with ThreadPoolExecutor(8) as pool:
        reported = list(pool.map(walk, range(8)))
    assert reported == [[f"/{thread}/{number}" for number in range(100)] for thread in range(8)]
    assert len(connections._idle) == server.connections <= 8


def test_close_while_others_ask(opened):
    server = Echo([])
    connections = opened(server)
    begun = threading.Barrier(5)

    def walk(thread: int) -> None:
        begun.wait(60)
        for number in range(100):
            target = f"/{thread}/{number}"
            assert ask(connections, target=target) == (200, target.encode())

    with ThreadPoolExecutor(4) as pool:
        walks = [pool.submit(walk, thread) for thread in range(4)]
        begun.wait(60)
        connections.close()
        for one in walks:
            one.result(30)
    assert connections._idle == []
