"""The client against an emulated service: what it costs, and what is there afterwards.

Outcomes are judged by the vendor's SDK, costs by the service's request log.
"""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import oss2
import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    BadCredentials,
    IntegrityError,
    InvalidRequest,
    InvalidTag,
    MalformedResponse,
    NoSuchBucket,
    NoSuchUpload,
    ObjectChanged,
    PositionMismatch,
    TagfsError,
    TooManyTags,
    Unreachable,
    Unsupported,
    ValueTooLarge,
)
from tagfs.store.client.client import BucketSettings, Client, open_bucket
from tagfs.store.credentials.values import Credentials, StaticCredentials
from tagfs.store.dialects.oss import OSS
from tagfs.store.http import retry
from tagfs.store.http.authenticator import Authenticator
from tagfs.store.http.endpoints import find_endpoint
from tagfs.store.http.transport import Transport, TransportOptions
from tagfs.store.objects import BytesSource, Keep, NewObject, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet
from tests.emulated import PAIR, emulator
from tests.fakes.loopback import LoopbackServer, answer, error
from tests.service.store.service import Service
from tests.waiting import FAR, moment, soon, wait_for

BLUE = TagSet({"team": "blue"})
RED = TagSet({"team": "red", "odd +/=": "中 :"})
PLAIN = NewObject(tags=NO_TAGS)
PART = bytes(range(256)) * 400  # 100 KiB
HEADER = "x-oss-tagging"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with emulator(tmp_path_factory.mktemp("emulator")) as one:
        yield one


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


@pytest.fixture
def service(running):
    one = Service(running)
    yield one
    one.faults()
    one.client.close()


@pytest.fixture
def client(service):
    return service.client


def data(content=b"x"):
    return BytesSource(content)


def tagged(service, key, tags=RED, content=b"old"):
    service.sdk.put_object(key, content, {HEADER: oss2_tagging(tags)} if tags else None)
    service.skip()
    return key


def oss2_tagging(tags):
    return "&".join(f"{oss2.urlquote(k, '')}={oss2.urlquote(v, '')}" for k, v in tags.items())


# Tags survive


REWRITES = {
    "put": (
        lambda c, key: c.put(key, data(b"new"), NewObject()),
        ["GetObjectTagging", "PutObject"],
    ),
    "put_symlink": (
        lambda c, key: c.put_symlink(key, "target", NewObject()),
        ["GetObjectTagging", "PutSymlink"],
    ),
    "set_metadata": (
        lambda c, key: c.set_metadata(c.head(key), {"a": "b"}, {}),
        ["HeadObject", "CopyObject"],
    ),
    "upload": (
        lambda c, key: upload(c, key, NewObject()),
        ["GetObjectTagging", "InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload"],
    ),
}


def upload(client, key, new, *contents):
    begun = client.start_upload(key, new)
    parts = [
        client.upload_part(begun, number, data(content))
        for number, content in enumerate(contents or [b"new"], 1)
    ]
    return client.complete_upload(begun, parts)


@pytest.mark.parametrize("name", REWRITES)
def test_a_rewrite_keeps_the_tags(service, client, name):
    rewrite, cost = REWRITES[name]
    tagged(service, "k")
    rewrite(client, "k")
    assert service.asked() == cost
    assert service.tags("k") == RED


@pytest.mark.parametrize("name", ["put", "put_symlink", "upload"])
def test_a_rewrite_of_nothing_has_no_tags(service, client, name):
    REWRITES[name][0](client, "k")
    assert service.tags("k") == {}


@pytest.mark.parametrize("name", ["put", "put_symlink", "upload"])
def test_tags_that_may_not_be_read_stop_a_rewrite_before_anything_is_sent(service, client, name):
    tagged(service, "k")
    service.faults("deny_tags")
    with pytest.raises(AccessDenied, match="tags_denied=drop"):
        REWRITES[name][0](client, "k")
    assert set(service.asked()) <= {"GetObjectTagging", "HeadObject", "GetSymlink"}
    service.faults()
    assert service.tags("k") == RED
    assert service.sdk.get_object("k").read() == b"old"


