"""The transport: what it sends, when it tries again, and when it stops."""

import contextlib
import logging
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
import requests
import urllib3

from tagfs.errors import (
    BadCredentials,
    IntegrityError,
    Interrupted,
    InvalidRequest,
    MalformedResponse,
    Throttled,
    Unreachable,
)
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tagfs.store.dialects.oss import OSS
from tagfs.store.http import connections, retry
from tagfs.store.http.authenticator import Authenticator
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.http.messages import Attempt, Request, Response
from tagfs.store.http.pacing import RateLimits
from tagfs.store.http.transport import Transport, TransportOptions
from tagfs.store.objects import BytesSource
from tagfs.store.wire.checksums import crc64
from tests.fakes.loopback import CLOSE, RESET, Cut, LoopbackServer, Slow, answer, error
from tests.waiting import FAR, soon, until_blocked, wait_for

AK = Credentials("ak", "sk")
GET = Request(operation="GetObject", method="GET", key="k")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


@pytest.fixture
def serve():
    open_ones: list[LoopbackServer | Transport] = []

    def start(*script, credentials=None, clock=time.time, **options):
        server = LoopbackServer(list(script))
        endpoint = find_endpoint(OSS, "bkt", server.url)
        authority = Authenticator(endpoint, OSS, credentials or StaticCredentials(AK), clock)
        client = Transport(
            endpoint, OSS, authority, TransportOptions(**({"timeout": 5.0} | options))
        )
        open_ones.extend([client, server])
        return server, client

    yield start
    for item in open_ones:
        with contextlib.suppress(OSError):
            item.close()


# What is sent


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("a/b", "/bkt/a/b"),
        ("a/", "/bkt/a/"),
        ("a b+c%~中", "/bkt/a%20b%2Bc%25~%E4%B8%AD"),
        ("a?b#c&d", "/bkt/a%3Fb%23c%26d"),
        ("...", "/bkt/..."),
        (".a/..b/c.", "/bkt/.a/..b/c."),
        ("%2e%2e/x", "/bkt/%252e%252e/x"),
        ("a\x01\n", "/bkt/a%01%0A"),
    ],
)
def test_the_path_is_sent_byte_for_byte(serve, key, target):
    server, client = serve(answer())
    client.request(Request(operation="x", method="GET", key=key))
    assert server.asked[0].target == target


@pytest.mark.parametrize(
    "key", ["", "/", "/a", "a//b", "a//", ".", "..", "./a", "a/../b", "a/.", "a/./", "../"]
)
def test_keys_that_others_would_rewrite_are_not_sent(serve, key):
    server, client = serve(answer())
    with pytest.raises(InvalidRequest):
        client.request(Request(operation="x", method="GET", key=key))
    assert server.asked == []


def test_the_bucket_itself_and_a_query(serve):
    server, client = serve(answer())
    client.request(Request(operation="x", method="GET", query={"tagging": "", "a": "b/ c,+"}))
    assert server.asked[0].target == "/bkt/?tagging&a=b%2F%20c%2C%2B"


def test_headers_are_utf8_both_ways(serve):
    server, client = serve(answer(x_oss_meta_a="").replace(b"meta-a: ", "meta-a: wért 中".encode()))
    sent = {"x-oss-meta-b": "ü 中"}
    response = client.request(Request(operation="x", method="PUT", key="k", headers=sent))
    assert response.headers["x-oss-meta-a"] == "wért 中"
    assert server.asked[0].headers["x-oss-meta-b"] == "ü 中"


def test_no_encoding_is_accepted_and_none_undone(serve):
    server, client = serve(answer(body=b"\x1f\x8b raw", content_encoding="gzip"))
    assert client.request(GET).body == b"\x1f\x8b raw"
    assert server.asked[0].headers["accept-encoding"] == "identity"


