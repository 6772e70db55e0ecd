"""The client on Huawei OBS: what goes over the wire, and what the vendor's SDK finds afterwards."""

import base64
import contextlib
import errno
import hashlib
import logging
from typing import Any

import pytest
import requests

from tagfs.errors import (
    IntegrityError,
    InvalidTag,
    TagKeyTooLong,
    TagValueTooLong,
    TooManyTags,
    Unsupported,
)
from tagfs.store.bucket import Capabilities
from tagfs.store.client.client import BucketSettings, open_bucket
from tagfs.store.http import retry
from tagfs.store.objects import BytesSource, NewObject, ObjectInfo, ObjectType
from tagfs.store.tags import NO_TAGS, TagSet
from tests.emulated import PAIR, emulator
from tests.emulator.names import DOMAIN, resolve_locally
from tests.emulator.obs.client import Sdk
from tests.fakes.loopback import LoopbackServer, answer, error
from tests.former_trials import FORMER

RED = TagSet({"team": "red", "odd (+é)": "中 :"})
SOURCE = ObjectInfo(key="a", size=1, etag="e", last_modified_ns=0, storage_class="STANDARD")
BIG = bytes(range(256)) * 8192  # 2 MiB: streamed


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


@pytest.fixture
def script(monkeypatch):
    """Return what opens a client of a server that answers from a script."""
    resolve_locally(monkeypatch)
    opened: list[Any] = []

    def start(*steps, **chosen):
        server = LoopbackServer(list(steps))
        host = server.url.replace("127.0.0.1", f"obs.{DOMAIN}")
        settings = BucketSettings(
            service="obs", bucket="examplebucket", endpoint=host, timeout=2, **chosen
        )
        client = open_bucket(settings, PAIR)
        opened.extend([client, server])
        return client, server

    yield start
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with emulator(tmp_path_factory.mktemp("obs"), service="obs") as one:
        yield one


@pytest.fixture(scope="module")
def sdk(running):
    one = Sdk(running.url)
    yield one
    one.client.close()


@pytest.fixture
def client(running):
    one = running.open()
    yield one
    one.close()


def data(content=b"x"):
    return BytesSource(content)


def new(tags=NO_TAGS, **kwargs):
    return NewObject(tags=tags, **kwargs)


# Bucket tags: the seed

NO_SUCH_TAG_SET = error(404, "NoSuchTagSet")
DONE = answer(204)


def test_the_seeds_request(script):
    """PUT /?tagging with Content-MD5 and, in this order, Tagging, TagSet, Tag, Key and Value."""
    client, server = script(NO_SUCH_TAG_SET, DONE)
    tags = {"TagKey(Name1)": "TagValue(Value1)"}
    assert client.update_bucket_tags(lambda _: TagSet(tags)) == tags
    read, written = server.asked
    assert (read.method, read.target) == ("GET", "/?tagging")
    assert (written.method, written.target) == ("PUT", "/?tagging")
    assert written.body == (
        b'<?xml version="1.0" encoding="UTF-8"?><Tagging><TagSet><Tag><Key>TagKey%28Name1%29</Key>'
        b"<Value>TagValue%28Value1%29</Value></Tag></TagSet></Tagging>"
    )
    headers = written.headers
    assert headers["host"].startswith("examplebucket.obs.")
    digest = hashlib.md5(written.body).digest()
    assert headers["content-md5"] == base64.b64encode(digest).decode()
    assert headers["content-length"] == str(len(written.body))
    assert headers["authorization"].startswith("OBS emulator:")
    assert headers["date"].endswith(" GMT")
    assert not [name for name in headers if name.startswith("x-amz-")]


def test_a_tag_set_with_its_namespace_is_read(script):
    client, _ = script(
        answer(
            200,
            b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            b'<Tagging xmlns="http://obs.example.com/doc/2015-06-30/">\n  <TagSet>\n    <Tag>\n'
            b"      <Key>TagKey%28Name1%29</Key>\n      <Value/>\n    </Tag>\n  </TagSet>\n"
            b"</Tagging>",
        )
    )
    assert client.get_bucket_tags() == {"TagKey(Name1)": ""}


@pytest.mark.parametrize(("mode", "sent"), [("auto", "a%28%29"), ("on", "a%28%29"), ("off", "a()")])
def test_encoding_is_the_users_choice(script, mode, sent):
    client, server = script(NO_SUCH_TAG_SET, DONE, obs_tag_urlencode=mode)
    client.update_bucket_tags(lambda _: TagSet({"a()": "1"}))
    assert f"<Key>{sent}</Key>".encode() in server.asked[1].body