@pytest.mark.parametrize("name", ["put", "put_symlink", "upload"])
def test_nothing_has_no_tags_whoever_may_read_them(service, client, name):
    service.faults("deny_tags")
    REWRITES[name][0](client, "k")
    service.faults()
    assert service.tags("k") == {}


def test_tags_that_may_not_be_read_are_dropped_if_the_user_says_so(service):
    tagged(service, "k")
    service.faults("deny_tags")
    service.open(tags_denied="drop").put("k", data(b"new"), NewObject())
    service.faults()
    assert service.tags("k") == {}
    assert service.sdk.get_object("k").read() == b"new"


def test_explicit_tags_are_sent_without_a_read(service, client):
    tagged(service, "k")
    client.put("k", data(), NewObject(tags=BLUE))
    assert service.asked() == ["PutObject"]
    assert service.tags("k") == BLUE


@pytest.mark.parametrize("explicit", [False, True])
def test_an_edit_while_uploading_is_not_lost(service, client, explicit):
    tagged(service, "k")
    begun = client.start_upload("k", NewObject(tags=BLUE) if explicit else NewObject())
    client.update_tags("k", lambda tags: tags.with_tag("edit", "1"))
    part = client.upload_part(begun, 1, data(b"new"))
    client.complete_upload(begun, [part])
    assert service.asked()[-1] == "PutObjectTagging"
    assert service.tags("k") == {**RED, "edit": "1"}


def test_an_edit_while_another_process_uploaded_is_not_lost(service, client):
    tagged(service, "k")
    begun = client.start_upload("k", NewObject())
    part = client.upload_part(begun, 1, data(b"new"))
    client.put_tags("k", BLUE)
    service.open().complete_upload(begun, [part])
    assert service.tags("k") == BLUE


def test_tags_that_fail_after_completion_are_set_by_the_next_try(service, client):
    tagged(service, "k")
    begun = client.start_upload("k", NewObject())
    client.put_tags("k", BLUE)
    part = client.upload_part(begun, 1, data(b"new"))
    service.faults("deny:op=PutObjectTagging:times=1")
    with pytest.raises(AccessDenied):
        client.complete_upload(begun, [part])
    assert client.complete_upload(begun, [part]).size == 3
    assert service.tags("k") == BLUE
    assert service.sdk.get_object("k").read() == b"new"


@pytest.mark.parametrize("code", ["NotImplemented", "MethodNotAllowed"])
def test_a_bucket_without_tags_is_asked_once(service, client, code):
    service.faults(f"status=405:code={code}:op=GetObjectTagging")
    for _ in range(3):
        client.put("k", data(), NewObject())
    assert service.asked() == ["GetObjectTagging", *["PutObject"] * 3]
    assert client.capabilities.object_tags is False
    with pytest.raises(Unsupported):
        client.get_tags("k")


@pytest.mark.parametrize("answer", ["status=405", "status=409:code=OperationNotSupported"])
def test_one_odd_answer_does_not_end_the_keeping_of_tags(service, client, answer):
    tagged(service, "k")
    service.faults(f"{answer}:op=GetObjectTagging:times=1" + ":code=" * ("code" not in answer))
    with pytest.raises(TagfsError):
        client.put("k", data(b"new"), NewObject())
    client.put("k", data(b"new"), NewObject())
    assert service.tags("k") == RED


def test_an_append_to_what_was_replaced_is_refused(service, client):
    info = client.start_append("k", data(b"one"), PLAIN)
    service.sdk.put_object("k", b"two")
    with pytest.raises(Unsupported):
        client.append(info, data(b"x"))
    assert client.capabilities.append is True
    assert service.sdk.get_object("k").read() == b"two"


def test_edits_and_rewrites_of_one_object_do_not_lose_each_other(service, client):
    tagged(service, "k", NO_TAGS)

    def work(number):
        if number % 3 == 0:
            client.put("k", data(str(number).encode()), NewObject())
        else:
            client.update_tags("k", lambda tags: tags.with_tag(f"t{number}", ""))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(15)))
    assert sorted(service.tags("k")) == sorted(f"t{n}" for n in range(15) if n % 3)