def test_the_environments_proxies_are_not_asked(serve, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    _, client = serve(answer(body=b"x"))
    assert client.request(GET).body == b"x"


@pytest.mark.parametrize("size", [0, 5, 1024**2, 1024**2 + 1, 3_000_001])
def test_content_is_sent_whole_and_checksummed(serve, size):
    server, client = serve(answer())
    data = bytes(range(251)) * (size // 251 + 1)
    source = BytesSource(data[:size])
    response = client.request(Request(operation="x", method="PUT", key="k", body=source))
    assert server.asked[0].body == source.data
    assert server.asked[0].headers["content-length"] == str(size)
    assert response.sent_crc64 == crc64(source.data)


def test_small_content_travels_with_its_md5(serve):
    server, client = serve(answer())
    client.request(Request(operation="x", method="PUT", key="k", body=BytesSource(b"hello")))
    assert server.asked[0].headers["content-md5"] == "XUFAKrxLKna5cZ2REBfFkg=="


def test_connections_are_kept(serve):
    server, client = serve(answer(body=b"x"))
    for _ in range(5):
        client.request(GET)
    assert server.connections == 1


def test_a_connection_that_the_service_ends_is_not_used_again(serve):
    server, client = serve(answer(body=b"x", connection="close"), answer(body=b"y"))
    assert [client.request(GET).body for _ in range(2)] == [b"x", b"y"]
    assert server.connections == 2


def test_interim_answers_are_passed_over(serve):
    _, client = serve(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(body=b"x"))
    assert client.request(GET).body == b"x"


def test_chunked_answers(serve):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    server, client = serve(chunked)
    assert [client.request(GET).body for _ in range(2)] == [b"abc", b"abc"]
    assert server.connections == 1


def test_connections_are_bounded(serve):
    server, client = serve(Slow(0.05, answer()), parallel=3)
    threads = [threading.Thread(target=client.request, args=(GET,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 12
    assert server.connections <= 3


def test_waiting_for_a_connection_is_not_waiting_for_the_service(serve):
    server, client = serve(Slow(1.5, answer()), error(503, "x"), answer(body=b"y"), parallel=1)
    first = threading.Thread(target=client.request, args=(GET,))
    first.start()
    wait_for(lambda: server.asked)
    assert client.request(replace(GET, timeout=1.2)).body == b"y"
    first.join()


# Trying again


@pytest.mark.parametrize(
    "trouble",
    [
        CLOSE,
        RESET,
        Cut(b"HTTP/1.1 200 OK\r\n"),
        Cut(b"HTTP/1.1 200 OK\r\ncontent-le"),
        Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n"),
        Cut(b"HTTP/1.1 200 OK\r\n\r\nhal"),
        Cut(answer(body=b"hal", content_length="6")),
        Cut(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal"),
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000 + b"\r\ncontent-length: 0\r\n\r\n",
        error(500, "InternalError"),
        error(503, "ServiceUnavailable"),
        error(503, "TotalQpsLimitExceeded"),
        error(400, "MetaOperationQpsLimitExceeded"),
        error(429, "x"),
        error(408, "x"),
        error(400, "RequestTimeout"),
        error(409, "OperationAborted"),
        answer(502, b"<html>Bad gateway"),
    ],
)
def test_trouble_is_tried_again(serve, trouble):
    server, client = serve(trouble, trouble, answer(body=b"whole!"))
    assert client.request(GET).body == b"whole!"
    assert len(server.asked) == 3


def test_a_large_body_is_sent_whole_again(serve):
    server, client = serve(RESET, error(503, "x"), answer())
    data = bytes(3_000_000)
    response = client.request(Request(operation="x", method="PUT", key="k", body=BytesSource(data)))
    assert [asked.body == data for asked in server.asked] == [True, True, True]
    assert response.sent_crc64 == crc64(data)


def test_each_attempt_is_signed_anew(serve):
    ticks = iter(range(1_700_000_000, 1_700_009_000, 100))
    server, client = serve(error(503, "x"), answer(), clock=lambda: float(next(ticks)))
    client.request(GET)
    first, second = (asked.headers for asked in server.asked)
    assert first["date"] != second["date"]
    assert first["authorization"] != second["authorization"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (404, "NoSuchKey"), (412, "PreconditionFailed"), (501, "x"), (400, "")],
)
def test_refusals_are_final(serve, status, code):
    server, client = serve(error(status, code, "why"))
    response = client.request(GET)
    assert (response.status, response.code, len(server.asked)) == (status, code, 1)
    assert response.error.message == "why"
    assert response.error.request_id == "RID"


def test_the_error_of_a_head_is_in_a_header(serve):
    err = "PEVycm9yPjxDb2RlPk5vU3VjaEtleTwvQ29kZT48L0Vycm9yPg=="
    _, client = serve(answer(404, x_oss_err=err))
    response = client.request(Request(operation="x", method="HEAD", key="k"))
    assert response.code == "NoSuchKey"


def test_a_head_has_no_body(serve):
    _, client = serve(answer(content_length="1000"), answer(content_length="1000"))
    for _ in range(2):
        response = client.request(Request(operation="x", method="HEAD", key="k"))
        assert (response.body, response.headers["content-length"]) == (b"", "1000")


def test_an_error_may_come_late(serve):
    late = b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"
    server, client = serve(answer(body=late), answer(body=b"<CopyObjectResult/>"))
    request = Request(operation="x", method="PUT", key="k")
    assert client.request(request).body == b"<CopyObjectResult/>"
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(serve, status):
    server, client = serve(answer(status, location="http://127.0.0.1:1/"), answer(body=b"x"))
    assert client.request(GET).status == status
    assert len(server.asked) == 1


def test_retry_after_is_honoured(serve):
    _, client = serve(error(503, "x", retry_after="1"), answer())
    with soon(at_least=1):
        client.request(GET)


def test_retry_after_may_be_a_date():
    later = format_datetime(datetime(2024, 1, 2, tzinfo=UTC) + timedelta(seconds=7), usegmt=True)
    now = datetime(2024, 1, 2, tzinfo=UTC).timestamp()
    assert retry.retry_after({"retry-after": later}, now) == 7
    assert retry.retry_after({"retry-after": "soon"}, now) == 0


def test_backoff_grows_with_jitter_and_ends():
    waits = [max(retry.delay(attempt) for _ in range(200)) for attempt in (1, 4, 50)]
    assert waits[0] < waits[1] < waits[2] <= retry.LONGEST_DELAY
    assert min(retry.delay(50) for _ in range(2000)) < 1


def test_uncertainty_is_reported(serve):
    for trouble, uncertain in [(CLOSE, True), (error(500, "x"), True), (error(429, "x"), False)]:
        _, client = serve(trouble, answer())
        assert client.request(GET).may_have_happened is uncertain


# Stopping


def test_throttling_ends_with_throttled(serve, caplog):
    _, client = serve(error(503, "TotalQpsLimitExceeded"), timeout=0.3)
    with soon(), pytest.raises(Throttled, match=r"GetObject of 'k'.*TotalQpsLimitExceeded"):
        client.request(GET)
    assert [r for r in caplog.records if r.levelno > logging.INFO] == [], "who asked logs it"


def test_silence_ends_with_unreachable(serve):
    _, client = serve(Slow(FAR, answer()), timeout=0.5)
    with soon(), pytest.raises(Unreachable) as caught:
        client.request(GET)
    assert not isinstance(caught.value, Throttled)


def test_nobody_listening(serve):
    server, client = serve(answer(), timeout=0.3)
    server.close()
    with pytest.raises(Unreachable, match="refused"):
        client.request(GET)


def test_an_impatient_request_does_not_wait_for_a_service_to_come_up(serve):
    server, client = serve(answer(), timeout=FAR)
    server.close()
    with soon(), pytest.raises(Unreachable, match="1 attempts"):
        client.request(Request(operation="x", method="GET", retry_connect=False))


def test_a_wait_longer_than_the_time_left_is_not_begun(serve):
    server, client = serve(error(503, "x", retry_after="600"), timeout=FAR)
    with soon(), pytest.raises(Throttled):
        client.request(GET)
    assert len(server.asked) == 1


def test_close_interrupts_a_wait(serve):
    server, client = serve(error(503, "x", retry_after=f"{FAR}"), timeout=2 * FAR)

    def close() -> None:
        wait_for(lambda: server.asked)
        client.close()

    closing = threading.Thread(target=close)
    closing.start()
    with soon(), pytest.raises(Interrupted):
        client.request(GET)
    closing.join()


def test_close_refuses_what_comes_after(serve):
    _, client = serve(answer())
    client.close()
    with pytest.raises(Interrupted):
        client.request(GET)


@pytest.mark.parametrize("body", [b"x" * 11, b"x" * 1000])
def test_answers_are_bounded(serve, body):
    chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    for reply in (answer(body=body), chunk % (len(body), body)):
        _, client = serve(reply)
        with pytest.raises(MalformedResponse):
            client.request(Request(operation="x", method="GET", key="k", max_answer=10))


# Sources that fail


class ShortSource:
    def __init__(self, size, failure=None):
        self.size, self.failure = size, failure

    def read(self, offset, length):  # noqa: ARG002
        if self.failure:
            raise self.failure
        return b"short"


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_source_shorter_than_it_says(serve, size):
    server, client = serve(answer())
    request = Request(operation="x", method="PUT", key="k", body=ShortSource(size))
    with pytest.raises(IntegrityError):
        client.request(request)
    assert len(server.asked) <= 1


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_an_error_of_the_local_disk_is_not_one_of_the_network(serve, size):
    _, client = serve(answer())
    failure = OSError(5, "disk")
    request = Request(operation="x", method="PUT", key="k", body=ShortSource(size, failure))
    with pytest.raises(OSError, match="disk") as caught:
        client.request(request)
    assert caught.value is failure


# Clock and credentials


def test_a_skewed_clock_is_corrected_once_for_all(serve):
    service = "Tue, 02 Jan 2024 03:04:05 GMT"
    skewed = error(403, "RequestTimeTooSkewed", date=service)
    server, client = serve(skewed, answer(), answer(), clock=lambda: 1_000_000_000.0)
    client.request(GET)
    client.request(GET)
    dates = [parsedate_to_datetime(asked.headers["date"]) for asked in server.asked]
    assert dates[0].year == 2001
    assert dates[1] == dates[2] == parsedate_to_datetime(service)


def test_an_answer_to_head_says_by_its_date_that_the_clock_is_off(serve):
    """S3 has no body there, and no header for the reason: EACCES after each jump of the clock."""
    service = "Tue, 02 Jan 2024 03:04:05 GMT"
    now = parsedate_to_datetime(service).timestamp()
    head = Request(operation="x", method="HEAD", key="k")
    denied = answer(403, date=service)
    server, client = serve(denied, answer(), denied, clock=lambda: now + 86_400)
    assert client.request(head).status == 200
    assert client.request(head).status == 403
    assert len(server.asked) == 3


def test_a_clock_that_cannot_be_corrected_is_a_refusal(serve):
    server, client = serve(error(403, "RequestTimeTooSkewed"))
    assert client.request(GET).code == "RequestTimeTooSkewed"
    assert len(server.asked) == 2


class Provider:
    origin = "the test"

    def __init__(self, *pairs):
        self.pairs = list(pairs)
        self.refreshed = 0

    def get(self):
        return self.pairs[0]

    def refresh(self):
        self.refreshed += 1
        if len(self.pairs) > 1:
            self.pairs.pop(0)
        return self.pairs[0]


def test_expired_credentials_are_refreshed_once(serve):
    provider = Provider(Credentials("old", "x", "t1"), Credentials("new", "y", "t2"))
    server, client = serve(error(403, "SecurityTokenExpired"), answer(), credentials=provider)
    assert client.request(GET).status == 200
    assert [a.headers["x-oss-security-token"] for a in server.asked] == ["t1", "t2"]
    assert provider.refreshed == 1


def test_credentials_that_stay_bad_are_a_refusal(serve):
    provider = Provider(AK)
    server, client = serve(error(403, "InvalidAccessKeyId"), credentials=provider)
    for _ in range(5):
        assert client.request(GET).code == "InvalidAccessKeyId"
    assert (provider.refreshed, len(server.asked)) == (1, 5)


def test_without_credentials_nothing_is_sent(serve):
    class Nobody:
        origin = "nowhere"

        def get(self):
            raise BadCredentials("none")

        refresh = get

    server, client = serve(answer(), credentials=Nobody())
    with pytest.raises(BadCredentials):
        client.request(GET)
    assert server.asked == []


def test_no_secret_is_logged(serve, caplog):
    caplog.set_level(logging.DEBUG)
    provider = Provider(Credentials("id", "S3CRET", "T0KEN"), Credentials("id2", "S3CRET2"))
    _, client = serve(
        CLOSE, error(403, "SecurityTokenExpired"), error(403, "AccessDenied"), credentials=provider
    )
    client.request(GET)
    assert "retry" in caplog.text or "again" in caplog.text
    for secret in ("S3CRET", "T0KEN", "OSS id:"):
        assert secret not in caplog.text + repr(provider.pairs)


# Telling and borders


def test_every_attempt_is_observed(serve):
    seen: list[Attempt] = []
    _, client = serve(error(503, "x"), CLOSE, answer(body=b"abc"), observer=seen.append)
    client.request(
        Request(operation="Op", method="PUT", key="k", body=b"12", subresource="tagging")
    )
    assert [(a.status, a.bytes_in, a.bytes_out) for a in seen][1:] == [(0, 0, 2), (200, 3, 2)]
    assert seen[0].status == 503
    assert seen[0][:5] == ("Op", "PUT", "bkt", "k", "tagging")


def test_retries_are_logged_at_info(serve, caplog):
    caplog.set_level(logging.INFO)
    _, client = serve(error(503, "TotalQpsLimitExceeded"), answer())
    client.request(GET)
    (record,) = [r for r in caplog.records if r.name.startswith("tagfs")]
    assert record.levelno == logging.INFO
    for word in ("GetObject", "'k'", "503", "TotalQpsLimitExceeded", "RID"):
        assert word in record.getMessage()


def _subclasses(kind):
    yield kind
    for child in kind.__subclasses__():
        yield from _subclasses(child)


def test_no_foreign_failure_slips_through():
    """Every exception that urllib3 and requests have falls under those that are caught."""
    for module, base in [(urllib3.exceptions, urllib3.exceptions.HTTPError), (requests, OSError)]:
        for kind in _subclasses(base):
            if kind.__module__.startswith(module.__name__):
                assert issubclass(kind, connections.FOREIGN)


@pytest.mark.parametrize(
    "failure",
    [
        urllib3.exceptions.ProtocolError("x"),
        urllib3.exceptions.LocationValueError("x"),
        urllib3.exceptions.SSLError("x"),
        requests.ConnectionError("x"),
        OSError("x"),
        TimeoutError("x"),
    ],
)
def test_a_foreign_failure_becomes_ours(serve, monkeypatch, failure):
    _, client = serve(answer(), timeout=0.05)

    def fail(*_args, **_kwargs):
        raise failure

    monkeypatch.setattr(connections.CoalescingConnection, "send_request", fail)
    with pytest.raises(Unreachable):
        client.request(GET)


@pytest.mark.parametrize(
    ("size", "sends"), [(0, 1), (1, 1), (64 * 1024, 1), (64 * 1024 + 1, 2), (2**20 + 1, 4)]
)
def test_a_small_body_goes_with_its_head(serve, monkeypatch, size: int, sends: int) -> None:
    server, client = serve(answer(), answer())
    client.request(GET)  # which connects
    sent: list[int] = []
    real = socket.socket.sendall

    def sendall(sock: socket.socket, data: bytes) -> None:
        if sock.getpeername()[1] == int(server.url.rpartition(":")[2]):
            sent.append(len(data))
        real(sock, data)

    monkeypatch.setattr(socket.socket, "sendall", sendall)
    body = bytes(size)
    client.request(Request(operation="PutObject", method="PUT", key="k", body=BytesSource(body)))
    assert len(sent) == sends
    assert server.asked[-1].body == body


# Slots


def all_slots_are_free(client: Transport) -> bool:
    """Say whether nothing is under way; too many that are given back would raise."""
    return client._attempts._slots.taken == 0


TROUBLE = [
    CLOSE,
    RESET,
    Cut(b"HTTP/1.1 200 OK\r\ncontent-le"),
    Cut(b"HTTP/1.1 200 OK\r\n\r\nhal"),
    Cut(answer(body=b"hal", content_length="6")),
    Cut(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal"),
    b"no HTTP at all\r\n\r\n",
    error(500, "InternalError"),
    error(503, "SlowDown"),
    answer(body=b"<html>a login"),
    answer(body=b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"),
]


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_trouble_gives_back_its_slot(serve, trouble, method):
    _, client = serve(trouble, trouble, answer(), parallel=2)
    request = Request(operation="x", method=method, key="k", body=b"b" if method == "PUT" else None)
    assert client.request(request).status == 200
    assert all_slots_are_free(client)


@pytest.mark.parametrize("size", [10, 3_000_000])
@pytest.mark.parametrize("failure", [OSError(5, "disk"), ValueError(), KeyboardInterrupt()])
def test_a_source_that_fails_gives_back_its_slot(serve, size, failure):
    _, client = serve(CLOSE, parallel=2, timeout=0.5)
    request = Request(operation="x", method="PUT", key="k", body=ShortSource(size, failure))
    with pytest.raises(type(failure)):
        client.request(request)
    assert all_slots_are_free(client)


def test_what_ends_a_request_gives_back_its_slot(serve):
    server, client = serve(answer(body=b"x" * 11), parallel=2, timeout=0.3)
    with pytest.raises(MalformedResponse):
        client.request(replace(GET, max_answer=10))
    assert all_slots_are_free(client)
    with pytest.raises(ValueError, match="header"):
        client.request(replace(GET, headers={"x-oss-meta-a": "b\nc"}))
    assert all_slots_are_free(client)
    server.close()
    client._sites.current.connections.close()
    with pytest.raises(Unreachable):
        client.request(GET)
    assert all_slots_are_free(client)
    client.close()
    with pytest.raises(Interrupted):
        client.request(GET)
    assert all_slots_are_free(client)


# Several at once


def gets(number: int) -> list[Request]:
    return [Request(operation="x", method="GET", key=f"k{n}") for n in range(number)]


class Together(LoopbackServer):
    """Answers with what was asked for, when so many requests are there at the same time."""

    def __init__(self, number: int) -> None:
        self.barrier = threading.Barrier(number)
        super().__init__([])

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while asked := self._read(stream):
                self.asked.append(asked)
                try:
                    self.barrier.wait(60)
                except threading.BrokenBarrierError:
                    return
                connection.sendall(answer(body=asked.target.encode()))


@pytest.fixture
def client_of():
    """Return a client of a server that is already there."""
    open_ones = []

    def start(server, **options):
        endpoint = find_endpoint(OSS, "bkt", server.url)
        authority = Authenticator(endpoint, OSS, StaticCredentials(AK), time.time)
        client = Transport(endpoint, OSS, authority, TransportOptions(timeout=5.0, **options))
        open_ones.extend([client, server])
        return client

    yield start
    for item in open_ones:
        with contextlib.suppress(OSError):
            item.close()


def test_several_are_under_way_at_once_in_one_thread(client_of):
    client = client_of(Together(6), parallel=6)
    for _ in range(2):  # over new connections, then over those
        answers = client.request_all(gets(6))
        assert [one and one.body.decode() for one in answers] == [f"/bkt/k{n}" for n in range(6)]
    assert all_slots_are_free(client)


def test_more_than_there_are_slots_come_by_and_by(client_of):
    server = Together(3)
    client = client_of(server, parallel=3)
    answers = client.request_all(gets(9))
    assert [one and one.body.decode() for one in answers] == [f"/bkt/k{n}" for n in range(9)]
    assert server.connections == 3
    assert all_slots_are_free(client)


class Sliding(LoopbackServer):
    """Answers a request once `ahead` more have come after it, as far as there are any."""

    def __init__(self, number: int, ahead: int) -> None:
        self.came = [threading.Event() for _ in range(number)]
        self.ahead = ahead
        super().__init__([])

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while asked := self._read(stream):
                number = int(asked.target.rpartition("k")[2])
                self.came[number].set()
                if self.came[min(number + self.ahead, len(self.came) - 1)].wait(5):
                    connection.sendall(answer(body=asked.target.encode()))
                else:
                    return


def test_a_slot_that_comes_free_is_taken_before_the_others_are_answered(client_of):
    client = client_of(Sliding(9, ahead=2), parallel=3)
    answers = client.request_all(gets(9))
    assert [one and one.body.decode() for one in answers] == [f"/bkt/k{n}" for n in range(9)]
    assert all_slots_are_free(client)


class Backwards(LoopbackServer):
    """Answers the request that came last first."""

    def __init__(self, number: int) -> None:
        self.turns = [threading.Event() for _ in range(number + 1)]
        self.turns[number].set()
        super().__init__([])

    def _serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while asked := self._read(stream):
                number = int(asked.target.rpartition("k")[2])
                self.turns[number + 1].wait(60)
                connection.sendall(answer(body=asked.target.encode()))
                self.turns[number].set()


def test_answers_are_in_the_order_of_their_requests(client_of):
    client = client_of(Backwards(5))
    answers = client.request_all(gets(5))
    assert [one and one.body.decode() for one in answers] == [f"/bkt/k{n}" for n in range(5)]


def test_nothing_is_asked_for_nothing(serve):
    server, client = serve(answer())
    assert client.request_all([]) == []
    assert server.connections == 0


def test_what_is_missing_is_an_answer(serve):
    _, client = serve(error(404, "NoSuchKey"))
    (one,) = client.request_all([GET])
    assert (one.status, one.code) == (404, "NoSuchKey")


def test_a_part_is_an_answer_to_who_asked_for_one(serve):
    _, client = serve(answer(206, body=b"x"))
    (one,) = client.request_all([replace(GET, headers={"range": "bytes=0-0"})])
    assert (one.status, one.body) == (206, b"x")


@pytest.mark.parametrize(
    "trouble",
    [
        *TROUBLE,
        error(403, "AccessDenied"),
        error(403, "SecurityTokenExpired"),
        error(403, "RequestTimeTooSkewed"),
        error(400, "x"),
        answer(301, location="http://127.0.0.1:1/"),
        answer(204),
        answer(206, body=b"x"),
        answer(body=b"x" * 2000),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n" + bytes(2000),
    ],
)
def test_what_is_no_plain_answer_is_left_to_a_request_of_its_own(serve, trouble):
    server, client = serve(trouble, answer(body=b"alone"), parallel=2)
    request = replace(GET, max_answer=1000)
    assert client.request_all([request]) == [None]
    assert len(server.asked) == 1
    assert all_slots_are_free(client)
    assert client.request(request).body == b"alone"
    assert client.request_all([request] * 3)[2].body == b"alone"


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_of_one_is_not_that_of_others(client_of, trouble):
    class Server(LoopbackServer):
        def _serve(self, connection):
            with connection, connection.makefile("rb") as stream:
                while asked := self._read(stream):
                    bad = asked.target.endswith("k2")
                    if not self._play(connection, trouble if bad else answer(body=b"good")):
                        return

    client = client_of(Server([]), parallel=4)
    for _ in range(2):
        bodies = [one and one.body for one in client.request_all(gets(6))]
        assert bodies == [b"good", b"good", None, b"good", b"good", b"good"]
        assert all_slots_are_free(client)


def test_nobody_listening_to_several(serve):
    server, client = serve(answer(), parallel=2)
    server.close()
    assert client.request_all(gets(5)) == [None] * 5
    assert all_slots_are_free(client)


def test_after_close_several_are_refused(serve):
    server, client = serve(answer(), parallel=2)
    client.close()
    with pytest.raises(Interrupted):
        client.request_all(gets(3))
    assert server.asked == []
    assert all_slots_are_free(client)


def test_several_refresh_no_credentials(serve):
    provider = Provider(Credentials("old", "x", "t1"), Credentials("new", "y", "t2"))
    server, client = serve(
        *[error(403, "SecurityTokenExpired")] * 4, answer(), credentials=provider
    )
    assert client.request_all(gets(3)) == [None] * 3
    assert provider.refreshed == 0
    assert client.request(GET).status == 200
    assert provider.refreshed == 1
    assert [one.status for one in client.request_all(gets(3))] == [200] * 3
    assert [asked.headers["x-oss-security-token"] for asked in server.asked[-3:]] == ["t2"] * 3


class Failing:
    """Credentials that are there twice."""

    origin = "the test"

    def __init__(self, failure):
        self.failure, self.left = failure, 2

    def get(self):
        self.left -= 1
        if self.left < 0:
            raise self.failure
        return AK

    refresh = get


@pytest.mark.parametrize("failure", [BadCredentials("none"), KeyboardInterrupt()])
def test_what_was_begun_ends_with_what_cannot_begin(serve, failure):
    seen: list[Attempt] = []
    _, client = serve(answer(), credentials=Failing(failure), parallel=3, observer=seen.append)
    with pytest.raises(type(failure)):
        client.request_all(gets(5))
    assert [(one.key, one.status) for one in seen] == [("k0", 0), ("k1", 0)]
    assert client._sites.current.connections._idle == []
    assert all_slots_are_free(client)


def test_what_was_begun_ends_with_what_cannot_end(serve, monkeypatch):
    _, client = serve(answer(), parallel=4)
    reported: list[object] = []

    def fail(*_args):
        if reported:
            raise KeyboardInterrupt
        reported.append(None)
        return False

    monkeypatch.setattr("tagfs.store.http.attempts.is_foreign_page", fail)
    with pytest.raises(KeyboardInterrupt):
        client.request_all(gets(4))
    assert len(client._sites.current.connections._idle) == 2
    assert all_slots_are_free(client)


def test_each_of_several_is_observed_once(serve):
    seen: list[Attempt] = []
    _, client = serve(answer(body=b"abc"), parallel=2, observer=seen.append)
    client.request_all(gets(5))
    assert [(one.key, one.status, one.bytes_in, one.number) for one in seen] == [
        (f"k{n}", 200, 3, 1) for n in range(5)
    ]


def test_several_wait_for_a_slot(serve):
    server, client = serve(answer(body=b"x"), parallel=1)
    assert client._attempts._slots.try_acquire()
    several: list[Response | None] = []
    asking = threading.Thread(target=lambda: several.extend(client.request_all(gets(3))))
    asking.start()
    assert until_blocked(asking)
    assert server.asked == []
    client._attempts._slots.release()
    asking.join()
    assert [one and one.body for one in several] == [b"x"] * 3
    assert all_slots_are_free(client)


def test_silence_towards_several_is_waited_for_once(serve, monkeypatch):
    patience = 0.2
    monkeypatch.setattr("tagfs.store.http.attempts.IDLE_TIMEOUT", patience)
    waits: list[float] = []
    real = connections.CoalescingConnection.answer

    def answer_(connection):
        waits.append(connection.sock.gettimeout())
        return real(connection)

    monkeypatch.setattr(connections.CoalescingConnection, "answer", answer_)
    _, client = serve(Slow(30, answer()), parallel=6)
    assert client.request_all(gets(6)) == [None] * 6
    assert sum(waits) <= 2 * patience


class TestLimits:
    """What a second may have."""

    def test_requests(self, serve):
        _server, client = serve(*[answer(200)] * 9, limits=RateLimits(requests=20), parallel=4)
        began = time.monotonic()
        client.request(GET)
        answers = client.request_all([GET] * 4)
        assert [one.status for one in answers] == [200] * 4
        for _ in range(4):
            client.request(GET)
        assert time.monotonic() - began >= 8 / 20

    def test_bytes(self, serve):
        _server, client = serve(
            *[answer(200, b"x" * 1000)] * 3,
            limits=RateLimits(upload=10_000, download=10_000),
        )
        put = replace(GET, operation="PutObject", method="PUT", body=BytesSource(b"x" * 2000))
        began = time.monotonic()
        client.request(put)  # 0.2 s for what it sends, 0.1 s for its answer
        client.request(put)
        client.request(GET)
        assert time.monotonic() - began >= 0.2

    def test_who_closes_waits_for_no_turn(self, serve):
        _server, client = serve(answer(200), limits=RateLimits(requests=0.001))
        client.request(GET)
        waiting = threading.Thread(target=_interrupted, args=[client])
        waiting.start()
        client.close()
        waiting.join(FAR)
        assert not waiting.is_alive()


def _interrupted(client):
    with pytest.raises(Interrupted):
        client.request(GET)
