"""Single objects through oss2: put, get, head, delete, conditions, ranges."""

import base64
import hashlib
import random

import alibabacloud_oss_v2 as v2
import crcmod
import oss2
import pytest
import requests

from tests.emulator.emulation import v2_client
from tests.waiting import wait_for


def crc_of(data: bytes) -> int:
    """The vendor's own CRC, which shares no code with the emulator's."""
    value: int = crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, xorOut=0xFFFFFFFFFFFFFFFF)(data)
    return value


KEYS = ["plain", "a b+c~*'(.txt", "dir/中文/ä", "x//y/../z/./", "100%25%", "a&b=c?d#e", "\x01\x7f"]


@pytest.mark.parametrize("key", KEYS)
def test_any_key_comes_back(signed_bucket, key):
    signed_bucket.put_object(key, key.encode())
    assert signed_bucket.get_object(key).read() == key.encode()
    assert [item.key for item in oss2.ObjectIterator(signed_bucket)] == [key]
    assert [item.key for item in oss2.ObjectIteratorV2(signed_bucket)] == [key]
    signed_bucket.delete_object(key)
    assert not signed_bucket.object_exists(key)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_001])
def test_contents_of_all_sizes(signed_bucket, size):
    data = random.Random(size).randbytes(size)
    result = signed_bucket.put_object("k", data)
    assert result.etag == hashlib.md5(data).hexdigest().upper()
    assert result.crc == crc_of(data)
    answer = signed_bucket.get_object("k")
    assert answer.read() == data
    assert answer.server_crc == crc_of(data)
    head = signed_bucket.head_object("k")
    assert head.content_length == size
    assert head.headers["Content-MD5"] == base64.b64encode(hashlib.md5(data).digest()).decode()


def test_chunked_upload(bucket):
    def pieces():
        for number in range(50):
            yield b"%d" % number * 3000

    class Source:
        """Has no length, so the SDK sends chunks."""

        def __init__(self):
            self._data = b"".join(pieces())
            self._at = 0

        def read(self, amount=-1):
            end = len(self._data) if amount < 0 else self._at + amount
            chunk, self._at = self._data[self._at : end], min(end, len(self._data))
            return chunk

    bucket.put_object("k", Source())
    assert bucket.get_object("k").read() == b"".join(pieces())


def test_headers_and_metadata_come_back(signed_bucket):
    sent = {
        "Content-Type": "text/x-test",
        "Cache-Control": "no-cache",
        "Content-Disposition": "attachment",
        "Content-Encoding": "gzip",
        "Content-Language": "de",
        "Expires": "Tue, 02 Jan 2024 03:04:05 GMT",
        "x-oss-meta-Mode": "33188",
        "x-oss-storage-class": "IA",
    }
    signed_bucket.put_object("k", b"not really gzip", headers=sent)
    head = signed_bucket.head_object("k").headers
    for header, value in sent.items():
        assert head[header] == value
    assert head["x-oss-object-type"] == "Normal"
    assert "x-oss-meta-mode" in [header.lower() for header in head]
    assert signed_bucket.get_object("k").content_type == "text/x-test"


def test_metadata_may_be_utf8_and_8_kb(bucket):
    bucket.put_object("k", b"", headers={"x-oss-meta-name": "中文".encode()})
    raw = bucket.head_object("k").headers["x-oss-meta-name"]
    assert raw.encode("latin-1").decode() == "中文" or raw == "中文"
    bucket.put_object("k", b"", headers={"x-oss-meta-a": "x" * 8000})
    assert len(bucket.head_object("k").headers["x-oss-meta-a"]) == 8000
    for headers in ({"x-oss-meta-a": "x" * 8200}, {"x-oss-meta-a_b": "x"}):
        with pytest.raises(oss2.exceptions.OssError) as caught:
            bucket.put_object("k", b"", headers=headers)
        assert (caught.value.status, caught.value.code) == (400, "InvalidArgument")


def test_checksums_are_verified(bucket):
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    for headers, code in [
        ({"Content-MD5": md5}, "InvalidDigest"),
        ({"Content-MD5": "no base64"}, "InvalidDigest"),
        ({"x-oss-hash-crc64ecma": "1"}, "InvalidCRC64"),
    ]:
        with pytest.raises(oss2.exceptions.OssError) as caught:
            bucket.put_object("k", b"body", headers=headers)
        assert (caught.value.status, caught.value.code) == (400, code)
    assert not bucket.object_exists("k")
    good = base64.b64encode(hashlib.md5(b"body").digest()).decode()
    crc = str(crc_of(b"body"))
    bucket.put_object("k", b"body", headers={"Content-MD5": good, "x-oss-hash-crc64ecma": crc})