def test_what_the_service_would_refuse_is_refused_before_any_request(service, client):
    too_many = TagSet({str(n): "" for n in range(11)})
    with pytest.raises(TooManyTags, match="10"):
        client.put_tags("some/key", too_many)
    with pytest.raises(InvalidTag, match="a%"):
        client.put("some/key", data(), NewObject(tags=TagSet({"a%": ""})))
    assert service.asked() == []


def test_update_tags(service, client):
    tagged(service, "k")
    client.update_tags("k", lambda tags: tags.with_tag("a", "1"))
    assert service.asked() == ["GetObjectTagging", "PutObjectTagging"]
    client.update_tags("k", lambda tags: tags.with_tag("a", "1"))
    assert service.asked() == ["GetObjectTagging"]
    assert service.tags("k") == {**RED, "a": "1"}


def test_an_empty_set_is_deleted(service, client):
    tagged(service, "k")
    client.put_tags("k", NO_TAGS)
    assert service.asked() == ["DeleteObjectTagging"]
    assert service.tags("k") == {}


# Copies


COPIES = {
    # name: (source's tags, target's tags, asked for, result, requests)
    "source": (RED, BLUE, Keep.SOURCE, RED, ["CopyObject"]),
    "untagged source": (NO_TAGS, BLUE, Keep.SOURCE, NO_TAGS, ["CopyObject"]),
    "source first": (RED, BLUE, Keep.SOURCE_OR_REPLACED, RED, ["CopyObject"]),
    "replaced": (
        NO_TAGS,
        BLUE,
        Keep.SOURCE_OR_REPLACED,
        BLUE,
        ["GetObjectTagging", "GetObjectTagging", "CopyObject"],
    ),
    "explicit": (RED, BLUE, TagSet({"x": "y"}), TagSet({"x": "y"}), ["CopyObject"]),
    "explicit none": (RED, BLUE, NO_TAGS, NO_TAGS, ["CopyObject"]),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy(service, client, name):
    of_source, of_target, keep, result, cost = COPIES[name]
    headers = {"x-oss-meta-mode": "33188", "Content-Type": "a/b"}
    if of_source:
        headers[HEADER] = oss2_tagging(of_source)
    service.sdk.put_object("dir/s ü", b"content", headers)
    tagged(service, "t", of_target)
    source = client.head("dir/s ü")
    service.asked()
    made = client.copy(source, "t", tags=keep)
    assert service.asked() == cost
    assert service.tags("t") == result
    found = service.sdk.head_object("t")
    assert found.headers["x-oss-meta-mode"] == "33188"
    assert found.content_type == "a/b"
    assert (made.size, made.etag) == (7, found.etag)
    assert made.detail is not None
    assert made.detail.crc64 == found.server_crc
    assert service.sdk.get_object("t").read() == b"content"


def test_a_copy_of_another_version_is_refused(service, client):
    tagged(service, "s")
    source = client.head("s")
    service.sdk.put_object("s", b"newer")
    with pytest.raises(ObjectChanged):
        client.copy(source, "t")
    assert not service.sdk.object_exists("t")


def test_a_copy_of_a_link_is_a_link(service, client):
    service.sdk.put_symlink("gone", "l", {HEADER: oss2_tagging(RED)})
    client.copy(client.head("l"), "m")
    assert service.sdk.get_symlink("m").target_key == "gone"
    assert service.tags("m") == RED


@pytest.mark.parametrize("keep", [Keep.SOURCE, Keep.SOURCE_OR_REPLACED, BLUE])
def test_a_copy_that_is_too_large_for_one_request_is_made_in_parts(service, client, keep):
    content = PART * 3 + b"tail"
    headers = {"x-oss-meta-mode": "33188", "Cache-Control": "no-cache", HEADER: oss2_tagging(RED)}
    service.sdk.put_object("s", content, headers)
    client.api.dialect = replace(client.dialect, copy_part=len(PART))
    source = client.head("s")
    service.skip()
    service.faults("status=400:code=EntityTooLarge:op=CopyObject")
    made = client.copy(source, "t", tags=keep)
    assert service.asked().count("UploadPartCopy") == 4
    assert service.sdk.get_object("t").read() == content
    found = service.sdk.head_object("t")
    assert found.headers["x-oss-meta-mode"] == "33188"
    assert found.headers["Cache-Control"] == "no-cache"
    assert service.tags("t") == (keep if keep is BLUE else RED)
    assert made.size == len(content)


def test_a_copy_in_parts_that_fails_leaves_nothing_behind(service, client):
    tagged(service, "s", content=PART * 3)
    client.api.dialect = replace(client.dialect, copy_part=len(PART), single_copy=1)
    source = client.head("s")
    service.faults("deny:op=UploadPartCopy:times=1", "delay=0.3:op=UploadPartCopy:after=1")
    with pytest.raises(AccessDenied):
        client.copy(source, "t")
    # A part that arrived after the abort would be stored, and charged for, without an upload.
    client.close()
    assert service.asked()[-1] == "AbortMultipartUpload"
    assert list(oss2.MultipartUploadIterator(service.sdk)) == []
    assert not service.sdk.object_exists("t")


def test_metadata_of_a_large_object_is_changed_in_parts(service, client):
    tagged(service, "s", content=PART * 3)
    service.faults("status=400:code=EntityTooLarge:op=CopyObject")
    client.set_metadata(client.head("s"), {"mode": "1"}, {"content-type": "a/b"})
    found = service.sdk.head_object("s")
    assert (found.headers["x-oss-meta-mode"], found.content_type) == ("1", "a/b")
    assert service.tags("s") == RED
    assert service.sdk.get_object("s").read() == PART * 3


def test_a_copy_answered_200_with_an_error_is_tried_again(service, client):
    tagged(service, "s")
    service.faults("error200=InternalError:op=CopyObject:times=1")
    client.copy(client.head("s"), "t")
    assert service.asked().count("CopyObject") == 2
    assert service.sdk.get_object("t").read() == b"old"


# Answers that were lost


LOST = "reset:when=after:times=1:op="


def test_an_append_whose_answer_was_lost_is_made_once(service, client):
    for key, forgetful in [("a", False), ("b", True)]:
        info = client.start_append(key, data(b"one"), NewObject(tags=RED))
        if forgetful:
            info = replace(info, detail=None)
        service.faults(LOST + "AppendObject")
        info = client.append(info, data(b"two"))
        assert info.size == 6
        info = client.append(info, data(b"three"))
        assert service.sdk.get_object(key).read() == b"onetwothree"
        assert service.tags(key) == RED


def test_an_append_after_another_clients_is_refused(service, client):
    info = client.start_append("k", data(b"one"), PLAIN)
    service.sdk.append_object("k", 3, b"XXX")
    with pytest.raises(PositionMismatch) as caught:
        client.append(info, data(b"two"))
    assert caught.value.length == 6
    assert service.sdk.get_object("k").read() == b"oneXXX"


def test_a_lost_append_is_not_mistaken_for_another_clients(service, client):
    info = client.start_append("k", data(b"one"), PLAIN)
    service.sdk.append_object("k", 3, b"XXX")
    service.faults("reset:when=before:times=1:op=AppendObject")
    with pytest.raises(PositionMismatch):
        client.append(info, data(b"two"))
    assert service.sdk.get_object("k").read() == b"oneXXX"


def test_a_start_of_appending_whose_answer_was_lost(service, client):
    service.faults(LOST + "AppendObject")
    made = client.start_append("k", data(b"one"), NewObject(metadata={"a": "b"}, tags=RED))
    assert (made.size, made.type) == (3, ObjectType.APPENDABLE)
    assert service.sdk.get_object("k").read() == b"one"
    assert service.tags("k") == RED


@pytest.mark.parametrize("source", [b"", b"content", PART * 20])
def test_an_exclusive_put_whose_answer_was_lost(service, client, source):
    service.faults(LOST + "PutObject")
    made = client.put("k", data(source), NewObject(metadata={"a": "b"}, tags=RED, exclusive=True))
    assert made.size == len(source)
    assert service.asked()[:2] == ["PutObject", "PutObject"]
    assert service.tags("k") == RED
    assert service.sdk.get_object("k").read() == source


@pytest.mark.parametrize(
    "theirs", [(b"theirs", {}), (b"ours", {"x-oss-meta-a": "c"}), (b"sruo", {})]
)
def test_an_exclusive_put_that_lost_to_another_client(service, client, theirs):
    content, headers = theirs
    service.sdk.put_object("k", content, headers)
    service.faults("reset:when=before:times=1:op=PutObject")
    with pytest.raises(AlreadyExists):
        client.put("k", data(b"ours"), NewObject(metadata={"a": "b"}, exclusive=True))
    assert service.sdk.get_object("k").read() == content


def test_an_exclusive_link_whose_answer_was_lost(service, client):
    service.faults(LOST + "PutSymlink")
    made = client.put_symlink("k", "target", NewObject(tags=RED, exclusive=True))
    assert made.detail is not None
    assert made.detail.target == "target"
    service.skip()
    with pytest.raises(AlreadyExists):
        client.put_symlink("k", "target", NewObject(exclusive=True))


def test_an_exclusive_copy_whose_answer_was_lost(service, client):
    tagged(service, "s")
    source = client.head("s")
    service.faults(LOST + "CopyObject")
    assert client.copy(source, "t", exclusive=True).key == "t"
    assert service.tags("t") == RED
    with pytest.raises(AlreadyExists):
        client.copy(source, "t", exclusive=True)


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_completion_whose_answer_was_lost(service, client, exclusive):
    service.faults(LOST + "CompleteMultipartUpload")
    made = upload(client, "k", NewObject(tags=RED, exclusive=exclusive), PART, b"end")
    assert (made.size, made.type) == (len(PART) + 3, ObjectType.MULTIPART)
    assert service.sdk.get_object("k").read() == PART + b"end"
    assert service.tags("k") == RED


def test_a_completion_of_an_upload_that_another_client_aborted(service, client):
    tagged(service, "k")
    begun = client.start_upload("k", NewObject())
    part = client.upload_part(begun, 1, data(b"new"))
    service.sdk.abort_multipart_upload("k", begun.upload_id)
    service.faults("reset:when=before:times=1:op=CompleteMultipartUpload")
    with pytest.raises(NoSuchUpload):
        client.complete_upload(begun, [part])
    assert service.sdk.get_object("k").read() == b"old"


# Content is verified


def test_a_checksum_that_differs_once_is_cured(service, client):
    service.faults("crc:op=PutObject:times=1")
    client.put("k", data(b"content"), NewObject(tags=RED, exclusive=True))
    assert service.asked() == ["PutObject", "PutObject"]
    assert service.tags("k") == RED


@pytest.mark.parametrize("what", ["PutObject", "UploadPart", "CompleteMultipartUpload"])
def test_a_checksum_that_differs_for_ever_is_an_error(service, client, what):
    service.faults(f"crc:op={what}")
    with pytest.raises(IntegrityError):
        REWRITES["put" if what == "PutObject" else "upload"][0](client, "k")


def test_garbled_content_is_read_again(service, client):
    tagged(service, "k", content=b"content")
    service.faults("corrupt:op=GetObject:times=1")
    assert client.get("k").data == b"content"
    service.faults("corrupt:op=GetObject")
    with pytest.raises(IntegrityError):
        client.get("k")


@pytest.mark.parametrize("fault", ["cut", "cut=1", "short=1"])
def test_short_content_is_read_again(service, client, fault):
    tagged(service, "k", content=b"content")
    service.faults(f"{fault}:op=GetObject:times=2")
    assert client.get("k").data == b"content"
    service.faults(f"{fault}:op=GetObject:times=2")
    assert client.get("k", 2, 3).data == b"nte"


# Reading


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 10, b"0123456789"),
        (0, 99, b"0123456789"),
        (3, 4, b"3456"),
        (8, 99, b"89"),
        (9, None, b"9"),
        (10, 1, b""),
        (99, None, b""),
        (5, 0, b""),
    ],
)
def test_ranges(service, client, start, length, expected):
    tagged(service, "k", content=b"0123456789")
    content = client.get("k", start, length)
    assert (content.start, content.data, content.info.size) == (start, expected, 10)
    assert content.info.detail is not None
    assert content.info.detail.tag_count == 2


