"""Listings that lie or loop: an error that says so, never a wrong name and never for ever."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tagfs.errors import MalformedResponse
from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tests.fakes.loopback import LoopbackServer, answer


def page(*keys: str, token: str = "", prefixes: tuple[str, ...] = ()) -> bytes:
    """Write one page of a listing, as OSS does."""
    contents = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2024-01-02T03:04:05.000Z</LastModified>"
        '<ETag>"E"</ETag><Type>Normal</Type><Size>1</Size>'
        "<StorageClass>Standard</StorageClass></Contents>"
        for key in keys
    )
    common = "".join(f"<CommonPrefixes><Prefix>{p}</Prefix></CommonPrefixes>" for p in prefixes)
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    body = (
        f"<ListBucketResult><IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}"
        f"{contents}{common}</ListBucketResult>"
    )
    return answer(200, body.encode())


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[LoopbackServer, Client]]]:
    open_ones: list[LoopbackServer | Client] = []

    def start(*script: bytes) -> tuple[LoopbackServer, Client]:
        server = LoopbackServer(list(script))
        settings = BucketSettings(service="oss", bucket="bkt", endpoint=server.url, timeout=3)
        client = open_bucket(settings, StaticCredentials(Credentials("ak", "sk")))
        open_ones.extend([client, server])
        return server, client

    yield start
    for item in open_ones:
        with contextlib.suppress(OSError):
            item.close()


Serve = Callable[..., tuple[LoopbackServer, Client]]


def test_an_honest_one(serve: Serve) -> None:
    _, client = serve(page("d/a", token="1"), page("d/b", prefixes=("d/c/",)))
    keys = [info.key for found in client.scan("d/") for info in found.objects]
    assert keys == ["d/a", "d/b"]


def test_the_same_token_again(serve: Serve) -> None:
    server, client = serve(page("d/a", token="1"), page("d/b", token="1"))
    with pytest.raises(MalformedResponse, match="goes on where it began"):
        list(client.scan("d/"))
    assert len(server.asked) == 2


def test_tokens_that_go_round(serve: Serve) -> None:
    """Two pages that point to one another: `ls` must not fill the memory for ever."""
    server, client = serve(
        page("d/a", token="1"), page("d/b", token="2"), page("d/a", token="1"), page("d/z")
    )
    with pytest.raises(MalformedResponse, match="circles"):
        list(client.scan("d/"))
    assert len(server.asked) == 3


@pytest.mark.parametrize("foreign", ["e/x", "d", "dd/x", "xxsecret", "D/x"])
def test_keys_outside_of_the_prefix(serve: Serve, foreign: str) -> None:
    """The names of such keys would be cut at the wrong place: `xxsecret` in `d/` be `secret`."""
    _, client = serve(page("d/a", foreign))
    with pytest.raises(MalformedResponse, match="in it"):
        list(client.scan("d/"))


def test_a_common_prefix_outside_of_the_prefix(serve: Serve) -> None:
    _, client = serve(page("d/a", prefixes=("e/f/",)))
    with pytest.raises(MalformedResponse, match="e/f/"):
        list(client.scan("d/"))
