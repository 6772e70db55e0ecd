"""Symlink objects through oss2 and the new SDK."""

import hashlib
from urllib.parse import unquote

import alibabacloud_oss_v2 as v2
import oss2
import pytest

from tests.emulator.emulation import v2_client
from tests.waiting import next_second

TARGETS = ["plain", "dir/a b+c%25.txt", "中文/ä", "no/such/thing"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_link_remembers_its_target(signed_bucket, target):
    result = signed_bucket.put_symlink(target, "li/nk", headers={"x-oss-meta-a": "1"})
    etag = hashlib.md5(target.encode()).hexdigest().upper()
    assert result.headers["ETag"].strip('"') == etag
    assert result.headers["x-oss-hash-crc64ecma"] == "0"
    link = signed_bucket.get_symlink("li/nk")
    assert link.target_key == target
    assert link.headers["x-oss-meta-a"] == "1"
    assert (link.headers["Content-Length"], link.headers["ETag"].strip('"')) == ("0", etag)
    [listed] = signed_bucket.list_objects().object_list
    assert (listed.type, listed.size) == ("Symlink", len(target.encode()))


def test_the_new_sdk_agrees(emulator, name):
    client = v2_client(emulator)
    for target in ("plain", "dir/x y"):
        client.put_symlink(v2.PutSymlinkRequest(bucket=name, key="l", symlink_target=target))
        found = client.get_symlink(v2.GetSymlinkRequest(bucket=name, key="l"))
        assert unquote(found.target) == target  # which this SDK leaves to us


def test_reading_through_a_link(bucket):
    bucket.put_symlink("t", "l", headers={"x-oss-meta-who": "link", "x-oss-tagging": "a=1&b=2"})
    next_second()
    headers = {"x-oss-meta-who": "target", "x-oss-storage-class": "IA", "x-oss-tagging": "c=3"}
    etag = bucket.put_object("t", b"content", headers=headers).etag
    target = bucket.head_object("t").headers
    for answer in (bucket.get_object("l"), bucket.head_object("l")):
        shown = answer.headers
        assert (shown["ETag"].strip('"'), shown["Content-Length"]) == (etag, "7")
        assert shown["Content-MD5"] == target["Content-MD5"]
        assert shown["Last-Modified"] == target["Last-Modified"]
        assert (shown["x-oss-meta-who"], shown["x-oss-object-type"]) == ("link", "Symlink")
        assert (shown["x-oss-storage-class"], shown["x-oss-tagging-count"]) == ("Standard", "2")
        assert "x-oss-hash-crc64ecma" not in shown
    assert bucket.get_object("l").read() == b"content"
    assert bucket.get_object("l", byte_range=(1, 3)).read() == b"ont"


def test_what_a_link_cannot_lead_to(bucket):
    bucket.put_symlink("nothing", "dangling")
    bucket.put_symlink("dangling", "chain")
    bucket.put_symlink("self", "self")
    for key, status, code in [
        ("dangling", 404, "SymlinkTargetNotExist"),
        ("chain", 400, "InvalidTargetType"),
        ("self", 400, "InvalidTargetType"),
    ]:
        for call in (bucket.get_object, bucket.head_object):
            with pytest.raises(oss2.exceptions.OssError) as caught:
                call(key)
            assert (caught.value.status, caught.value.code) == (status, code)


def test_object_meta_describes_the_link(bucket):
    bucket.put_object("t", b"content")
    bucket.put_symlink("t", "l")
    meta = bucket.get_object_meta("l").headers
    assert (meta["Content-Length"], meta["x-oss-object-type"]) == ("1", "Symlink")
    assert meta["ETag"].strip('"') == hashlib.md5(b"t").hexdigest().upper()


def test_links_are_copied_deleted_and_replaced_as_links(bucket, name):
    bucket.put_object("t", b"content")
    bucket.put_symlink("t", "l", headers={"x-oss-tagging": "a=1"})
    bucket.copy_object(name, "l", "l2")
    assert bucket.get_symlink("l2").target_key == "t"
    assert bucket.get_object_tagging("l2").tag_set.tagging_rule == {"a": "1"}
    bucket.delete_object("l")
    assert bucket.object_exists("t")
    bucket.put_object("l2", b"own")
    assert bucket.get_object("t").read() == b"content"
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.get_symlink("l2")
    error = caught.value
    assert (error.status, error.code, error.details["EC"]) == (
        400,
        "NotSymlink",
        "0043-00000101",
    )
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.get_symlink("nothing")


def test_link_creation_can_be_exclusive_and_refused(bucket):
    bucket.put_symlink("t", "l", headers={"x-oss-forbid-overwrite": "true"})
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.put_symlink("u", "l", headers={"x-oss-forbid-overwrite": "true"})
    assert caught.value.code == "FileAlreadyExists"
    eleven = "&".join(f"t{number}=x" for number in range(11))
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.put_symlink("u", "new", headers={"x-oss-tagging": eleven})
    assert caught.value.status == 400
    assert not bucket.object_exists("new")
    for target in ("/absolute", "x" * 1024):
        with pytest.raises(oss2.exceptions.OssError):
            bucket.put_symlink(target, "new")