@pytest.mark.parametrize(("start", "length"), [(0, None), (0, 5), (3, 5)])
def test_an_empty_object_can_be_read(service, client, start, length):
    tagged(service, "k", content=b"")
    assert client.get("k", start, length).data == b""


def test_a_small_file_costs_one_request(service, client):
    tagged(service, "k", content=b"0123456789")
    info = client.get("k", 0, 1_000_000).info
    assert service.asked() == ["GetObject"]
    assert info == client.head("k")


@pytest.mark.parametrize("start", [0, 5, 99])
def test_another_version_is_not_read(service, client, start):
    tagged(service, "k")
    etag = client.head("k").etag
    service.sdk.put_object("k", b"newer content")
    with pytest.raises(ObjectChanged):
        client.get("k", start, 5, if_match=etag)


@pytest.mark.parametrize("target", ["file", "gone", "other link", "self"])
def test_a_link_is_described_itself(service, client, target):
    service.sdk.put_object("file", b"content", {"x-oss-meta-a": "file's"})
    service.sdk.put_symlink("file", "other link")
    service.sdk.put_symlink(target, "self", {"x-oss-meta-a": "link's", HEADER: oss2_tagging(RED)})
    service.skip()
    info = client.head("self")
    assert service.asked() == ["HeadObject", "GetSymlink"]
    assert client.head("self", expected=ObjectType.SYMLINK) == info
    assert service.asked() == ["GetSymlink"]
    assert info.detail is not None
    assert (info.type, info.size, info.detail.target) == (ObjectType.SYMLINK, len(target), target)
    assert info.detail.metadata == {"a": "link's"}
    assert client.get_tags("self") == RED


