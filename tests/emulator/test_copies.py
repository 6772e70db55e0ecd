"""CopyObject, AppendObject and multipart uploads through oss2."""

import random

import oss2
import pytest
import requests
from oss2.models import PartInfo

from tests.emulator.test_objects import crc_of

PART = 100 * 1024


def tags_of(bucket: oss2.Bucket, key: str) -> dict[str, str]:
    tags: dict[str, str] = bucket.get_object_tagging(key).tag_set.tagging_rule
    return tags


@pytest.fixture
def source(bucket: oss2.Bucket) -> oss2.Bucket:
    headers = {"Content-Type": "a/b", "x-oss-meta-m": "1", "x-oss-tagging": "k=v&k2="}
    bucket.put_object("dir/src 中+%.txt", b"content", headers=headers)
    return bucket


SOURCE = "dir/src 中+%.txt"


@pytest.mark.parametrize(
    ("headers", "kind", "meta", "tags"),
    [
        ({}, "a/b", "1", {"k": "v", "k2": ""}),
        ({"x-oss-meta-m": "ignored"}, "a/b", "1", {"k": "v", "k2": ""}),
        ({"x-oss-tagging": "ignored=1"}, "a/b", "1", {"k": "v", "k2": ""}),
        (
            {
                "x-oss-metadata-directive": "REPLACE",
                "Content-Type": "c/d",
                "x-oss-meta-m": "2",
            },
            "c/d",
            "2",
            {"k": "v", "k2": ""},
        ),
        (
            {"x-oss-tagging-directive": "Replace", "x-oss-tagging": "n=1"},
            "a/b",
            "1",
            {"n": "1"},
        ),
        ({"x-oss-tagging-directive": "REPLACE"}, "a/b", "1", {}),
    ],
)
def test_copy_directives(source, name, headers, kind, meta, tags):
    result = source.copy_object(name, SOURCE, "dst", headers=headers)
    assert result.etag == source.head_object(SOURCE).etag
    answer = source.get_object("dst")
    assert answer.read() == b"content"
    assert (answer.content_type, answer.headers["x-oss-meta-m"]) == (kind, meta)
    assert tags_of(source, "dst") == tags


def test_copy_onto_itself_takes_the_metadata_and_keeps_the_tags(source, name):
    source.copy_object(name, SOURCE, SOURCE, headers={"x-oss-meta-n": "2"})
    head = source.head_object(SOURCE).headers
    assert ("x-oss-meta-m" in head, head["x-oss-meta-n"]) == (False, "2")
    assert tags_of(source, SOURCE) == {"k": "v", "k2": ""}
    assert source.get_object(SOURCE).read() == b"content"


def test_copy_conditions_and_refusals(source, name):
    etag = source.head_object(SOURCE).etag
    for headers, status in [
        ({"x-oss-copy-source-if-match": etag}, 200),
        ({"x-oss-copy-source-if-match": "other"}, 412),
        ({"x-oss-copy-source-if-none-match": etag}, 304),
        ({"x-oss-copy-source-if-unmodified-since": "Tue, 02 Jan 2001 03:04:05 GMT"}, 412),
        ({"x-oss-forbid-overwrite": "true"}, 409),
        ({"x-oss-metadata-directive": "maybe"}, 400),
        ({"x-oss-tagging-directive": "Replace", "x-oss-tagging": "a=b=c"}, 400),
    ]:
        if status == 200:
            source.copy_object(name, SOURCE, "dst", headers=headers)
            continue
        with pytest.raises(oss2.exceptions.OssError) as caught:
            source.copy_object(name, SOURCE, "dst", headers=headers)
        assert caught.value.status == status, headers
    with pytest.raises(oss2.exceptions.NoSuchKey):
        source.copy_object(name, "nothing", "dst")
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        source.copy_object("no-such-bucket", "nothing", "dst")


def test_a_copy_outlives_its_source(bucket, name):
    data = random.Random(1).randbytes(200_000)
    bucket.put_object("a", data)
    bucket.copy_object(name, "a", "b")
    bucket.put_object("a", b"other")
    bucket.delete_object("a")
    assert bucket.get_object("b").read() == data


