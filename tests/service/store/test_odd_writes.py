"""Answers to writes that are not due: an error, and nothing is deleted or taken for done."""

import re
from dataclasses import replace
from typing import Any

import pytest

from tagfs.errors import (
    AlreadyExists,
    IntegrityError,
    MalformedResponse,
    TagfsError,
    Unreachable,
    Unsupported,
)
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.http import retry
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo, Part, Upload
from tests.emulated import PAIR
from tests.fakes.loopback import LoopbackServer, answer, error
from tests.service.store.service import proven

SOURCE = ObjectInfo(key="k", size=10, etag="E", last_modified_ns=0)
UPLOAD = Upload(key="k", upload_id="u", new=NewObject())
HTML = answer(200, b"<html>please log in</html>")
LISTING = answer(200, b"<ListBucketResult><Name>bkt</Name></ListBucketResult>")
EMPTY = answer(200, etag='"d41d8cd98f00b204e9800998ecf8427e"')  # as to PutObject of nothing
COPIED = answer(200, b"<CopyObjectResult/>")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


@pytest.fixture
def script():
    """Return what opens a client of a server that answers from a script."""
    opened: list[Any] = []

    def start(*steps):
        server = LoopbackServer(list(steps))
        settings = BucketSettings(service="s3", bucket="bkt", endpoint=server.url, timeout=0.3)
        client = proven(open_bucket(replace(settings), PAIR))
        opened.extend([client, server])
        return client, server

    yield start
    for one in opened:
        one.close()


OPERATIONS = {
    "copy": lambda client: client.copy(SOURCE, "other"),
    "set_metadata": lambda client: client.set_metadata(SOURCE, {"mode": "1"}, {}),
    "start_upload": lambda client: client.start_upload("k", NewObject()),
    "copy_part": lambda client: client.copy_part(UPLOAD, 1, SOURCE, 0, 10),
    "complete_upload": lambda client: client.complete_upload(
        UPLOAD, [Part(number=1, etag="e", size=10)]
    ),
    "list_parts": lambda client: client.list_parts(UPLOAD),
    "delete_many": lambda client: client.delete_many(["a", "b"]),
}
ODD = {
    "a page": HTML,
    "a listing": LISTING,
    "nothing": EMPTY,
    "an object": answer(200, b"precious"),
    "another document": answer(200, b"<Tagging><TagSet/></Tagging>"),
}
ONE_BY_ONE = {("delete_many", odd) for odd in ODD if odd != "a page"}
"""Not believed either: the keys are looked at and deleted by requests of their own."""


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_that_is_not_due_is_an_error(script, operation, odd):
    client, server = script(ODD[odd])
    if (operation, odd) in ONE_BY_ONE:
        assert OPERATIONS[operation](client) == {}
        methods = [asked.method for asked in server.asked]
        assert methods[-2:] == ["DELETE", "DELETE"]
        return
    with pytest.raises(TagfsError):
        OPERATIONS[operation](client)
    assert not [asked for asked in server.asked if asked.method == "DELETE"]


def test_a_copy_answered_without_an_etag_is_looked_at(script):
    client, _ = script(COPIED, answer(200, content_length="10", etag='"new"'))
    assert client.copy(SOURCE, "other").etag == "new"
    client, _ = script(COPIED, answer(200, content_length="0"))
    with pytest.raises(IntegrityError, match="0 bytes in a copy of 10"):
        client.copy(SOURCE, "other")


def test_a_copy_that_is_none_says_what_came(script):
    client, _ = script(EMPTY)
    with pytest.raises(MalformedResponse, match="CopyObject of 'other'"):
        client.copy(SOURCE, "other")


def test_parts_that_are_not_copied_are_known_from_then_on(script):
    client, server = script(EMPTY)
    with pytest.raises(Unsupported):
        client.copy_part(UPLOAD, 1, SOURCE, 0, 10)
    assert not client.capabilities.part_copies
    asked = len(server.asked)
    with pytest.raises(Unsupported, match="no part copies"):
        client.copy_part(UPLOAD, 2, SOURCE, 0, 10)
    assert len(server.asked) == asked


def test_a_part_needs_the_headers_of_a_part(script):
    client, _ = script(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    with pytest.raises(TagfsError):
        client.upload_part(UPLOAD, 1, BytesSource(b"x"))


TRIED = re.compile(r"/bkt/\.tagfs-trial-[0-9a-f]{12}")
MISSING = error(404, "NoSuchKey")
DONE = answer(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
COPIES = {name: OPERATIONS[name] for name in ("copy", "set_metadata")}


def ignoring(client):
    """Return a client that knows that sub-resources are ignored."""
    client.features.note_ignored("the answer to GET ?tagging is a listing")
    return client


@pytest.mark.parametrize("operation", COPIES)
def test_where_sub_resources_are_ignored_copies_are_tried_on_nothing(script, operation):
    client, server = script(MISSING, DONE)
    COPIES[operation](ignoring(client))
    COPIES[operation](client)
    trial, *others = [asked.target for asked in server.asked]
    assert TRIED.fullmatch(trial)
    assert TRIED.fullmatch(server.asked[0].headers["x-amz-copy-source"])
    assert len(others) == 2


@pytest.mark.parametrize("operation", COPIES)
def test_no_copy_goes_out_where_it_would_be_an_empty_object(script, operation):
    client, server = script(EMPTY, answer(204))
    with pytest.raises(Unsupported, match="makes no copies"):
        COPIES[operation](ignoring(client))
    (trial,) = {asked.target for asked in server.asked}
    assert TRIED.fullmatch(trial)
    assert [asked.method for asked in server.asked] == ["PUT", "DELETE"]


@pytest.mark.parametrize("operation", COPIES)
def test_a_copy_on_trial_whose_answer_is_lost_is_logged(script, caplog, operation):
    client, server = script(*[error(500, "InternalError")] * 99)
    with pytest.raises(Unreachable):
        COPIES[operation](ignoring(client))
    assert {asked.target for asked in server.asked} == {server.asked[0].target}
    assert f"'{server.asked[0].target.removeprefix('/bkt/')}', an object" in caplog.text


def test_the_end_of_an_upload_deletes_nothing(script, caplog):
    for tried in (answer(204), MISSING):
        client, server = script(tried)
        ignoring(client).abort_upload(UPLOAD)
        (asked,) = server.asked
        assert TRIED.fullmatch(asked.target.partition("?")[0])
    assert "left behind" in caplog.text
    client, server = script(error(404, "NoSuchUpload"), answer(204))
    ignoring(client).abort_upload(UPLOAD)
    assert server.asked[-1].target.startswith("/bkt/k?")


def test_an_exclusive_write_looks_first_where_conditions_may_be_ignored(script):
    client, server = script(answer(200))
    with pytest.raises(AlreadyExists):
        ignoring(client).put("k", BytesSource(b"x"), NewObject(exclusive=True))
    assert [asked.method for asked in server.asked] == ["HEAD"]
