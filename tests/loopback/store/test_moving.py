"""A bucket that is elsewhere than was thought: found by one more request, and asked there after."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tagfs.errors import Refused
from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tagfs.store.proxies import parse_proxy
from tests.fakes.http_proxy import HttpProxy
from tests.fakes.loopback import LoopbackServer, answer, error

HOST = "store.invalid"
FORBIDDEN = error(403, "SecondLevelDomainForbidden", "no second level domain")
REGION = (
    b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message>"
    b"<Region>eu-west-1</Region></Error>"
)
LISTING = answer(200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")


def client_of(proxy: HttpProxy, **chosen: str) -> Client:
    settings = BucketSettings(
        service="s3",
        bucket="bkt",
        endpoint=f"http://{HOST}",
        timeout=5,
        proxy=parse_proxy(proxy.url),
        **chosen,  # type: ignore[arg-type]
    )
    return open_bucket(settings, StaticCredentials(Credentials("ak", "sk")))


def behind(server: LoopbackServer) -> HttpProxy:
    place = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    return HttpProxy({HOST: place, f"bkt.{HOST}": place})


def test_the_bucket_goes_into_the_host_where_no_path_may_have_it() -> None:
    server = LoopbackServer([FORBIDDEN, LISTING, answer(200, b"content")])
    with closing(server), behind(server) as proxy, closing(client_of(proxy)) as client:
        client.check()
        assert bytes(client.get("k").data) == b"content"
        assert [(a.headers["host"], a.target.partition("?")[0]) for a in server.asked] == [
            (HOST, "/bkt/"),
            (f"bkt.{HOST}", "/"),
            (f"bkt.{HOST}", "/k"),
        ]


def test_who_chose_the_path_gets_an_error() -> None:
    server = LoopbackServer([FORBIDDEN])
    with (
        closing(server),
        behind(server) as proxy,
        closing(client_of(proxy, addressing="path")) as client,
        pytest.raises(Refused, match=r"SecondLevelDomainForbidden.*addressing=virtual"),
    ):
        client.check()
    assert len(server.asked) == 1


def test_requests_are_signed_for_the_region_that_is_reported() -> None:
    server = LoopbackServer([answer(400, REGION), LISTING, answer(200, b"content")])
    with closing(server), behind(server) as proxy, closing(client_of(proxy)) as client:
        client.check()
        client.get("k")
    signed = [asked.headers["authorization"].split("/")[2] for asked in server.asked]
    assert signed == ["us-east-1", "eu-west-1", "eu-west-1"]
    assert {asked.headers["host"] for asked in server.asked} == {HOST}


def test_who_chose_a_region_gets_an_error_with_the_right_one() -> None:
    server = LoopbackServer([answer(400, REGION)])
    with (
        closing(server),
        behind(server) as proxy,
        closing(client_of(proxy, region="us-east-1")) as client,
        pytest.raises(Refused, match="'eu-west-1': set region to that"),
    ):
        client.check()


class Forbidding(LoopbackServer):
    """Serves objects by a host of the bucket's own alone, and says what it was asked for."""

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while asked := self._read(stream):
                self.asked.append(asked)
                own = asked.headers["host"] == f"bkt.{HOST}"
                connection.sendall(answer(200, asked.target.encode()) if own else FORBIDDEN)


def test_many_at_once_move_together() -> None:
    """No request mixes the address before with the one after: it would be for another key."""
    server = Forbidding([b""])
    with closing(server), behind(server) as proxy, closing(client_of(proxy)) as client:
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda n: bytes(client.get(f"k{n}").data), range(64)))
        assert found == [f"/k{n}".encode() for n in range(64)]
    mixed = [
        asked.target
        for asked in server.asked
        if (asked.headers["host"] == HOST) != asked.target.startswith("/bkt/")
    ]
    assert mixed == []