def test_a_link_that_became_a_file(service, client):
    tagged(service, "k")
    info = client.head("k", expected=ObjectType.SYMLINK)
    assert info.type is ObjectType.NORMAL
    assert service.asked() == ["GetSymlink", "HeadObject"]


def test_lookup_is_two_requests_at_once(service, client):
    tagged(service, "a/b")
    tagged(service, "a/b/c")
    service.sdk.put_object("d/", b"")
    service.skip()
    found = client.lookup("a/b")
    assert sorted(service.asked()) == ["HeadObject", "ListObjects"]
    assert (found.info is not None, found.is_prefix, found.marker) == (True, True, None)
    found = client.lookup("d")
    assert (found.info, found.is_prefix) == (None, True)
    assert found.marker is not None
    assert found.marker.key == "d/"
    assert client.lookup("nothing").is_prefix is False


def test_lookup_asks_both_at_the_same_time(service, client):
    client.lookup("warm")
    service.faults("hold")
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(client.lookup, "x")
        wait_for(lambda: service.struck() == 2)
        service.faults()
        looking.result()


def test_scan_reads_one_page_ahead_and_no_more(service, client):
    keys = [f"d/{n:04}" for n in range(2500)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put(key, data(b""), PLAIN), keys))
    service.skip()
    pages = client.scan("d/")
    first = next(pages)
    wait_for(lambda: len(service.attempts) == 2)
    moment()  # a third would come
    assert service.asked() == ["ListObjects"] * 2
    rest = [info.key for page in pages for info in page.objects]
    assert [info.key for info in first.objects] + rest == keys


