"""Requests through a proxy: what it is asked, who gets its password, and how it refuses."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tagfs.errors import Unreachable
from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.proxies import parse_proxy
from tagfs.store.tags import TagSet
from tests.fakes.authority import DAY, LOOPBACK, NOW, Authority, TlsServer
from tests.fakes.http_proxy import HttpProxy
from tests.fakes.loopback import LoopbackServer, answer
from tests.ports import free_port

HOST = "bkt.oss.internal.invalid"
"""A name that only the proxy resolves."""
PAGE = b"<!DOCTYPE html><html>no</html>"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(params=["http", "https"])
def service(request: pytest.FixtureRequest, ours: Authority) -> Iterator[LoopbackServer]:
    script: list[object] = [answer(200, b"content")]
    server = LoopbackServer(script)
    if request.param == "https":
        server.close()
        server = TlsServer(script, context=ours.certify(ours.dns(HOST), NOW + DAY))
    yield server
    server.close()


def scheme(service: LoopbackServer) -> str:
    return service.url.partition(":")[0]


def place(service: LoopbackServer) -> tuple[str, int]:
    return "127.0.0.1", int(service.url.rpartition(":")[2])


def client_of(service: LoopbackServer, ours: Authority, proxy: str, timeout: float = 5) -> Client:
    settings = BucketSettings(
        service="oss",
        bucket="bkt",
        endpoint=f"{scheme(service)}://{HOST.removeprefix('bkt.')}",
        timeout=timeout,
        ca_bundle=str(ours.file),
        proxy=parse_proxy(proxy),
    )
    return open_bucket(settings, StaticCredentials(Credentials("ak", "sk")))


def first_line(service: LoopbackServer, method: str = "GET") -> str:
    if scheme(service) == "https":
        return f"CONNECT {HOST}:443"
    return f"{method} http://{HOST}/k HTTP/1.1"


def test_what_a_proxy_is_asked(service: LoopbackServer, ours: Authority) -> None:
    """An absolute URL for http, a tunnel for https; its password is for the proxy alone."""
    with HttpProxy({HOST: place(service)}, user="user:p@ss") as proxy:
        url = proxy.url.replace("://", "://user:p%40ss@")
        with closing(client_of(service, ours, url)) as client:
            assert bytes(client.get("k").data) == b"content"
            service.script[:] = [answer(200)]
            client.put("k", BytesSource(b"x" * 200_000), NewObject(tags=TagSet({})))
    assert proxy.asked[0].startswith(first_line(service))
    assert [asked.target for asked in service.asked][:1] == ["/k"]
    assert service.asked[-1].body == b"x" * 200_000
    assert {asked.headers["host"] for asked in service.asked} == {HOST}
    assert not [asked for asked in service.asked if "proxy-authorization" in asked.headers]


def test_a_tunnel_is_used_again(ours: Authority) -> None:
    service = TlsServer([answer(200, b"content")], context=ours.certify(ours.dns(HOST), NOW + DAY))
    with HttpProxy({HOST: place(service)}) as proxy, closing(service):
        with closing(client_of(service, ours, proxy.url)) as client:
            for _ in range(3):
                assert bytes(client.get("k").data) == b"content"
        assert len(proxy.asked) == 1


def test_a_proxy_that_is_spoken_to_by_tls(service: LoopbackServer, ours: Authority) -> None:
    context = ours.certify(LOOPBACK, NOW + DAY)
    with HttpProxy({HOST: place(service)}, context=context) as proxy:
        assert proxy.url.startswith("https:")
        with closing(client_of(service, ours, proxy.url)) as client:
            assert bytes(client.get("k").data) == b"content"


def test_the_certificate_is_that_of_the_service(ours: Authority, tmp_path: Path) -> None:
    """A proxy that shows another one reads nothing."""
    theirs = Authority(tmp_path, "theirs")
    context = theirs.certify(theirs.dns(HOST), NOW + DAY)
    service = TlsServer([answer(200, b"content")], context=context)
    with (
        HttpProxy({HOST: place(service)}) as proxy,
        closing(service),
        closing(client_of(service, ours, proxy.url)) as client,
        pytest.raises(Unreachable, match=r"through the proxy.*CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get("k")
    assert service.asked == []


REFUSALS = {
    "who are you": ({"user": "a:b"}, "answers 407: it wants a user and a password"),
    "not you": ({"refuses": 403, "page": PAGE}, "answers 403: it does not let this host through"),
    "no service": ({"refuses": 502, "page": PAGE}, "answers 502: it cannot reach the service"),
    "no answer": ({"refuses": 504}, "answers 504: it cannot reach the service"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_said_to_be_the_proxys(
    service: LoopbackServer, ours: Authority, kind: str
) -> None:
    how, words = REFUSALS[kind]
    with HttpProxy({HOST: place(service)}, **how) as proxy:  # type: ignore[arg-type]
        with (
            closing(client_of(service, ours, proxy.url, timeout=0.3)) as client,
            pytest.raises(Unreachable, match=f"the proxy {proxy.url} {words}"),
        ):
            client.get("k")
        with (
            closing(client_of(service, ours, proxy.url, timeout=0.3)) as client,
            pytest.raises(Unreachable, match=r"cannot reach .* through http://127"),
        ):
            client.check()
    assert service.asked == []


def test_a_wrong_password_is_said_to_be_refused(service: LoopbackServer, ours: Authority) -> None:
    with HttpProxy({HOST: place(service)}, user="user:right") as proxy:
        url = proxy.url.replace("://", "://user:wrong@")
        with (
            closing(client_of(service, ours, url)) as client,
            pytest.raises(Unreachable, match="it refuses user 'user' and the password") as raised,
        ):
            client.get("k")
    assert "wrong" not in str(raised.value)
    assert len(proxy.asked) == 1, "another attempt would end the same way"


@pytest.mark.parametrize("kind", ["refused", "unknown"])
def test_a_proxy_that_is_not_there(service: LoopbackServer, ours: Authority, kind: str) -> None:
    url = f"http://127.0.0.1:{free_port()}" if kind == "refused" else "http://proxy.invalid:1"
    with (
        closing(client_of(service, ours, url, timeout=0.3)) as client,
        pytest.raises(Unreachable, match=f"the proxy {url}: .*(refused|resolve)"),
    ):
        client.get("k")


def test_an_error_of_the_service_stays_the_services(ours: Authority) -> None:
    """A 502 of the service itself, known by its request id, is no proxy's."""
    service = LoopbackServer([answer(502, PAGE)])
    with (
        HttpProxy({HOST: place(service)}) as proxy,
        closing(service),
        closing(client_of(service, ours, proxy.url, timeout=0.3)) as client,
        pytest.raises(Unreachable) as raised,
    ):
        client.get("k")
    assert "the proxy" not in str(raised.value)


def test_the_environment_is_asked(
    service: LoopbackServer, ours: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = BucketSettings(
        service="oss",
        bucket="bkt",
        endpoint=f"{scheme(service)}://{HOST.removeprefix('bkt.')}",
        ca_bundle=str(ours.file),
    )
    with HttpProxy({HOST: place(service)}) as proxy:
        monkeypatch.setenv(f"{scheme(service).upper()}_PROXY", proxy.url)
        with closing(open_bucket(settings, StaticCredentials(Credentials("ak", "sk")))) as client:
            assert bytes(client.get("k").data) == b"content"
        assert proxy.asked
        monkeypatch.setenv("NO_PROXY", "internal.invalid")
        with closing(open_bucket(settings, StaticCredentials(Credentials("ak", "sk")))) as client:
            assert client.transport.options.proxy is None