def test_forbid_overwrite(bucket):
    bucket.put_object("k", b"old", headers={"x-oss-forbid-overwrite": "true"})
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.put_object("k", b"new", headers={"x-oss-forbid-overwrite": "true"})
    assert (caught.value.status, caught.value.code) == (409, "FileAlreadyExists")
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.put_object("k", b"new", headers={"x-oss-forbid-overwrite": "perhaps"})
    assert (caught.value.status, caught.value.details["EC"]) == (400, "0017-00000279")
    assert bucket.get_object("k").read() == b"old"
    bucket.put_object("k", b"new", headers={"x-oss-forbid-overwrite": "false"})


def test_preconditions_on_put_are_not_implemented(bucket):
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.put_object("k", b"", headers={"If-None-Match": "*"})
    error = caught.value
    assert (error.status, error.code, error.details["Header"]) == (
        400,
        "NotImplemented",
        "If-None-Match",
    )


@pytest.mark.parametrize(
    ("sent", "standard", "outcome"),
    [
        ("bytes=0-499", False, (206, "bytes 0-499/1000")),
        ("bytes=500-", False, (206, "bytes 500-999/1000")),
        ("bytes=-300", False, (206, "bytes 700-999/1000")),
        ("bytes=-1000", False, (206, "bytes 0-999/1000")),
        ("byte=0-499", False, (200, None)),
        ("bytes=0-1000", False, (200, None)),
        ("bytes=1000-2000", False, (200, None)),
        ("bytes=1000-", False, (200, None)),
        ("bytes=-2000", False, (200, None)),
        ("bytes=5-2", False, (200, None)),
        ("bytes=500-2000", True, (206, "bytes 500-999/1000")),
        ("bytes=1000-2000", True, (416, "bytes */1000")),
        ("bytes=1000-", True, (416, "bytes */1000")),
        ("bytes=-2000", True, (206, "bytes 0-999/1000")),
        ("byte=0-1", True, (200, None)),
        ("bytes=0-1,5-6", True, (416, "bytes */1000")),
    ],
)
def test_ranges(bucket, sent, standard, outcome):
    data = random.Random(1).randbytes(1000)
    bucket.put_object("k", data)
    headers = {"Range": sent, **({"x-oss-range-behavior": "standard"} if standard else {})}
    status, shown = outcome
    if status == 416:
        with pytest.raises(oss2.exceptions.OssError) as caught:
            bucket.get_object("k", headers=headers)
        assert (caught.value.status, caught.value.code) == (416, "InvalidRange")
        return
    answer = bucket.get_object("k", headers=headers)
    assert (answer.status, answer.headers.get("Content-Range")) == (status, shown)
    body = answer.resp.response.content
    if shown is None:
        assert body == data
    else:
        first, last = shown.removeprefix("bytes ").partition("/")[0].split("-")
        assert body == data[int(first) : int(last) + 1]


def test_range_of_a_big_object(bucket):
    data = random.Random(2).randbytes(1_000_000)
    bucket.put_object("k", data)
    assert bucket.get_object("k", byte_range=(300_000, 899_999)).read() == data[300_000:900_000]