def test_a_listing_that_turns_in_circles_ends():
    page = (
        "<ListBucketResult><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>again</NextContinuationToken></ListBucketResult>"
    )
    server = LoopbackServer([answer(body=page.encode())])
    client = open_bucket(settings(endpoint=server.url), PAIR)
    with pytest.raises(MalformedResponse, match="where it began"):
        list(client.scan(""))
    client.close()
    server.close()


STRANGE_NAMES = ["a b", "a+b", "a%20b", "ü中", "a\x01b", "a\r\nb\tc", "<&>\"'", "a?b#c", "~", "😀"]


@pytest.mark.parametrize("key", STRANGE_NAMES)
def test_odd_keys_survive(service, client, key):
    client.put(f"d/{key}", data(key.encode()), NewObject(tags=RED))
    assert service.sdk.get_object(f"d/{key}").read() == key.encode()
    assert service.tags(f"d/{key}") == RED
    assert [info.key for info in client.list("d/").objects] == [f"d/{key}"]
    client.put_symlink("l", f"d/{key}", PLAIN)
    assert service.sdk.get_symlink("l").target_key == f"d/{key}"
    assert client.delete_many([f"d/{key}", "l"]) == {}
    assert not service.sdk.object_exists(f"d/{key}")


@pytest.mark.parametrize("key", ["", "/", "/a", "a//b", "../a", "a/./b"])
def test_keys_that_cannot_be_are_not_sent(service, client, key):
    for call in (
        lambda: client.delete(key),
        lambda: client.head(key),
        lambda: client.put(key, data(), PLAIN),
        lambda: client.put_tags(key, BLUE),
        lambda: client.get_tags(key),
        lambda: client.delete(key),
    ):
        with pytest.raises(InvalidRequest):
            call()
    assert service.asked() == []


