"""The client on S3 and its compatibles: what is sent, and what boto3 finds afterwards."""

import errno
import hashlib
import logging
import time
from dataclasses import replace
from typing import Any

import pytest

from tagfs.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidTag,
    MalformedResponse,
    ObjectChanged,
    TooManyTags,
    Unreachable,
    Unsupported,
)
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.dialects.dialect import WriteKind
from tagfs.store.http import retry
from tagfs.store.objects import BytesSource, NewObject, Part
from tagfs.store.tags import NO_TAGS, TagSet
from tests.emulated import PAIR, emulator
from tests.emulator.s3.client import s3_client, tag_set, tags_of
from tests.fakes.loopback import LoopbackServer, answer, error
from tests.service.store.service import Service, proven

RED = TagSet({"team": "red", "odd +/=@": "中 :"})
NEW = TagSet({"n": "1"})


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


@pytest.fixture
def script():
    """Return what opens a client of a server that answers from a script."""
    opened: list[Any] = []

    def start(*steps, **chosen):
        server = LoopbackServer(list(steps))
        settings = BucketSettings(
            service="s3", bucket="bkt", endpoint=server.url, timeout=2, annotations="off"
        )
        client = open_bucket(replace(settings, **chosen), PAIR)
        opened.extend([client, server])
        return client, server

    yield start
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with emulator(tmp_path_factory.mktemp("s3"), service="s3") as one:
        yield one


@pytest.fixture(scope="module")
def ceph(tmp_path_factory):
    with emulator(tmp_path_factory.mktemp("rgw"), service="s3", options=["mimic=rgw"]) as one:
        yield one


@pytest.fixture(scope="module")
def boto(running):
    return s3_client(running.url)


@pytest.fixture
def service(running):
    one = Service(running)
    yield one
    one.client.close()


@pytest.fixture
def client(service):
    return service.client


@pytest.fixture
def rgw(ceph):
    one = Service(ceph)
    yield one
    one.client.close()


def data(content=b"x"):
    return BytesSource(content)


def new(tags=NO_TAGS, **kwargs):
    return NewObject(tags=tags, **kwargs)


def upload(client, key, made):
    begun = client.start_upload(key, made)
    return client.complete_upload(begun, [client.upload_part(begun, 1, data(b"whole"))])


def lose_completion(service, when):
    """Lose the answer to a completion; a second one finds nothing, and Ceph says 500 to that."""
    service.faults(
        f"reset:when={when}:op=CompleteMultipartUpload:times=1",
        "status=500:code=InternalError:op=CompleteMultipartUpload:after=1",
    )


@pytest.mark.parametrize("content", [b"old", b"whole"])
def test_a_completion_whose_answer_is_lost_is_seen_to_be_done(rgw, content):
    rgw.client.put("k", data(content), new(metadata={"mtime": "1"}))
    lose_completion(rgw, "after")
    made = upload(rgw.client, "k", new(metadata={"mtime": "2"}))
    rgw.faults()
    assert made.etag.endswith("-1")
    assert rgw.client.head("k").etag == made.etag


def test_a_completion_that_was_not_done_is_not_taken_for_one(rgw):
    """Even if what is replaced has the same content and came to be in the same way."""
    upload(rgw.client, "k", new(metadata={"mtime": "1"}))
    lose_completion(rgw, "before")
    client = rgw.open(timeout=1)
    with pytest.raises(Unreachable):
        upload(client, "k", new(metadata={"mtime": "2"}))
    client.close()
    rgw.faults()
    assert rgw.client.head("k").detail.metadata == {"mtime": "1"}


# Tags


REWRITES = {
    "put": lambda c: c.put("k", data(b"new"), NewObject()),
    "upload": lambda c: upload(c, "k", NewObject()),
    "metadata": lambda c: c.set_metadata(c.head("k"), {"mode": "1"}, {}),
    "copy": lambda c: c.copy(c.put("s", data(), new()), "k", tags=RED),
    "rename": lambda c: c.copy(c.put("s", data(), new(RED)), "k"),
}