def test_appending(signed_bucket):
    first = signed_bucket.append_object("log", 0, b"one", headers={"x-oss-tagging": "a=1"})
    assert first.next_position == 3
    eleven = "&".join(f"t{number}=x" for number in range(11))
    second = signed_bucket.append_object("log", 3, b"two", headers={"x-oss-tagging": eleven})
    assert (second.next_position, second.crc) == (6, crc_of(b"onetwo"))
    third = signed_bucket.append_object("log", 6, b"", init_crc=second.crc)
    assert third.next_position == 6
    assert signed_bucket.get_object("log").read() == b"onetwo"
    head = signed_bucket.head_object("log")
    assert head.object_type == "Appendable"
    assert head.headers["x-oss-next-append-position"] == "6"
    assert tags_of(signed_bucket, "log") == {"a": "1"}
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as caught:
        signed_bucket.append_object("log", 3, b"two")
    assert caught.value.next_position == 6


def test_appending_grows_from_memory_to_file(bucket):
    data = random.Random(3).randbytes(300_000)
    position = 0
    for size in (10_000, 50_000, 10_000, 100_000, 5, 0, 129_995):
        result = bucket.append_object("log", position, data[position : position + size])
        position += size
        assert result.next_position == position
    answer = bucket.get_object("log")
    assert (answer.read(), answer.server_crc) == (data, crc_of(data))


def test_what_cannot_be_appended_to(bucket):
    bucket.put_object("normal", b"")
    bucket.put_symlink("normal", "link")
    for key in ("normal", "link"):
        with pytest.raises(oss2.exceptions.ObjectNotAppendable):
            bucket.append_object(key, 0, b"x")
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength):
        bucket.append_object("new", 5, b"x")
    bucket.append_object("empty", 0, b"")
    assert bucket.append_object("empty", 0, b"x").next_position == 1


def test_an_appended_copy_is_its_own(bucket, name):
    bucket.append_object("log", 0, b"one")
    bucket.copy_object(name, "log", "copy")
    bucket.append_object("log", 3, b"two")
    assert bucket.get_object("copy").read() == b"one"
    assert bucket.get_object("log").read() == b"onetwo"


def test_multipart(signed_bucket):
    data = random.Random(4).randbytes(2 * PART + 17)
    headers = {"x-oss-tagging": "a=1", "x-oss-meta-m": "1", "Content-Type": "a/b"}
    upload = signed_bucket.init_multipart_upload("k e/y", headers=headers).upload_id
    parts = []
    for number in (3, 1, 2, 2):
        piece = data[(number - 1) * PART : number * PART]
        result = signed_bucket.upload_part("k e/y", upload, number, piece)
        parts.append(PartInfo(number, result.etag, size=len(piece), part_crc=result.crc))
    listed = signed_bucket.list_parts("k e/y", upload)
    assert [(part.part_number, part.size) for part in listed.parts] == [
        (1, PART),
        (2, PART),
        (3, 17),
    ]
    assert not signed_bucket.object_exists("k e/y")
    parts = sorted(parts[:3], key=lambda part: part.part_number)
    result = signed_bucket.complete_multipart_upload("k e/y", upload, parts)
    assert (result.crc, result.etag.endswith("-3")) == (crc_of(data), True)
    answer = signed_bucket.get_object("k e/y")
    assert answer.read() == data
    assert (answer.object_type, answer.headers["x-oss-meta-m"]) == ("Multipart", "1")
    assert "Content-MD5" not in answer.headers
    assert tags_of(signed_bucket, "k e/y") == {"a": "1"}
    assert list(oss2.MultipartUploadIterator(signed_bucket)) == []


def test_multipart_mistakes(bucket):
    upload = bucket.init_multipart_upload("k").upload_id
    etags = [bucket.upload_part("k", upload, number, b"small").etag for number in (1, 2)]
    good = [PartInfo(number, etag) for number, etag in enumerate(etags, 1)]
    for parts, code in [
        (good, "EntityTooSmall"),
        ([PartInfo(3, etags[0])], "InvalidPart"),
        ([PartInfo(1, "0" * 32)], "InvalidPart"),
        ([], "MalformedXML"),
    ]:
        with pytest.raises(oss2.exceptions.OssError) as caught:
            bucket.complete_multipart_upload("k", upload, parts)
        assert (caught.value.status, caught.value.code) == (400, code)
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.upload_part("k", upload, 10_001, b"")
    assert caught.value.code == "InvalidArgument"
    url = bucket.sign_url("POST", "k", 60, params={"uploadId": upload})
    listed = "".join(
        f"<Part><PartNumber>{part.part_number}</PartNumber><ETag>{part.etag}</ETag></Part>"
        for part in reversed(good)  # oss2 would sort them
    )
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
    assert "<Code>InvalidPartOrder<" in requests.post(url, data=body, timeout=60).text
    bucket.abort_multipart_upload("k", upload)
    for call in (
        lambda: bucket.abort_multipart_upload("k", upload),
        lambda: bucket.upload_part("k", upload, 1, b"x"),
        lambda: bucket.list_parts("k", upload),
    ):
        with pytest.raises(oss2.exceptions.NoSuchUpload):
            call()