def test_metadata_is_text_of_any_kind(service, client):
    metadata = {"Mode": "33188", "note": "wért 中 <&> %41", "empty": ""}
    headers = {"content-type": "text/plain; charset=utf-8", "content-disposition": 'a; b="ü"'}
    made = client.put("k", data(), NewObject(metadata=metadata, headers=headers, tags=RED))
    found = client.head("k")
    assert found == made
    assert found.detail is not None
    assert found.detail.metadata == {"mode": "33188", "note": "wért 中 <&> %41", "empty": ""}
    assert found.detail.headers == headers
    reported = service.sdk.head_object("k").headers["x-oss-meta-note"]
    assert reported.encode("latin-1").decode() == "wért 中 <&> %41"


@pytest.mark.parametrize(
    "value", ["a\nb", "a\r\nx-oss-object-acl: public-read", " a", "a ", "\x00"]
)
def test_metadata_that_no_header_can_carry_is_not_sent(service, client, value):
    with pytest.raises(InvalidRequest):
        client.put("k", data(), NewObject(metadata={"a": value}, tags=NO_TAGS))
    assert service.asked() == []


def test_too_much_metadata_is_not_sent(service, client):
    with pytest.raises(ValueTooLarge):
        client.put("k", data(), NewObject(metadata={"a": "x" * 8192}, tags=NO_TAGS))
    assert service.asked() == []


# Deleting


def test_many_are_deleted_in_batches(service, client):
    keys = [f"d/{n}" for n in range(1500)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put(key, data(b""), PLAIN), keys))
    service.skip()
    assert client.delete_many(keys) == {}
    assert service.asked() == ["DeleteMultipleObjects"] * 2
    assert service.sdk.list_objects().object_list == []


def test_batches_that_fail_are_reported(service, client):
    keys = [f"d/{n}" for n in range(1500)]
    service.faults("deny:op=DeleteMultipleObjects:after=1")
    failed = client.delete_many(keys)
    assert sorted(failed) == sorted(keys[1000:])
    assert "AccessDenied" in failed["d/1499"]
    service.faults("deny:op=DeleteMultipleObjects")
    with pytest.raises(AccessDenied):
        client.delete_many(["a"])


# The bucket's own tags


def bucket_tags(service):
    return dict(service.sdk.get_bucket_tagging().tag_set.tagging_rule)


def test_bucket_tags_are_changed_by_the_fewest_words(service, client):
    both = TagSet({"a": "1", "b,c": "2", "d": "3"})
    steps = [
        (both, "PutBucketTags"),
        (both.without_tag("a"), "DeleteBucketTags"),
        (TagSet({"d": "3"}), "PutBucketTags"),  # a key with a comma cannot be named
        (NO_TAGS, "DeleteBucketTags"),
    ]
    for wanted, operation in steps:
        client.update_bucket_tags(lambda _, wanted=wanted: wanted)
        assert service.asked() == ["GetBucketTags", operation]
        assert bucket_tags(service) == wanted
        service.skip()