def test_the_last_tag_is_removed_by_delete(script):
    one = answer(
        200, b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    )
    client, server = script(one, DONE)
    assert client.update_bucket_tags(lambda _: NO_TAGS) == {}
    assert (server.asked[1].method, server.asked[1].target) == ("DELETE", "/?tagging")


@pytest.mark.parametrize("code", ["InvalidTagError", "MalformedXMLError"])
def test_the_seeds_errors_are_invalid_tags(script, code):
    client, _ = script(NO_SUCH_TAG_SET, error(400, code))
    with pytest.raises(InvalidTag) as caught:
        client.update_bucket_tags(lambda _: TagSet({"a": "1"}))
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("tags", "failure"),
    [
        *(({f"a{c}": "1"}, InvalidTag) for c in ",*|/<>=\\\0\x1f"),
        *(({"a": f"1{c}"}, InvalidTag) for c in ",*|/<>=\\\0\x1f"),
        ({"": "1"}, InvalidTag),
        ({" a": "1"}, InvalidTag),
        ({"k" * 37: "1"}, TagKeyTooLong),
        ({"k": "é" * 44}, TagValueTooLong),
        ({f"k{n}": "" for n in range(11)}, TooManyTags),
    ],
)
def test_each_rule_of_the_seed_is_kept_before_anything_is_sent(script, tags, failure):
    client, server = script(NO_SUCH_TAG_SET)
    with pytest.raises(failure):
        client.update_bucket_tags(lambda _: TagSet(tags))
    assert [asked.method for asked in server.asked] == ["GET"]


def test_what_the_seed_allows_is_sent(script):
    client, server = script(NO_SUCH_TAG_SET, DONE)
    tags = TagSet({f"{'é' * 35}{n}": "中" * 43 for n in range(10)})
    assert client.update_bucket_tags(lambda _: tags) == tags
    assert len(server.asked) == 2


def test_the_wide_profile(script):
    client, server = script(NO_SUCH_TAG_SET, DONE, obs_tag_profile="wide")
    tags = TagSet({f"{'k' * 126}{n:02}": "v" * 255 for n in range(20)})
    assert client.update_bucket_tags(lambda _: tags) == tags
    assert len(server.asked) == 2


def test_wider_tags_that_are_there_stay_when_another_is_edited():
    """Which limits hold differs by region: what the service keeps was allowed."""
    long = f"<Tag><Key>{'k' * 50}</Key><Value>v</Value></Tag>"
    body = f"<Tagging><TagSet>{long}</TagSet></Tagging>".encode()
    server = LoopbackServer([answer(200, body), DONE])
    settings = BucketSettings(service="obs", bucket="bkt", endpoint=server.url)
    client = open_bucket(settings, PAIR)
    wanted = client.update_bucket_tags(lambda tags: tags.with_tag("a", "1"))
    assert wanted == {"k" * 50: "v", "a": "1"}
    client.close()
    server.close()


def test_bucket_tags_are_those_of_the_sdk(client, sdk):
    client.update_bucket_tags(lambda _: RED)
    assert sdk.tags(client.name) == RED
    client.update_bucket_tags(lambda tags: tags.without_tag("team"))
    assert sdk.tags(client.name) == {"odd (+é)": "中 :"}


def test_a_service_that_keeps_what_is_encoded_gives_the_same_tags_back(tmp_path):
    with emulator(tmp_path, 4, service="obs", options=["tag_encoding=keep"]) as running:
        client = running.open()
        client.update_bucket_tags(lambda _: RED)
        assert client.get_bucket_tags() == RED
        client.put("k", data(), new(RED))
        client.update_tags("k", lambda tags: tags.with_tag("(0)", "1"))
        client.update_tags("k", lambda tags: tags.with_tag("(1)", "1"))
        wanted = {**RED, "(0)": "1", "(1)": "1"}
        assert client.get_tags("k") == wanted
        assert Sdk(running.url).object_tags(client.name, "k") == wanted
        client.close()


# Object tags

REWRITES = {
    "put": lambda c: c.put("k", data(b"new"), NewObject()),
    "upload": lambda c: upload(c, "k", b"new"),
    "link": lambda c: c.put_symlink("k", "target", NewObject()),
    "metadata": lambda c: c.set_metadata(c.head("k"), {"mode": "1"}, {}),
}