def test_complete_all_and_forbid_overwrite(bucket):
    upload = bucket.init_multipart_upload("k", headers={"x-oss-forbid-overwrite": "true"}).upload_id
    bucket.upload_part("k", upload, 7, b"tail")
    bucket.put_object("k", b"was first")
    all_parts = {"x-oss-complete-all": "yes"}
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.complete_multipart_upload("k", upload, None, headers=all_parts)
    assert (caught.value.status, caught.value.code) == (409, "FileAlreadyExists")
    bucket.delete_object("k")
    bucket.complete_multipart_upload("k", upload, None, headers=all_parts)
    assert bucket.get_object("k").read() == b"tail"


def test_part_copies(bucket, name):
    data = random.Random(5).randbytes(3 * PART)
    bucket.put_object("src", data)
    upload = bucket.init_multipart_upload("dst").upload_id
    ranges = [(PART, 3 * PART - 1), (0, PART - 1), (5, 10)]
    parts = []
    for number, chosen in enumerate(ranges, 1):
        result = bucket.upload_part_copy(name, "src", chosen, "dst", upload, number)
        parts.append(PartInfo(number, result.etag))
    whole = bucket.upload_part_copy(name, "src", None, "dst", upload, 9)
    bucket.delete_object("src")
    bucket.complete_multipart_upload("dst", upload, [*parts[:2], PartInfo(9, whole.etag)])
    expected = data[PART:] + data[:PART] + data
    answer = bucket.get_object("dst")
    assert (answer.read(), answer.server_crc) == (expected, crc_of(expected))
    upload = bucket.init_multipart_upload("dst").upload_id
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.upload_part_copy(name, "dst", (0, 10**9), "dst", upload, 1)
    assert caught.value.status == 416


def test_uploads_are_listed(bucket):
    keys = ["a", "a", "dir/x", "dir/y", "z"]
    made = sorted((key, bucket.init_multipart_upload(key).upload_id) for key in keys)
    found = [(item.key, item.upload_id) for item in oss2.MultipartUploadIterator(bucket)]
    assert found == made
    paged = oss2.MultipartUploadIterator(bucket, max_uploads=1)
    assert [(item.key, item.upload_id) for item in paged] == made
    rolled = list(oss2.MultipartUploadIterator(bucket, delimiter="/", max_uploads=2))
    assert [item.key for item in rolled] == ["a", "a", "dir/", "z"]
    below = oss2.MultipartUploadIterator(bucket, prefix="dir/")
    assert [item.key for item in below] == ["dir/x", "dir/y"]
    parts = oss2.PartIterator(bucket, *made[0], max_parts=1)
    for number in (1, 2, 5):
        bucket.upload_part(*made[0], number, b"x")
    assert [part.part_number for part in parts] == [1, 2, 5]


def test_acl_and_encryption_are_the_request_s_own(bucket):
    kms = {"x-oss-server-side-encryption": "KMS", "x-oss-server-side-encryption-key-id": "key-1"}
    bucket.put_object("k", b"x", headers={**kms, "x-oss-object-acl": "public-read"})
    assert kms.items() <= bucket.head_object("k").headers.items()
    bucket.copy_object(bucket.bucket_name, "k", "copy")
    assert bucket.get_object_acl("copy").acl == "default"
    assert not kms.keys() & bucket.head_object("copy").headers.keys()
    bucket.copy_object(
        bucket.bucket_name, "k", "copy", headers={**kms, "x-oss-object-acl": "private"}
    )
    assert bucket.get_object_acl("copy").acl == "private"
    assert kms.items() <= bucket.head_object("copy").headers.items()
    with pytest.raises(oss2.exceptions.OssError) as caught:
        bucket.put_object("k", b"", headers={"x-oss-server-side-encryption": "aws:kms"})
    assert caught.value.code == "InvalidArgument"