def test_a_bucket_tag_that_another_adds_meanwhile_stays(service, client):
    client.update_bucket_tags(lambda _: TagSet({"a": "1"}))

    def change(tags):
        rule = oss2.models.TaggingRule()
        rule.add("a", "1")
        rule.add("theirs", "2")
        service.sdk.put_bucket_tagging(oss2.models.Tagging(rule))
        return tags.without_tag("a")

    client.update_bucket_tags(change)
    assert bucket_tags(service) == {"theirs": "2"}


# Opening


def settings(**changes):
    return BucketSettings(**{"service": "oss", "bucket": "bucket-0"} | changes)


def test_check_is_one_request(service, client):
    client.check()
    assert service.asked() == ["ListObjects"]


def test_check_says_what_to_do(running):
    wrong = StaticCredentials(Credentials("emulator", "wrong"))
    unknown = StaticCredentials(Credentials("nobody", "wrong"))
    for pair, changes, kind, advice in [
        (PAIR, {"bucket": "no-such-bucket"}, NoSuchBucket, "check its name"),
        (wrong, {}, BadCredentials, "refuses the key pair of the program"),
        (unknown, {}, BadCredentials, "InvalidAccessKeyId"),
        (PAIR, {"endpoint": "http://127.0.0.1:1"}, Unreachable, "check endpoint"),
        (PAIR, {"endpoint": "http://no-such-host.invalid"}, Unreachable, "check endpoint"),
        (PAIR, {"endpoint": running.url.replace("http", "https")}, Unreachable, "check endpoint"),
    ]:
        client = open_bucket(settings(**{"endpoint": running.url, "timeout": FAR} | changes), pair)
        with soon(), pytest.raises(kind, match=advice):
            client.check()
        client.close()


@pytest.mark.parametrize("region", [None, "cn-hangzhou", "oss-cn-hangzhou"])
def test_both_signatures_are_accepted(service, region):
    client = service.open(region=region)
    client.put("a b/ü", data(), NewObject(metadata={"a": "ü"}, tags=RED))
    assert client.get_tags("a b/ü") == RED
    assert [info.key for info in client.list("a b/").objects] == ["a b/ü"]


def test_a_clock_that_is_wrong_by_hours_does_no_harm(service):
    endpoint = find_endpoint(OSS, service.name, service.emulator.url)
    authority = Authenticator(endpoint, OSS, PAIR, clock=lambda: time.time() - 7200)
    transport = Transport(
        endpoint, OSS, authority, TransportOptions(observer=service.attempts.append)
    )
    client = Client(service.name, OSS, transport)
    client.put("k", data(), PLAIN)
    assert service.asked() == ["PutObject", "PutObject"]
    client.put("k", data(), PLAIN)
    assert service.asked() == ["PutObject"]
    client.close()
    assert service.sdk.get_object("k").read() == b"x"


def test_the_services_time_is_known_by_its_answers(client, monkeypatch):
    monkeypatch.setattr(client.transport.clock, "_wall", lambda: time.time() + 600)
    before = int(time.time())
    client.put("k", data(), PLAIN)
    assert before <= client.transport.clock.now_ns() / 1e9 <= time.time()


def probed(script: bytes) -> Client:
    """Return a client that asked a server of one answer what the bucket can do."""
    server = LoopbackServer([script])
    settings = BucketSettings(service="oss", bucket="bucket", endpoint=server.url, region="r")
    client = open_bucket(settings, PAIR)
    client.probe()
    client.close()
    server.close()
    return client


def test_a_hierarchical_bucket_is_recognised(caplog):
    body = b"<BucketInfo><Bucket><HierarchicalNamespace>Enabled</HierarchicalNamespace></Bucket>"
    client = probed(answer(200, body + b"</BucketInfo>"))
    able = client.capabilities
    assert (able.object_tags, able.symlinks, able.append, able.rename) == (False,) * 4
    (reported,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert "hierarchical namespace" in reported


@pytest.mark.parametrize("script", [b"<BucketInfo><Bucket/></BucketInfo>", b""])
def test_other_buckets_and_those_that_may_not_be_described_lack_nothing(caplog, script):
    client = probed(answer(200, script) if script else error(403, "AccessDenied"))
    assert client.capabilities == OSS.capabilities
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