def test_conditions(bucket):
    etag = bucket.put_object("k", b"x").etag
    modified = bucket.head_object("k").headers["Last-Modified"]
    early = "Tue, 02 Jan 2001 03:04:05 GMT"
    for headers, status in [
        ({"If-Match": f'"{etag}"'}, 200),
        ({"If-Match": etag}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-None-Match": "other"}, 200),
        ({"If-None-Match": f'"{etag}"'}, 304),
        ({"If-Modified-Since": early}, 200),
        ({"If-Modified-Since": modified}, 304),
        ({"If-Unmodified-Since": early}, 412),
        ({"If-Unmodified-Since": modified}, 200),
    ]:
        for call in (bucket.get_object, bucket.head_object):
            if status == 200:
                assert call("k", headers=headers).status == 200
            else:
                with pytest.raises(oss2.exceptions.OssError) as caught:
                    call("k", headers=headers)
                assert caught.value.status == status, headers


def test_missing_objects_and_buckets(bucket):
    with pytest.raises(oss2.exceptions.NoSuchKey) as caught:
        bucket.get_object("nothing")
    assert caught.value.details["Key"] == "nothing"
    assert caught.value.headers["x-oss-ec"] == caught.value.details["EC"] == "0026-00000001"
    with pytest.raises(oss2.exceptions.OssError) as head:
        bucket.head_object("nothing")
    assert head.value.code == "NoSuchKey"  # out of x-oss-err
    bucket.bucket_name = "no-such-bucket"
    with pytest.raises(oss2.exceptions.NoSuchBucket) as gone:
        bucket.get_object("nothing")
    assert gone.value.details["BucketName"] == "no-such-bucket"


def test_object_meta_is_short(bucket):
    bucket.put_object("k", b"abc", headers={"x-oss-meta-a": "1"})
    meta = bucket.get_object_meta("k").headers
    assert (meta["Content-Length"], meta["x-oss-hash-crc64ecma"]) == ("3", str(crc_of(b"abc")))
    assert "x-oss-meta-a" not in meta
    assert "Content-MD5" not in meta


def test_an_overwrite_leaves_nothing_of_the_old_object(bucket):
    bucket.put_object("k", b"x", headers={"x-oss-tagging": "a=b", "x-oss-meta-a": "1"})
    bucket.put_object("k", b"y")
    head = bucket.head_object("k").headers
    assert "x-oss-meta-a" not in head
    assert "x-oss-tagging-count" not in head
    assert bucket.get_object_tagging("k").tag_set.tagging_rule == {}


def test_deleting(bucket):
    for key in ("a", "b/c", "d&<e>", "中"):
        bucket.put_object(key, b"x")
    assert bucket.delete_object("a").status == 204
    assert bucket.delete_object("a").status == 204
    result = bucket.batch_delete_objects(["b/c", "d&<e>", "中", "never was"])
    assert sorted(result.deleted_keys) == sorted(["b/c", "d&<e>", "中", "never was"])
    assert list(oss2.ObjectIterator(bucket)) == []


def test_batch_deletes_are_checked(bucket):
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.batch_delete_objects([f"k{number}" for number in range(1001)])
    assert caught.value.code == "MalformedXML"


def test_names_that_no_object_may_have(bucket):
    for key in ("/a", "\\a", "x" * 1024):
        with pytest.raises(oss2.exceptions.OssError) as caught:
            bucket.put_object(key, b"")
        assert caught.value.code == "InvalidObjectName"
    bucket.put_object("x" * 1023, b"")


def test_archived_objects_must_be_restored(bucket):
    bucket.put_object("k", b"cold", headers={"x-oss-storage-class": "Archive"})
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.get_object("k")
    assert (caught.value.status, caught.value.code) == (403, "InvalidObjectState")
    assert bucket.head_object("k").headers["x-oss-storage-class"] == "Archive"
    assert bucket.restore_object("k").status == 202
    assert bucket.head_object("k").headers["x-oss-restore"] == 'ongoing-request="true"'
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.restore_object("k")
    assert caught.value.code == "RestoreAlreadyInProgress"
    wait_for(lambda: "expiry-date" in bucket.head_object("k").headers["x-oss-restore"])
    assert bucket.get_object("k").read() == b"cold"
    assert "expiry-date" in bucket.head_object("k").headers["x-oss-restore"]
    assert bucket.restore_object("k").status == 200
    bucket.put_object("warm", b"")
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.restore_object("warm")
    assert caught.value.code == "OperationNotSupported"


def test_object_acl(bucket):
    bucket.put_object("k", b"")
    assert bucket.get_object_acl("k").acl == "default"
    bucket.put_object_acl("k", "public-read")
    assert bucket.get_object_acl("k").acl == "public-read"


def test_virtual_hosts(emulator, name):
    client = v2_client(emulator, host="localhost")
    requested = v2.PutObjectRequest(bucket=name, key="-/faults")
    signed = client.presign(requested).url
    host = f"{name}.localhost:{emulator.port}"
    assert signed.startswith(f"http://{host}/-/faults?")
    url = signed.replace(host, f"127.0.0.1:{emulator.port}")
    answer = requests.put(url, data=b"a key like any", headers={"Host": host}, timeout=60)
    assert answer.status_code == 200, answer.text
    found = v2_client(emulator).get_object(v2.GetObjectRequest(bucket=name, key="-/faults"))
    assert found.body.content == b"a key like any"
