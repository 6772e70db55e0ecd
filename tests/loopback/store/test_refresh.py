"""Temporary credentials: renewed before they expire and when a service says that they have."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate

import pytest

from tagfs.errors import BadCredentials, Unreachable
from tagfs.store.credentials.token_requests import ATTEMPTS, HttpTokenRequests, TokenRequest
from tagfs.store.credentials.values import Credentials, SourceUnreachable
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.http import authenticator
from tagfs.store.http.authenticator import Authenticator
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.http.messages import Request
from tagfs.store.http.transport import Transport, TransportOptions
from tests.fakes.loopback import LoopbackServer, answer, error
from tests.waiting import wait_for

GET = Request(operation="GetObject", method="GET", key="k")
HEAD = Request(operation="HeadObject", method="HEAD", key="k")


class Provider:
    """Gives out pairs one after the other; `refresh` waits for `gate`, and may fail."""

    origin = "the test"

    def __init__(self, *pairs: Credentials, fails: bool | Exception = False) -> None:
        self.pairs = list(pairs)
        self.refreshed = 0
        self.asked = 0
        self.fails = fails
        self.gate = threading.Event()
        self.gate.set()

    def get(self) -> Credentials:
        self.asked += 1
        return self.pairs[0]

    def refresh(self) -> Credentials:
        self.refreshed += 1
        assert self.gate.wait(60)
        if self.fails:
            raise (
                self.fails
                if isinstance(self.fails, Exception)
                else BadCredentials("the origin is away")
            )
        if len(self.pairs) > 1:
            self.pairs.pop(0)
        return self.pairs[0]


def old(seconds: float) -> Credentials:
    return Credentials("old", "x", "t1", time.time() + seconds)


def new() -> Credentials:
    return Credentials("new", "y", "t2", time.time() + 9999)


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def start(provider, *script, dialect=OSS):
            server = LoopbackServer(list(script))
            stack.callback(server.close)
            endpoint = find_endpoint(dialect, "bkt", server.url)
            client = Transport(
                endpoint,
                dialect,
                Authenticator(endpoint, dialect, provider),
                TransportOptions(timeout=5),
            )
            stack.callback(client.close)
            return server, client

        yield start


def signers(server) -> list[str]:
    return ["new" if "new" in asked.headers["authorization"] else "old" for asked in server.asked]


def test_they_are_renewed_five_minutes_early_and_nobody_waits(serve):
    provider = Provider(old(290), new())
    provider.gate.clear()
    server, client = serve(provider, answer())
    with ThreadPoolExecutor(8) as threads:  # all while the origin thinks
        list(threads.map(lambda _: client.request(GET), range(16)))
    assert signers(server) == ["old"] * 16
    assert provider.refreshed == 1
    assert [t.name for t in threading.enumerate()].count("tagfs-credentials") == 1
    provider.gate.set()
    wait_for(lambda: provider.get().access_key_id == "new")
    client.request(GET)
    assert signers(server)[-1] == "new"
    assert provider.refreshed == 1


def test_not_before(serve):
    provider = Provider(old(310), new())
    server, client = serve(provider, answer())
    client.request(GET)
    assert (provider.refreshed, signers(server)) == (0, ["old"])


def test_what_holds_is_used_while_the_origin_is_away(serve, caplog):
    provider = Provider(old(60), fails=True)
    _server, client = serve(provider, answer())
    for _ in range(20):
        assert client.request(GET).status == 200
    wait_for(lambda: "could not be renewed: the origin is away" in caplog.text)
    assert provider.refreshed == 1  # and not for every request
    assert caplog.text.count("could not be renewed") == 1


def test_the_origin_is_asked_again_after_a_while(serve, monkeypatch):
    monkeypatch.setattr(authenticator, "REFRESH_PAUSE", 0.0)
    monkeypatch.setattr(authenticator, "RENEW_PAUSE", 0.0)
    provider = Provider(old(60), new(), fails=True)
    _server, client = serve(provider, answer())
    client.request(GET)
    wait_for(lambda: provider.refreshed == 1)
    provider.fails = False
    client.request(GET)
    wait_for(lambda: provider.get().access_key_id == "new")


def test_expired_ones_are_waited_for_by_all_and_asked_for_once(serve, monkeypatch):
    monkeypatch.setattr(authenticator, "RENEW_PAUSE", 0.0)
    provider = Provider(old(-1), new())
    server, client = serve(provider, answer())
    provider.gate.clear()
    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(client.request, GET) for _ in range(16)]
        wait_for(lambda: provider.asked >= 9)  # each of the eight, and one of them again
        provider.gate.set()
        assert all(one.result().status == 200 for one in done)
    assert signers(server) == ["new"] * 16
    assert provider.refreshed == 1


def test_expired_ones_that_cannot_be_renewed_are_the_services_to_refuse(serve):
    provider = Provider(old(-1), fails=True)
    _server, client = serve(provider, error(403, "SecurityTokenExpired"))
    assert client.request(GET).code == "SecurityTokenExpired"
    assert client.request(GET).code == "SecurityTokenExpired"
    assert provider.refreshed == 1


def test_expired_ones_are_waited_for_while_their_origin_is_away(serve, caplog, monkeypatch):
    """No EACCES at once: within `timeout` the request is made with the next pair."""
    caplog.set_level("INFO")
    monkeypatch.setattr(authenticator, "RENEW_PAUSE", 0.0)
    provider = Provider(old(-1), new(), fails=SourceUnreachable("the origin is away"))

    def comes_back(_seconds):
        provider.fails = provider.refreshed < 4 and provider.fails

    refused = [error(403, "SecurityTokenExpired")] * 3
    server, client = serve(provider, *refused, answer(200))
    pause = client._attempts.pause
    monkeypatch.setattr(
        client._attempts, "pause", lambda course, _wait: (comes_back(0), pause(course, 0.0))
    )
    assert client.request(GET).status == 200
    assert signers(server)[-1] == "new"
    assert "the credentials have expired, their source is away" in caplog.text


def test_expired_ones_are_waited_for_no_longer_than_timeout(serve, monkeypatch):
    monkeypatch.setattr(authenticator, "RENEW_PAUSE", 0.0)
    provider = Provider(old(-1), fails=SourceUnreachable("the origin is away"))
    _server, client = serve(provider, error(403, "SecurityTokenExpired"))
    client.options = replace(client.options, timeout=0.3)
    with pytest.raises(Unreachable, match="their source is away"):
        client.request(GET)


@pytest.mark.parametrize(
    ("dialect", "status", "code"),
    [
        (dialect, status, code)
        for dialect, status, codes in (
            (OSS, 403, ("SecurityTokenExpired", "InvalidSecurityToken", "InvalidAccessKeyId")),
            (OSS, 403, ("AccessKeyIdAndSecurityTokenNotMatch",)),
            (OBS, 403, ("InvalidAccessKeyId", "InvalidSecurityToken", "ExpiredToken")),
            (S3, 400, ("ExpiredToken", "InvalidToken")),
            (S3, 403, ("InvalidAccessKeyId",)),
        )
        for code in codes
    ],
)
def test_each_services_word_for_expired_is_tried_once_more(serve, dialect, status, code):
    provider = Provider(Credentials("old", "x", "t1"), Credentials("new", "y", "t2"))
    server, client = serve(provider, error(status, code), answer(), dialect=dialect)
    assert client.request(GET).status == 200
    assert signers(server) == ["old", "new"]
    header = f"{dialect.header_prefix}security-token"
    assert [asked.headers[header] for asked in server.asked] == ["t1", "t2"]
    assert provider.refreshed == 1


@pytest.mark.parametrize("code", ["AccessDenied", "SignatureDoesNotMatch", "NoSuchKey"])
def test_other_refusals_are_none_of_the_credentials(serve, code):
    provider = Provider(Credentials("old", "x", "t1"), new())
    server, client = serve(provider, error(403, code))
    assert client.request(GET).code == code
    assert (provider.refreshed, len(server.asked)) == (0, 1)


@pytest.mark.parametrize(("dialect", "status"), [(S3, 400), (S3, 403), (OBS, 403)])
def test_a_head_that_cannot_say_why_is_tried_once_more(serve, dialect, status):
    provider = Provider(Credentials("old", "x", "t1"), new())
    refused = answer(status, date=formatdate(usegmt=True))  # so it is not for our clock
    _server, client = serve(provider, refused, answer(), dialect=dialect)
    assert client.request(HEAD).status == 200
    assert provider.refreshed == 1


def test_but_not_with_keys_that_last(serve):
    provider = Provider(Credentials("old", "x"), new())
    _server, client = serve(provider, answer(403), dialect=S3)
    assert client.request(HEAD).status == 403
    assert provider.refreshed == 0


def test_a_bug_in_the_background_is_logged(serve, caplog, monkeypatch):
    provider = Provider(old(60))
    monkeypatch.setattr(provider, "refresh", lambda: 1 / 0)
    _server, client = serve(provider, answer())
    assert client.request(GET).status == 200
    wait_for(lambda: "ZeroDivisionError" in caplog.text)


@pytest.mark.parametrize(
    ("status", "kind"), [(503, SourceUnreachable), (429, SourceUnreachable), (403, BadCredentials)]
)
def test_a_token_service_in_trouble_is_no_refusal(status, kind):
    server = LoopbackServer([error(status, "Code")] * ATTEMPTS)
    with contextlib.closing(server), pytest.raises(BadCredentials) as raised:
        HttpTokenRequests(sleep=lambda _: None).ask(
            "the role", lambda _now: TokenRequest(url=server.url + "/", headers={})
        )
    assert type(raised.value) is kind