def upload(client, key, *contents, made=None):
    begun = client.start_upload(key, made or NewObject())
    parts = [client.upload_part(begun, n, data(c)) for n, c in enumerate(contents, 1)]
    return client.complete_upload(begun, parts)


@pytest.mark.parametrize("name", REWRITES)
def test_a_rewrite_keeps_the_tags(client, sdk, name):
    client.put("k", data(b"old"), new(RED))
    REWRITES[name](client)
    assert sdk.object_tags(client.name, "k") == RED


def test_a_copy_takes_the_tags_along(client, sdk):
    """Without a directive OBS drops them."""
    client.put("a", data(), new(RED))
    client.copy(client.head("a"), "b")
    client.copy(client.head("a"), "c", tags=TagSet({"n": "1"}))
    client.copy(client.head("a"), "d", tags=NO_TAGS)
    assert sdk.object_tags(client.name, "b") == RED
    assert sdk.object_tags(client.name, "c") == {"n": "1"}
    assert client.get_tags("d") == {}


def test_an_append_has_its_tags(client, sdk):
    made = client.start_append("log", data(b"1"), new(RED))
    client.append(made, data(b"2"))
    assert sdk.object_tags(client.name, "log") == RED
    assert sdk.content(client.name, "log") == b"12"


def test_metadata_is_changed_without_a_copy(client, sdk):
    made = upload(client, "k", b"x" * 102400, b"y", made=new(RED, metadata={"a": "1"}))
    client.set_metadata(client.head("k"), {"b": "2"}, {"content-type": "text/x"})
    head = client.head("k")
    assert head.etag == made.etag
    assert head.detail.metadata == {"b": "2"}
    theirs = sdk.getObjectMetadata(client.name, "k")
    assert dict(theirs.header)["b"] == "2"
    assert theirs.body.contentType == "text/x"


def test_tags_that_a_bucket_does_not_have(tmp_path):
    with emulator(tmp_path, 4, service="obs", options=["object_tags=off"]) as running:
        client = running.open()
        client.probe()
        assert not client.capabilities.object_tags
        with pytest.raises(Unsupported):
            client.put_tags("k", RED)
        client.put("k", data(b"1"), NewObject())
        client.put("k", data(b"2"), NewObject())
        client.set_metadata(client.head("k"), {"mode": "1"}, {})
        client.copy(client.head("k"), "k2")
        assert client.get("k2").data == b"2"
        client.close()


# Links


@pytest.mark.parametrize("target", ["dir/t", "a b", "ü/%41", "100%", "=&?#", "~"])
def test_any_target_comes_back(client, target):
    client.put_symlink("l", target, new())
    assert client.head("l").detail.target == target


@pytest.mark.parametrize("target", [" x", "x "])
def test_a_target_that_no_header_brings_back_is_refused(script, target):
    client, server = script(answer())
    with pytest.raises(Unsupported):
        client.put_symlink("l", target, new())
    assert not server.asked
    assert client.capabilities.symlinks


def test_a_plain_target_is_sent_as_it_is(script):
    """As the vendor's Java SDK does."""
    link = answer(200, x_obs_symlink_target="dir/a b", x_obs_object_type="Symlink")
    client, server = script(answer(), link, DONE, answer())
    client.put_symlink("l", "dir/a b", new())
    assert server.asked[-1].target == "/l?symlink"
    assert server.asked[-1].headers["x-obs-symlink-target"] == "dir/a b"


def test_where_links_are_not_known_none_is_made(tmp_path):
    """An older service takes PutSymlink for a PutObject of nothing."""
    with emulator(tmp_path, 4, service="obs", options=["symlinks=ignored"]) as running:
        client = running.open()
        client.put("k", data(b"kept"), new(RED))
        for _ in range(2):
            with pytest.raises(Unsupported):
                client.put_symlink("k", "t", NewObject())
        assert not client.capabilities.symlinks
        assert client.get("k").data == b"kept"
        assert [info.key for info in client.list("", delimiter="").objects] == ["k"]
        client.close()


