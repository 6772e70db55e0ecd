"""Listings with attributes and tags, as MinIO, RustFS and Yandex have them: what is believed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tagfs.errors import AccessDenied, NotFound
from tagfs.store.cache.cached_bucket import CachedBucket
from tagfs.store.client.client import Client
from tagfs.store.objects import BytesSource, Detail, Keep, NewObject, ObjectInfo, Page
from tagfs.store.tags import NO_TAGS, TagSet
from tests.emulated import Emulator, emulator
from tests.mounting import RequestLog

TAGS = TagSet({"team": "blue + green", "a/b": "ä=1/2"})
METADATA = {"mode": "33188", "note": "grün  <b> & c", "mtime": "1700000000.5"}
HEADERS = {"content-type": "text/x-note; charset=utf-8", "cache-control": "no-cache"}
COUNT = 30
KEYS = [f"d/{number:02}" for number in range(COUNT)]


class Rig(NamedTuple):
    """A client of a server, and what that logs."""

    client: Client
    log: RequestLog

    def kinds(self) -> Counter[str]:
        return self.log.kinds()

    def cached(self) -> CachedBucket:
        counts = self.client.dialect.counts_tags
        return CachedBucket(self.client, ttl=60, tag_ttl=60, counts_tags=counts)


@pytest.fixture(scope="module", params=["minio", "rustfs"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    options = [f"listing={request.param}"]
    with emulator(tmp_path_factory.mktemp("s3"), 20, service="s3", options=options) as one:
        yield one


@pytest.fixture
def rig(server: Emulator) -> Iterator[Rig]:
    bucket = server.take()
    client = server.open(bucket)
    for number, key in enumerate(KEYS):
        full = NewObject(metadata=METADATA, headers=HEADERS, tags=TAGS)
        new = NewObject(tags=NO_TAGS) if number % 3 else full
        client.put(key, BytesSource(b"x" * number), new)
    yield Rig(client, RequestLog(server.log, bucket))
    client.close()


def uncounted(info: ObjectInfo) -> Detail | None:
    return info.detail and replace(info.detail, tag_count=None)


def check(cache: CachedBucket, client: Client) -> None:
    """What is remembered is what HEAD and GET ?tagging say."""
    for key in KEYS:
        found, exact = cache.head(key), client.head(key)
        assert (found.etag, found.size) == (exact.etag, exact.size)
        assert uncounted(found) == uncounted(exact)
        assert cache.get_tags(key) == client.get_tags(key)


def test_a_directory_costs_its_listing_and_a_look_at_one_object(rig: Rig) -> None:
    cache = rig.cached()
    assert [info.detail for page in cache.scan("d/") for info in page.objects] == [None] * COUNT
    assert all(cache.head(key).detail and cache.get_tags(key) is not None for key in KEYS)
    assert rig.kinds() == {"GET list": 1, "HEAD": 2, "GET tagging": 1}
    check(cache, rig.client)
    # The next one is its listing alone.
    another = rig.cached()
    before = sum(rig.kinds().values())
    list(another.scan("d/"))
    assert cache.head_many(KEYS) == another.head_many(KEYS) == {}
    assert cache.get_tags_many(KEYS) == another.get_tags_many(KEYS) == {}
    assert sum(rig.kinds().values()) == before + 1


def test_who_wants_to_know_surely_asks(rig: Rig) -> None:
    """An answer for a change is not taken from a listing."""
    cache = rig.cached()
    list(cache.scan("d/"))
    before = rig.kinds()
    cache.head(KEYS[1], max_age=1.0)
    cache.get_tags(KEYS[2], max_age=1.0)
    assert rig.kinds() - before == {"HEAD": 1, "GET tagging": 1}


def test_what_is_written_meanwhile_counts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = rig.cached()
    pages = rig.client.scan("d/")

    def slowly(_prefix: str) -> Iterator[Page]:
        page = next(pages)  # as it was before
        cache.put(KEYS[0], BytesSource(b"new"), NewObject(metadata={"a": "b"}, tags=NO_TAGS))
        cache.put_tags(KEYS[3], TagSet({"x": "y"}))
        cache.delete(KEYS[6])
        cache.set_metadata(rig.client.head(KEYS[9]), {"a": "c"}, {})
        yield page

    monkeypatch.setattr(rig.client, "scan", slowly)
    list(cache.scan("d/"))
    with pytest.raises(NotFound):
        cache.head(KEYS[6])
    rig.client.put(KEYS[6], BytesSource(b""), NewObject(tags=NO_TAGS))
    cache.forget(KEYS[6])
    check(cache, rig.client)


def test_what_is_forgotten_meanwhile_stays_so(rig: Rig) -> None:
    cache = rig.cached()
    pages = iter(cache.scan("d/"))
    cache.forget()
    next(pages)
    cache.forget()
    before = rig.kinds()
    cache.head(KEYS[0])
    assert rig.kinds() - before == {"HEAD": 1}


def test_without_the_right_to_read_tags_nothing_is_concluded(server: Emulator, rig: Rig) -> None:
    cache = rig.cached()
    url = f"{server.url}/-/faults"
    requests.post(url, json=["deny_tags"], timeout=60)
    try:
        list(cache.scan("d/"))
    finally:
        requests.delete(url, timeout=60)
    before = rig.kinds()
    assert cache.get_tags(KEYS[0]) == TAGS
    assert cache.head(KEYS[0]).detail is not None
    assert rig.kinds() - before == {"GET tagging": 1}


@pytest.fixture(scope="module", params=["yandex", "yandex_cut"])
def listing_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Emulator, bool]]:
    """A server that lists metadata alone, and whether that is right."""
    options = [f"listing={request.param}"]
    with emulator(tmp_path_factory.mktemp("s3"), 5, service="s3", options=options) as one:
        yield one, request.param == "yandex"


def test_metadata_alone_is_for_who_looks(listing_server: tuple[Emulator, bool]) -> None:
    """A HEAD is made for headers; tags are asked for as ever; what is wrong is not believed."""
    server, is_right = listing_server
    client = server.open(bucket := server.take())
    for number, key in enumerate(KEYS):
        metadata = {"mode": "33188", "note": f"a & <b> {number}"} if number % 3 else {}
        client.put(key, BytesSource(b"x"), NewObject(metadata=metadata, headers=HEADERS, tags=TAGS))
    rig = Rig(client, RequestLog(server.log, bucket))
    cache = rig.cached()
    before = rig.kinds()
    list(cache.scan("d/"))  # asked for as of MinIO first, in vain
    list(cache.scan("d/"))
    assert rig.kinds() - before == {"GET list": 2, "HEAD": 1}
    known = [cache.known(key) for key in KEYS]
    exact = [client.head(key) for key in KEYS]
    for seen, true in zip(known, exact, strict=True):
        assert seen is not None
        assert (seen.detail, seen.metadata) == (None, true.metadata if is_right else None)
    before = rig.kinds()
    assert cache.head_many(KEYS[:5]).keys() == (set() if is_right else set(KEYS[:5]))
    assert cache.head(KEYS[7]).detail == exact[7].detail
    assert cache.get_tags(KEYS[8]) == TAGS
    asked = 1 if is_right else 6
    assert rig.kinds() - before == {"HEAD": asked, "GET tagging": 1}
    client.close()


@pytest.mark.parametrize("answer", ["on", "off", "cut"])
def test_a_head_brings_the_tags_where_the_server_is_right(tmp_path: Path, answer: str) -> None:
    """Then whoever asks for both asks once, and who writes anew need not ask for tags."""
    options = ["listing=minio", f"access={answer}"]
    with emulator(tmp_path, 1, service="s3", options=options) as server:
        client = server.open(bucket := server.take())
        for key in ("d/seen", "e/cold", "e/read", "e/empty", "e/denied"):
            tags = NO_TAGS if key == "e/empty" else TAGS
            client.put(key, BytesSource(b"x"), NewObject(headers=HEADERS, tags=tags))
        rig = Rig(client, RequestLog(server.log, bucket))
        cache = rig.cached()
        list(cache.scan("d/"))
        saved = int(answer == "on")
        before = rig.kinds()
        cache.head("e/cold")
        assert cache.get_tags("e/cold", max_age=1.0) == TAGS
        cache.get("e/read")
        assert cache.get_tags("e/read", max_age=1.0) == TAGS
        cost = rig.kinds() - before
        assert (cost["HEAD"], cost["GET"], cost["GET tagging"]) == (1, 1, 2 - 2 * saved)
        # What is written since counts.
        cache.put_tags("e/cold", NO_TAGS)
        assert cache.get_tags("e/cold") == NO_TAGS
        cache.put("e/read", BytesSource(b"new"), NewObject(tags=Keep.REPLACED))
        assert client.get_tags("e/read") == TAGS
        assert cache.get_tags("e/empty") == NO_TAGS
        # Nothing is concluded from a count alone.
        url = f"{server.url}/-/faults"
        requests.post(url, json=["deny_tags"], timeout=60)
        try:
            cache.head("e/denied")
            with pytest.raises(AccessDenied):
                cache.get_tags("e/denied")
        finally:
            requests.delete(url, timeout=60)
        client.close()
