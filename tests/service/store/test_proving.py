"""Servers that ignore sub-resources: nothing goes out that would be another request there."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from tagfs.errors import AccessDenied, MalformedResponse, TagfsError, Unsupported
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.http import retry
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.emulated import PAIR
from tests.fakes.loopback import LoopbackServer, answer, error

RED = TagSet({"team": "red"})
LISTING = answer(200, b"<ListBucketResult><Name>bkt</Name></ListBucketResult>")
MISSING = error(404, "NoSuchKey")
OBJECT = answer(200, b"precious")
FORGED = answer(200, b"<Tagging><TagSet/></Tagging>")  # an object that holds XML
EMPTY = answer(200)  # an object that holds nothing
PLAIN = {"last_modified": "", "etag": ""}


def tagging(body=b"<Tagging><TagSet/></Tagging>"):
    """Write an answer to GET ?tagging as services do: without the headers of an object."""
    written = answer(200, body, **PLAIN)
    return b"".join(
        line for line in written.splitlines(keepends=True) if not line.endswith(b": \r\n")
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


@pytest.fixture(params=["s3", "obs", "oss"])
def script(request):
    """Return what opens a client of a server that answers from a script."""
    opened: list[Any] = []

    def start(*steps, **chosen):
        server = LoopbackServer(list(steps))
        settings = BucketSettings(
            service=request.param, bucket="bkt", endpoint=server.url, timeout=1, region="r"
        )
        client = open_bucket(replace(settings, **chosen), PAIR)
        opened.extend([client, server])
        return client, server

    yield start
    for one in opened:
        one.close()


WRITES = {
    "put_tags": lambda client: client.put_tags("k", RED),
    "delete": lambda client: client.put_tags("k", NO_TAGS),
    "update": lambda client: client.update_tags("k", lambda tags: tags.with_tag("a", "1")),
    "bucket": lambda client: client.update_bucket_tags(lambda _: RED),
    "bucket, deleted": lambda client: client.update_bucket_tags(lambda _: NO_TAGS),
    "with content": lambda client: client.put("k", BytesSource(b"x"), NewObject(tags=RED)),
    "with an upload": lambda client: client.start_upload("k", NewObject(tags=RED)),
}
FIRST = {
    "the object": [OBJECT, LISTING],
    "an object that is XML": [answer(200, b"<a/>"), LISTING],
    "an object that is a tag set": [FORGED, LISTING],
    "an empty object": [EMPTY, LISTING],
    "a large object": [answer(200, b"x" * 2 * 1024**2), LISTING],
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("first", FIRST)
def test_only_reading_goes_out_before_tags_are_proven(script, first, write):
    steps = FIRST[first] if write in {"put_tags", "delete", "update"} else [LISTING]
    client, server = script(*steps)
    with pytest.raises(Unsupported):
        WRITES[write](client)
    assert {asked.method for asked in server.asked} == {"GET"}
    asked = len(server.asked)
    with pytest.raises(Unsupported):
        WRITES[write](client)
    assert len(server.asked) == asked  # it is known


@pytest.mark.parametrize("write", ["put_tags", "delete"])
@pytest.mark.parametrize("denied", [error(403, "AccessDenied"), EMPTY, OBJECT])
def test_what_cannot_be_known_is_not_written(script, denied, write):
    client, server = script(denied)
    with pytest.raises(TagfsError) as caught:
        WRITES[write](client)
    assert isinstance(caught.value, AccessDenied | Unsupported | MalformedResponse)
    assert {asked.method for asked in server.asked} == {"GET"}


def test_a_mount_finds_out_by_the_bucket(script, caplog):
    kind = answer(200, b"")
    steps = [LISTING, LISTING]
    client, server = script(*steps)
    if client.dialect.service != "oss":
        server.script[:] = [LISTING, kind, MISSING, LISTING]
    client.check()
    client.probe()
    assert not client.capabilities.object_tags
    assert not client.capabilities.bucket_tags
    assert {asked.method for asked in server.asked} <= {"GET", "HEAD"}
    with pytest.raises(Unsupported, match="sub-resources are ignored"):
        client.put_tags("k", RED)
    reported = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(reported) == 1
    assert "no tags" in reported[0]


def test_a_tag_set_proves_tags_once(script):
    client, server = script(tagging(), answer(204))
    client.put_tags("k", RED)
    client.put_tags("k", RED)
    assert [asked.method for asked in server.asked] == ["GET", "PUT", "PUT"]


def test_a_mount_proves_tags_by_an_object_that_it_sees(script):
    if script(tagging())[0].dialect.service == "oss":
        pytest.skip("GetBucketInfo proves it")
    listed = (
        b"<ListBucketResult><Contents><Key>k</Key><Size>1</Size><ETag>e</ETag>"
        b"<LastModified>2024-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>"
    )
    client, server = script(answer(200, listed), answer(200), tagging(), answer(204))
    client.check()
    client.probe()
    client.put_tags("other", RED)
    assert [asked.method for asked in server.asked] == ["GET", "HEAD", "GET", "PUT"]


def test_after_the_proof_an_odd_answer_is_an_error_and_tags_stay_known(script):
    client, _ = script(tagging(), OBJECT)
    assert client.get_tags("k") == NO_TAGS
    with pytest.raises(MalformedResponse):
        client.get_tags("k")
    assert client.capabilities.object_tags


def test_a_service_without_a_request_to_delete_tags_gets_an_empty_set(script):
    client, server = script(tagging(), error(501, "NotImplemented"), answer(200))
    client.put_tags("k", NO_TAGS)
    assert [asked.method for asked in server.asked] == ["GET", "DELETE", "PUT"]
    assert b"<TagSet></TagSet>" in server.asked[-1].body
    assert client.capabilities.object_tags


PAGE = answer(200, b"<page/>", **PLAIN)
KEPT = {
    "put": lambda client: client.put("k", BytesSource(b"x"), NewObject()),
    "put_tags": lambda client: client.put_tags("k", RED),
    "update": lambda client: client.update_tags("k", lambda tags: tags.with_tag("a", "1")),
    "with an upload": lambda client: client.start_upload("k", NewObject()),
    "many": lambda client: client.get_tags_many(["k"]),
}


@pytest.mark.parametrize("call", KEPT)
@pytest.mark.parametrize("page", [PAGE, OBJECT, answer(200, b"<a/>")])
def test_a_page_where_tags_are_due_is_no_sign_that_there_are_none(script, page, call):
    """A proxy may have written it: who believed it would write objects anew without their tags."""
    client, server = script(page)
    heeded = tagging()
    if client.dialect.bucket_info:
        heeded = answer(200, b"<BucketInfo><Bucket><Name>bkt</Name></Bucket></BucketInfo>")
    server.script[:] = [page, heeded]
    if call == "many":
        assert client.get_tags_many(["k"]) == {}
    else:
        with pytest.raises(MalformedResponse):
            KEPT[call](client)
    assert {asked.method for asked in server.asked} == {"GET"}
    assert client.capabilities.object_tags


@pytest.mark.parametrize("write", ["with content", "with an upload"])
def test_a_probe_that_is_not_answered_proves_nothing_and_is_made_again(script, write):
    failed = error(503, "ServiceUnavailable")
    client, server = script(*[failed] * 400, timeout=0.1)
    with pytest.raises(TagfsError) as caught:
        WRITES[write](client)
    assert not isinstance(caught.value, Unsupported)
    assert client.capabilities.object_tags
    server.script[:] = [LISTING]
    with pytest.raises(Unsupported):
        WRITES[write](client)
    assert {asked.method for asked in server.asked} == {"GET"}


@pytest.mark.parametrize("write", ["with content", "with an upload"])
def test_who_may_not_ask_writes_all_the_same(script, write):
    begun = answer(
        200,
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    )
    stored = answer(200, etag='"9dd4e461268c8034f5c8564e155c67a6"')
    done = begun if write == "with an upload" else stored
    client, server = script(error(403, "AccessDenied"), done)
    WRITES[write](client)
    assert [asked.method for asked in server.asked[:1]] == ["GET"]
    assert server.asked[1].method in {"PUT", "POST"}