@pytest.mark.parametrize("options", [[], ["symlinks=ignored"]], ids=["links", "no links"])
def test_a_link_on_trial_strikes_no_object(tmp_path, options):
    """Not even one of the names that such trials once had."""
    with emulator(tmp_path, 4, service="obs", options=options) as running:
        client = running.open()
        for key in FORMER:
            client.put(key, data(key.encode()), NewObject())
        for key in ("l", "d/l"):
            with contextlib.suppress(Unsupported):
                client.put_symlink(key, "t", NewObject())
        assert [client.get(key).data for key in FORMER] == [key.encode() for key in FORMER]
        left = {info.key for info in client.list("", delimiter="").objects}
        assert left == {*FORMER} | (set() if options else {"l", "d/l"})
        client.close()


def test_links_that_are_switched_off(tmp_path):
    with emulator(tmp_path, 4, service="obs", options=["symlinks=off"]) as running:
        client = running.open()
        with pytest.raises(Unsupported):
            client.put_symlink("d/l", "t", new())
        assert not client.capabilities.symlinks
        assert client.list("", delimiter="").objects == ()
        client.close()


# What a bucket is


def test_a_parallel_file_system_is_recognised(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with emulator(tmp_path, 1, service="obs", options=["posix=bucket-0"]) as running:
        client = running.open()
        client.check()
        client.probe()
        assert client.describe().hierarchical
        able = client.capabilities
        assert able == Capabilities(object_tags=False, append=False, symlinks=False, rename=True)
        reported = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(reported) == 1
        assert "parallel file system" in reported[0]
        with pytest.raises(Unsupported):
            client.update_tags("k", lambda tags: tags.with_tag("a", "1"))
        client.put("d/k", data(b"1"), NewObject())
        client.set_metadata(client.head("d/k"), {"mode": "1"}, {})
        assert client.get("d/k").data == b"1"
        client.update_bucket_tags(lambda _: RED)
        assert client.get_bucket_tags() == RED
        client.close()


@pytest.fixture(scope="module")
def file_system(tmp_path_factory):
    """A service with a parallel file system."""
    directory = tmp_path_factory.mktemp("pfs")
    with emulator(directory, 1, service="obs", options=["posix=bucket-0"]) as one:
        yield one


@pytest.fixture
def renaming(file_system):
    """Return what opens a client of it, with what is to happen after its attempts; empties it."""
    opened = []

    def start(observer=None, *faults):
        client = file_system.open("bucket-0", observer=observer)
        client.probe()
        opened.append(client)
        requests.post(f"{file_system.url}/-/faults", json=faults, timeout=60).raise_for_status()
        return client

    yield start
    requests.delete(f"{file_system.url}/-/faults", timeout=60)
    keys = [info.key for info in opened[0].list("", delimiter="").objects]
    opened[0].delete_many(sorted(keys, reverse=True))
    for client in opened:
        client.close()


LOST = "reset:when=after:op=RenameObject:times=1"


def test_a_rename_whose_answer_is_lost_is_done_once(renaming):
    attempts: list[Any] = []
    client = renaming(attempts.append, LOST)
    source = client.put("a", data(b"1"), NewObject())
    client.put("d/f", data(b"2"), NewObject())
    client.rename("a", "b", source=source)
    renaming(None, LOST)
    client.rename("d/", "e/")
    assert sorted(i.key for i in client.list("", delimiter="").objects) == ["b", "e/", "e/f"]
    assert [a.status for a in attempts if a.operation == "RenameObject"] == [0, 0]


def test_a_rename_that_never_arrived_is_sent_again(renaming):
    client = renaming(None, "reset:op=RenameObject:times=1", "status=503:op=RenameObject:times=1")
    source = client.put("a", data(b"1"), NewObject())
    client.put("b", data(b"old"), NewObject())
    client.rename("a", "b", source=source)
    assert client.get("b").data == b"1"
    assert [i.key for i in client.list("", delimiter="").objects] == ["b"]


def test_what_takes_the_old_name_after_a_lost_answer_stays_there(renaming):
    """As when a log is rotated, and its writer opens it again at once."""
    other = renaming()

    def rewrite(attempt):
        if attempt.operation == "RenameObject":
            other.put("log", data(b"new"), NewObject())

    client = renaming(rewrite, LOST)
    source = client.put("log", data(b"old"), NewObject())
    client.rename("log", "log.1", source=source)
    assert client.get("log").data == b"new"
    assert client.get("log.1").data == b"old"


def test_an_ordinary_bucket_says_nothing_when_probed(client, caplog):
    client.check()
    client.probe("d/")
    assert client.capabilities.object_tags
    assert client.capabilities.symlinks
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


# Listings


def test_listings_are_of_version_1_and_plain(script):
    page = answer(
        200,
        b'<?xml version="1.0"?><ListBucketResult xmlns="http://obs.example.com/doc/2015-06-30/">'
        b"<Name>b</Name><IsTruncated>true</IsTruncated><NextMarker>a+b%20c</NextMarker>"
        b"<Contents><Key>a+b%20c</Key><LastModified>2015-07-01T00:32:16.482Z</LastModified>"
        b"<ETag>&quot;0&quot;</ETag><Size>1</Size></Contents></ListBucketResult>",
    )
    client, server = script(page)
    first = client.list("a")
    assert [info.key for info in first.objects] == ["a+b%20c"]
    assert first.objects[0].storage_class == "STANDARD"
    assert first.token == "a+b%20c"
    with pytest.raises(Exception, match="where it began"):
        client.list("a", token=first.token)
    assert [asked.target for asked in server.asked] == [
        "/?prefix=a&max-keys=1000&delimiter=%2F",
        "/?prefix=a&max-keys=1000&delimiter=%2F&marker=a%2Bb%2520c",
    ]


def test_keys_that_xml_cannot_carry_are_listed_too(client):
    keys = ["a", "b\x01 +", "c"]
    for key in keys:
        client.put(key, data(), new())
    seen, token = [], None
    while True:
        page = client.list("", token=token, limit=1)
        seen += [info.key for info in page.objects]
        token = page.token
        if token is None:
            break
    assert seen == keys


# Integrity


def test_content_that_arrives_wrong_is_sent_again(script):
    right = f'"{hashlib.md5(BIG).hexdigest()}"'
    client, server = script(answer(etag='"' + "0" * 32 + '"'), answer(etag=right))
    made = client.put("k", data(BIG), new())
    assert made.etag == right.strip('"')
    first, second = server.asked
    assert "content-md5" not in first.headers
    assert second.headers["content-md5"] == base64.b64encode(hashlib.md5(BIG).digest()).decode()


def test_an_etag_that_is_no_md5_is_found_out_once(script, caplog):
    client, server = script(answer(etag='"' + "0" * 32 + '"'))
    client.put("k", data(b"1"), new())
    client.put("k", data(b"2"), new())
    client.put("k", data(BIG), new())
    assert len(server.asked) == 3
    assert sum("no checksums" in record.getMessage() for record in caplog.records) == 1


def test_a_whole_read_is_compared_with_its_etag(script):
    whole = hashlib.md5(b"right").hexdigest()
    client, server = script(answer(200, b"wrong", etag=whole), answer(200, b"right", etag=whole))
    assert client.get("k").data == b"right"
    # What was wrong may have been decompressed on the way: HEAD reports if it is stored so.
    assert [asked.method for asked in server.asked] == ["GET", "HEAD", "GET"]
    client, _ = script(answer(200, b"wrong", etag=whole))
    with pytest.raises(IntegrityError):
        client.get("k")


def test_encrypted_content_has_another_etag(script):
    client, _ = script(answer(200, b"x", etag="0" * 32, x_obs_server_side_encryption="kms"))
    assert client.get("k").data == b"x"


def test_an_append_is_sent_with_its_md5_at_any_size(script):
    client, server = script(error(404, "NoSuchKey"), answer())
    client.start_append("k", data(BIG), new())
    assert "content-md5" in server.asked[1].headers


def test_a_copy_that_fails_late_is_a_failure(script):
    late = b"  <?xml version='1.0'?>\n  <Error><Code>NoSuchKey</Code></Error>"
    client, _ = script(answer(200, late))
    with pytest.raises(Exception, match="NoSuchKey"):
        client.copy(SOURCE, "b")


def test_a_copy_gets_the_storage_class(script):
    """Without it the copy gets the bucket's."""
    copied = answer(200, b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
    client, server = script(copied)
    client.copy(SOURCE, "b")
    headers = server.asked[0].headers
    assert headers["x-obs-storage-class"] == "STANDARD"
    assert headers["x-obs-tagging-directive"] == "COPY"
    assert headers["x-obs-copy-source"] == "/examplebucket/a"


def test_types(client):
    client.put("k", data(), new())
    assert upload(client, "big", b"x").type is ObjectType.NORMAL
    assert client.head("big").type is ObjectType.NORMAL