@pytest.mark.parametrize("server", ["service", "rgw"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("name", REWRITES)
def test_a_rewrite_keeps_the_tags(request, name, times, server):
    one = request.getfixturevalue(server)
    boto = s3_client(one.emulator.url)
    one.client.put("k", data(b"old"), new(RED))
    for _ in range(times):
        REWRITES[name](one.client)
        assert tags_of(boto, one.name, "k") == RED


@pytest.mark.parametrize("name", ["upload", "metadata", "copy"])
def test_tags_are_read_back_once(service, name):
    service.client.put("k", data(b"old"), new(RED))
    REWRITES[name](service.client)
    service.skip()
    REWRITES[name](service.client)
    reads = service.asked().count("GetObjectTagging")
    assert reads == (1 if name == "upload" else 0)  # the tags to keep


def test_a_server_that_drops_tags_is_logged_once_and_set_right_each_time(rgw, caplog):
    caplog.set_level(logging.INFO)
    for _ in range(2):
        upload(rgw.client, "k", new(RED))
        assert rgw.client.get_tags("k") == RED
    assert sum("drops tags with a multipart upload" in r.getMessage() for r in caplog.records) == 1
    operations = rgw.asked()
    assert operations.count("PutObjectTagging") == 2
    assert operations.count("GetObjectTagging") == 1 + 2  # read back once, and by this test


def test_the_etag_of_an_upload_is_known_where_no_answer_has_it(rgw):
    """Ceph RGW 16 leaves it empty."""
    made = upload(rgw.client, "k", new())
    assert made.etag == rgw.client.head("k").etag
    assert made.etag.endswith("-1")


def test_an_etag_that_cannot_be_known_is_no_etag(script):
    begun = answer(
        200,
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    )
    done = answer(
        200, b"<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>", etag=""
    )
    client, _ = script(begun, done)
    begun_ = client.start_upload("k", new())
    with pytest.raises(MalformedResponse, match="no ETag"):
        client.complete_upload(begun_, [Part(number=1, etag="of another kind", size=1)])


def test_a_copy_of_a_tagged_object_has_the_tags_it_was_given(rgw):
    """Ceph RGW 16 ignores the tagging directive."""
    source = rgw.client.put("a", data(), new(RED))
    for tags in (NO_TAGS, NEW, NO_TAGS):
        rgw.client.copy(source, "b", tags=tags)
        assert rgw.client.get_tags("b") == tags


def test_untagged_objects_prove_nothing(rgw, caplog):
    upload(rgw.client, "plain", new())
    upload(rgw.client, "k", new(RED))
    assert rgw.client.get_tags("k") == RED
    learnt = [record.message for record in caplog.records if "drops tags with" in record.message]
    assert len(learnt) == 1
    assert WriteKind.UPLOAD.value in learnt[0]


def test_tags_that_could_not_be_set_again_are_in_the_log(script, caplog):
    begun = answer(
        200,
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    )
    done = answer(
        200,
        b"<CompleteMultipartUploadResult><ETag>e-1</ETag></CompleteMultipartUploadResult>",
    )
    none = answer(200)
    client, server = script(begun, answer(), done, none, error(403, "AccessDenied"))
    upload_ = proven(client).start_upload("k", new(NEW))
    part = client.upload_part(upload_, 1, data())
    with pytest.raises(AccessDenied):
        client.complete_upload(upload_, [part])
    assert any("n=1" in record.getMessage() for record in caplog.records)
    server.script[:] = [answer()]
    client.complete_upload(upload_, [part])
    assert server.asked[-1].target == "/bkt/k?tagging"
    assert sum(asked.method == "POST" for asked in server.asked) == 2


def test_an_empty_answer_is_no_tags(script):
    client, _ = script(answer(200))
    assert client.get_tags("k") == {}


def test_no_tags_of_a_bucket(script):
    client, _ = script(error(404, "NoSuchTagSet"))
    assert client.get_bucket_tags() == {}


def test_an_empty_set_is_deleted(script):
    client, server = script(answer(204))
    proven(client).put_tags("k", NO_TAGS)
    assert (server.asked[0].method, server.asked[0].target) == ("DELETE", "/bkt/k?tagging")


def test_bucket_tags_are_those_of_boto3(client, boto):
    client.update_bucket_tags(lambda _: RED)
    assert {
        t["Key"]: t["Value"] for t in boto.get_bucket_tagging(Bucket=client.name)["TagSet"]
    } == RED
    boto.put_bucket_tagging(Bucket=client.name, Tagging=tag_set({"a": "1"}))
    assert client.get_bucket_tags() == {"a": "1"}


@pytest.mark.parametrize("key", ["a%", "a*", "a,b", "aws:x", "AWS:x", ""])
def test_tags_that_s3_refuses(client, key):
    with pytest.raises(InvalidTag) as caught:
        client.put_tags("k", TagSet({key: "1"}))
    assert caught.value.errno == errno.EINVAL


def test_numbers_of_tags(client):
    many = TagSet({f"k{n}": "" for n in range(51)})
    with pytest.raises(TooManyTags):
        client.update_bucket_tags(lambda _: many)
    assert len(client.update_bucket_tags(lambda _: many.without_tag("k0"))) == 50


def test_tags_of_the_service_itself_stay_when_others_are_edited(script):
    """A bucket's own tags (aws:cloudformation:...) must be sent along, or PUT is refused."""
    own = "<Tag><Key>aws:cloudformation:stack-name</Key><Value>s</Value></Tag>"
    present = f"<Tagging><TagSet>{own}</TagSet></Tagging>".encode()
    client, server = script(answer(200, present), answer(204))
    client.update_bucket_tags(lambda tags: tags.with_tag("a", "1"))
    assert own.encode() in server.asked[1].body


def test_a_bucket_without_object_tags_is_found_out_once(script, caplog):
    client, server = script(answer(200), error(501, "NotImplemented"))
    client.probe()
    with pytest.raises(Unsupported):
        client.put_tags("k", RED)
    assert len(server.asked) == 2
    reported = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(reported) == 1
    assert "no object tags" in reported[0]


# Exclusive creation


def test_an_exclusive_put_names_its_condition(script):
    client, server = script(answer())
    client.put("k", data(), new(exclusive=True))
    assert server.asked[0].headers["if-none-match"] == "*"


def test_a_server_without_conditions_is_asked_first(script):
    missing = error(404, "")
    client, server = script(error(501, "NotImplemented"), missing, answer(), missing, answer())
    client.put("k", data(), new(exclusive=True))
    client.put("k", data(), new(exclusive=True))
    assert [asked.method for asked in server.asked] == ["PUT", "HEAD", "PUT", "HEAD", "PUT"]
    assert "if-none-match" not in server.asked[2].headers
    assert not client.capabilities.exclusive
    server.script[:] = [answer()]
    with pytest.raises(AlreadyExists):
        client.put("k", data(), new(exclusive=True))
    assert server.asked[-1].method == "HEAD"


def test_an_exclusive_upload_finds_what_came_first(client):
    begun = client.start_upload("k", new(exclusive=True))
    part = client.upload_part(begun, 1, data())
    client.put("k", data(b"first"), new())
    with pytest.raises(AlreadyExists):
        client.complete_upload(begun, [part])
    assert client.get("k").data == b"first"


def test_an_exclusive_write_that_collides_is_tried_again(script):
    client, server = script(error(409, "ConditionalRequestConflict"), answer())
    client.put("k", data(), new(exclusive=True))
    assert len(server.asked) == 2


def test_the_answer_to_an_exclusive_write_gets_lost(service):
    emulator_ = service.emulator
    service.faults("status=503:when=after:op=PutObject:times=1")
    made = service.client.put("k", data(b"mine"), new(exclusive=True))
    service.faults()
    assert made.etag == s3_client(emulator_.url).head_object(Bucket=service.name, Key="k")[
        "ETag"
    ].strip('"')


def test_a_copy_of_another_version_is_not_taken_for_an_occupied_key(client):
    old = client.put("a", data(b"old"), new())
    client.put("a", data(b"newer"), new())
    with pytest.raises(ObjectChanged):
        client.copy(old, "b", exclusive=True)


# What S3 does not have


def test_links_and_appends_are_refused_without_a_request(script):
    client, server = script(answer())
    with pytest.raises(Unsupported):
        client.put_symlink("l", "t", new())
    with pytest.raises(Unsupported):
        client.start_append("l", data(), new())
    assert not server.asked


def test_a_head_never_asks_for_a_link(script):
    client, server = script(answer(200, content_length="0"))
    client.head("k")
    assert [asked.target for asked in server.asked] == ["/bkt/k"]


# The wire


def test_attributes_are_kept_as_s3fs_keeps_them(client, boto):
    names = {"mode": "33188", "uid": "1000", "gid": "1000", "mtime": "1700000000.123456789"}
    client.put("k", data(), new(metadata=names))
    assert boto.head_object(Bucket=client.name, Key="k")["Metadata"] == names


def test_listings_are_of_version_2(script):
    page = (
        b"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>t+/=</NextContinuationToken><Contents><Key>a+b%2Bc</Key>"
        b"<LastModified>2015-07-01T00:32:16.482Z</LastModified><ETag>e</ETag><Size>1</Size>"
        b"</Contents></ListBucketResult>"
    )
    client, server = script(answer(200, page))
    first = client.list("a")
    assert [info.key for info in first.objects] == ["a b+c"]
    with pytest.raises(Exception, match="where it began"):
        client.list("a", token=first.token)
    assert "list-type=2" in server.asked[1].target
    assert "continuation-token=t%2B%2F%3D" in server.asked[1].target


def test_a_wrong_region_is_named(script):
    client, _ = script(answer(301, x_amz_bucket_region="eu-west-1"))
    with pytest.raises(Exception, match="region 'eu-west-1'"):
        client.check()


def test_temporary_pairs_carry_their_token(script):
    client, server = script(answer(204))
    client.delete("k")
    headers = server.asked[0].headers
    assert headers["x-amz-content-sha256"] == hashlib.sha256(b"").hexdigest()
    assert "host;" in headers["authorization"]
    assert "x-amz-security-token" not in headers


def test_a_clock_that_is_off(running):
    client = running.open()
    client.transport._authenticator._clock = lambda: time.time() - 3600
    client.put("k", data(), new())
    assert client.get("k").data == b"x"
    client.close()


def test_a_prefix_of_a_bucket_with_every_kind_of_key(client, boto):
    keys = ["a b", "a+b", "%41", "ü/ß?#&=", "x\x01y", "~", "dir/"]
    for key in keys:
        client.put(key, data(key.encode()), new())
    for key in keys:
        assert boto.get_object(Bucket=client.name, Key=key)["Body"].read() == key.encode()
    listed = [info.key for info in client.list("", delimiter="").objects]
    assert listed == sorted(keys)
