"""Objects of OBS by the vendor's SDK: put, get, head, copy, append, multipart, list, delete."""

import hashlib
import re
from typing import Any

import pytest
import requests
from obs import (
    AppendObjectContent,
    AppendObjectHeader,
    CompleteMultipartUploadRequest,
    CompletePart,
    CopyObjectHeader,
    CreateBucketHeader,
    DeleteObjectsRequest,
    GetObjectHeader,
    GetObjectRequest,
    Object,
    PutObjectHeader,
)

from tests.emulator.emulation import Emulator
from tests.emulator.obs.client import Raw, Refused, Sdk, md5_header
from tests.emulator.s3.client import s3_client, tags_of

KEY = "dir/sub/a b+c~%中.txt"


def header(answer: Any, name: str) -> str | None:
    found: str | None = dict(answer.header).get(name)
    return found


def test_put_get_and_head(sdk: Sdk, name: str) -> None:
    headers = PutObjectHeader(contentType="text/x", md5=None)
    etag = sdk.putContent(name, KEY, "hello", metadata={"Some-Name": "v"}, headers=headers)
    assert etag.body.etag == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert sdk.content(name, KEY) == b"hello"
    head = sdk.getObjectMetadata(name, KEY)
    assert (head.body.contentLength, head.body.contentType) == (5, "text/x")
    assert header(head, "some-name") == "v"
    assert head.body.storageClass in {None, "STANDARD"}
    with pytest.raises(Refused) as refused:
        sdk.getObjectMetadata(name, "none")
    assert refused.value.status == 404
    with pytest.raises(Refused) as refused:
        sdk.getObject(name, "none")
    assert (refused.value.status, refused.value.code) == (404, "NoSuchKey")
    with pytest.raises(Refused) as refused:
        sdk.putContent("no-such-bucket", "k", "x")
    assert (refused.value.status, refused.value.code) == (404, "NoSuchBucket")


def test_ranges_and_conditions(one: Sdk, name: str) -> None:
    one.putContent(name, "k", "0123456789")

    def ranged(text: str) -> bytes:
        sdk_range = GetObjectHeader(range=text)
        return one.content(name, "k", headers=sdk_range)

    assert [ranged(text) for text in ("bytes=2-4", "bytes=7-", "bytes=-2", "bytes=8-99")] == [
        b"234",
        b"789",
        b"89",
        b"89",
    ]
    assert ranged("bytes=5-2") == ranged("bytes=x") == b"0123456789"
    with pytest.raises(Refused) as refused:
        ranged("bytes=10-")
    assert (refused.value.status, refused.value.code) == (416, "InvalidRange")
    etag = one.getObjectMetadata(name, "k").body.etag.strip('"')  # or the SDK would encode them
    assert one.content(name, "k", headers=GetObjectHeader(if_match=etag)) == b"0123456789"
    for options, status in [({"if_match": '"x"'}, 412), ({"if_none_match": etag}, 304)]:
        with pytest.raises(Refused) as refused:
            one.content(name, "k", headers=GetObjectHeader(**options))
        assert refused.value.status == status
    shown = one.getObject(name, "k", getObjectRequest=GetObjectRequest(content_type="a/b"))
    assert header(shown, "content-type") == "a/b"
    shown.body.response.read()


def test_checksums(raw: Raw) -> None:
    answer = raw("PUT", "k", headers=md5_header(b"other"), body=b"x")
    assert (answer.status_code, "<Code>BadDigest<" in answer.text) == (400, True)
    answer = raw("PUT", "k", headers={"x-obs-checksum-crc64ecma": "1"}, body=b"x")
    assert answer.status_code == 400
    assert raw("PUT", "k", headers=md5_header(b"x"), body=b"x").status_code == 200
    missing = raw("HEAD", "none")
    assert missing.headers["x-obs-error-code"] == "NoSuchKey"


def test_forbidding_to_overwrite(raw: Raw) -> None:
    """If-None-Match is ignored, forbid-overwrite is not."""
    assert raw("PUT", "k", headers={"x-obs-forbid-overwrite": "true"}, body=b"1").status_code == 200
    answer = raw("PUT", "k", headers={"x-obs-forbid-overwrite": "true"}, body=b"2")
    assert (answer.status_code, "<Code>ObjectAlreadyExists<" in answer.text) == (409, True)
    assert raw("PUT", "k", headers={"If-None-Match": "*"}, body=b"3").status_code == 200
    assert raw("GET", "k").content == b"3"


def test_copies_and_metadata(sdk: Sdk, name: str) -> None:
    sdk.putContent(name, KEY, "hello", metadata={"a": "1"})
    copied = sdk.copyObject(name, KEY, name, "copy")
    assert copied.body.etag == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert header(sdk.getObjectMetadata(name, "copy"), "a") == "1"
    replaced = CopyObjectHeader(directive="REPLACE", contentType="x/y")
    sdk.copyObject(name, KEY, name, "copy", metadata={"b": "2"}, headers=replaced)
    head = sdk.getObjectMetadata(name, "copy")
    assert (header(head, "a"), header(head, "b"), head.body.contentType) == (None, "2", "x/y")
    with pytest.raises(Refused) as refused:
        sdk.copyObject(name, KEY, name, KEY)
    assert refused.value.status == 400
    with pytest.raises(Refused) as refused:
        sdk.copyObject(name, KEY, name, "c", headers=CopyObjectHeader(if_match='"x"'))
    assert refused.value.status == 412


def test_editing_metadata_in_place(one: Sdk, raw: Raw, name: str) -> None:
    """REPLACE_NEW keeps standard headers, not user metadata; tags stay unless others are given."""
    first = {"x-obs-meta-a": "1", "x-obs-tagging": "t=1", "Content-Language": "de"}
    raw("PUT", "k", headers={**first, "Content-Type": "text/x"}, body=b"hello")
    one.setObjectMetadata(name, "k", metadata={"b": "2"})
    head = raw("HEAD", "k")
    assert (head.headers.get("x-obs-meta-a"), head.headers["x-obs-meta-b"]) == (None, "2")
    assert (head.headers["Content-Type"], head.headers["Content-Language"]) == ("text/x", "de")
    assert one.object_tags(name, "k") == {"t": "1"}
    directive = {"x-obs-metadata-directive": "REPLACE", "x-obs-tagging": "n=2"}
    assert raw("PUT", "k", "metadata", headers=directive).status_code == 200
    head = raw("HEAD", "k")
    assert "Content-Language" not in head.headers
    assert "x-obs-meta-b" not in head.headers
    assert one.object_tags(name, "k") == {"n": "2"}
    assert raw("GET", "k").content == b"hello"
    assert raw("PUT", "none", "metadata", headers=directive).status_code == 404
    assert raw("PUT", "k", "metadata").status_code == 400


def test_appending(sdk: Sdk, name: str) -> None:
    def append(position: int, text: str) -> Any:
        content = AppendObjectContent(content=text, position=position)
        return sdk.appendObject(name, "log", content, headers=AppendObjectHeader())

    assert append(0, "hello").body.nextPosition == 5
    assert append(5, " you").body.nextPosition == 9
    with pytest.raises(Refused) as refused:
        append(5, "again")
    assert (refused.value.status, refused.value.code) == (409, "PositionNotEqualToLength")
    head = sdk.getObjectMetadata(name, "log").body
    assert (head.isAppendable, head.nextPosition) == (True, 9)
    assert sdk.content(name, "log") == b"hello you"
    sdk.putContent(name, "log", "x")
    with pytest.raises(Refused) as refused:
        append(1, "y")
    assert (refused.value.status, refused.value.code) == (409, "ObjectNotAppendable")


def test_multipart(sdk: Sdk, name: str) -> None:
    family = "x-obs-" if sdk.client.signature == "obs" else "x-amz-"
    first, second = b"a" * 102_400, b"b" * 10
    sdk.putContent(name, "source", "0123456789")
    upload = sdk.initiateMultipartUpload(
        name, "m", metadata={"a": "1"}, extensionHeaders={f"{family}tagging": "t=1"}
    ).body.uploadId
    one = sdk.uploadPart(name, "m", 1, upload, first).body.etag
    two = sdk.uploadPart(name, "m", 2, upload, second).body.etag
    three = sdk.copyPart(name, "m", 3, upload, f"{name}/source", "2-4").body.etag
    listed = sdk.listParts(name, "m", upload).body.parts
    assert [(part.partNumber, part.size) for part in listed] == [(1, 102_400), (2, 10), (3, 3)]
    assert [each.key for each in sdk.listMultipartUploads(name).body.upload] == ["m"]

    def complete(*parts: tuple[int, str]) -> Any:
        request = CompleteMultipartUploadRequest([CompletePart(*part) for part in parts])
        return sdk.completeMultipartUpload(name, "m", upload, request)

    for parts, code in [
        (((1, one), (4, one)), "InvalidPart"),
        (((1, one), (2, two), (3, three)), "EntityTooSmall"),
    ]:
        with pytest.raises(Refused) as refused:
            complete(*parts)
        assert (refused.value.status, refused.value.code) == (400, code)
    etag = complete((1, one), (3, three)).body.etag
    digests = b"".join(hashlib.md5(part).digest() for part in (first, b"234"))
    assert etag == f'"{hashlib.md5(digests).hexdigest()}-2"'
    assert sdk.content(name, "m") == first + b"234"
    assert sdk.object_tags(name, "m") == {"t": "1"}
    with pytest.raises(Refused) as refused:
        sdk.abortMultipartUpload(name, "m", upload)
    assert (refused.value.status, refused.value.code) == (404, "NoSuchUpload")


def test_parts_out_of_order(raw: Raw) -> None:
    upload = raw("POST", "m", "uploads").text.partition("<UploadId>")[2].partition("<")[0]
    etag = raw("PUT", "m", f"partNumber=1&uploadId={upload}", body=b"x").headers["ETag"]
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number in (2, 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    answer = raw("POST", "m", f"uploadId={upload}", body=body)
    assert (answer.status_code, "<Code>InvalidPartOrder<" in answer.text) == (400, True)
    assert raw("DELETE", "m", f"uploadId={upload}").status_code == 204


def test_listing(sdk: Sdk, name: str) -> None:
    keys = ["a", "b/1", "b/2", "c d/é&<", "z"]
    for key in keys:
        sdk.putContent(name, key, key)
    page = sdk.listObjects(name).body
    assert [item.key for item in page.contents] == keys
    assert page.contents[0].etag == f'"{hashlib.md5(b"a").hexdigest()}"'
    assert page.max_keys == 1000
    page = sdk.listObjects(name, delimiter="/").body
    assert [item.key for item in page.contents] == ["a", "z"]
    assert [item.prefix for item in page.commonPrefixs] == ["b/", "c d/"]
    seen, marker = [], None
    while True:
        page = sdk.listObjects(name, max_keys=2, marker=marker, encoding_type="url").body
        seen += [item.key for item in page.contents]
        marker = page.next_marker
        if not page.is_truncated:
            break
    assert seen == keys


def test_what_a_listing_reports(raw: Raw) -> None:
    raw("PUT", "n", body=b"x")
    raw("POST", "a", "append&position=0", body=b"x")
    raw("PUT", "l", "symlink", headers={"x-obs-symlink-target": "n"})
    text = raw("GET").text
    types = [part.partition("</Type>")[0] for part in text.split("<Type>")[1:]]
    assert types == ["Appendable", "Symlink"]
    stamp = text.partition("<LastModified>")[2].partition("<")[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert "<MaxKeys>1000</MaxKeys>" in raw("GET", query="max-keys=5000").text
    second = raw("GET", query="list-type=2&max-keys=2").text
    assert "<KeyCount>2</KeyCount>" in second
    assert "<NextContinuationToken>" in second


def test_deleting(sdk: Sdk, name: str) -> None:
    for key in ("a", "b c", "d"):
        sdk.putContent(name, key, "x")
    assert sdk.deleteObject(name, "a").status == 204
    assert sdk.deleteObject(name, "a").status == 204
    request = DeleteObjectsRequest(quiet=False, objects=[Object("b c"), Object("none")])
    assert [item.key for item in sdk.deleteObjects(name, request).body.deleted] == ["b c", "none"]
    assert [item.key for item in sdk.listObjects(name).body.contents] == ["d"]
    with pytest.raises(Refused) as refused:
        sdk.deleteBucket(name)
    assert (refused.value.status, refused.value.code) == (409, "BucketNotEmpty")


def test_symlinks(raw: Raw) -> None:
    """Sections 12 and 20: ETag, headers of link and target, and what cannot be followed."""
    raw("PUT", "dir/t", headers={"Content-Type": "t/t", "x-obs-meta-t": "1"}, body=b"hello")
    made = raw(
        "PUT",
        "dir/l",
        "symlink",
        headers={"x-obs-symlink-target": "dir/t", "x-obs-meta-l": "1", "Content-Type": "l/l"},
    )
    assert made.headers["ETag"] == f'"{hashlib.md5(b"dir/t").hexdigest()}"'
    link = raw("GET", "dir/l", "symlink")
    assert link.headers["x-obs-symlink-target"] == "dir/t"
    assert link.headers["x-obs-object-type"] == "Symlink"
    assert (link.headers["Content-Length"], link.headers["x-obs-meta-l"]) == ("0", "1")
    through = raw("GET", "dir/l")
    assert (through.content, through.headers["Content-Type"]) == (b"hello", "l/l")
    assert through.headers["x-obs-object-type"] == "Symlink"
    assert through.headers["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert raw("HEAD", "dir/l").headers["Content-Length"] == "5"
    assert raw("GET", "dir/t", "symlink").status_code == 400
    assert raw("GET", "none", "symlink").status_code == 404
    raw("PUT", "dangling", "symlink", headers={"x-obs-symlink-target": "none"})
    assert "SymlinkTargetNotExist" in raw("GET", "dangling").text
    raw("PUT", "self", "symlink", headers={"x-obs-symlink-target": "self"})
    assert raw("GET", "self").status_code == 400
    raw("PUT", "odd", "symlink", headers={"x-obs-symlink-target": "%E4%B8%AD"})
    assert raw("GET", "odd", "symlink").headers["x-obs-symlink-target"] == "%E4%B8%AD"
    assert raw("DELETE", "dir/l").status_code == 204
    assert raw("GET", "dir/t").content == b"hello"


def test_services_without_symlinks(tmp_path: Any) -> None:
    for option, status, listed in [("off", 405, False), ("ignored", 200, True)]:
        arguments = ["--service", "obs", "--bucket", "bkt", "--option", f"symlinks={option}"]
        with Emulator(tmp_path / option, *arguments) as running:
            raw = Raw(running, "bkt")
            made = raw("PUT", "l", "symlink", headers={"x-obs-symlink-target": "t"})
            assert (made.status_code, "<Key>l</Key>" in raw("GET").text) == (status, listed)
            assert "x-obs-symlink-target" not in raw("GET", "l", "symlink").headers


def test_archived_objects(one: Sdk, name: str) -> None:
    one.putContent(name, "k", "x", headers=PutObjectHeader(storageClass="COLD"))
    assert one.getObjectMetadata(name, "k").body.storageClass == "GLACIER"  # what V2 calls it
    with pytest.raises(Refused) as refused:
        one.content(name, "k")
    assert (refused.value.status, refused.value.code) == (403, "InvalidObjectState")
    assert one.restoreObject(name, "k", 1).status == 202
    with pytest.raises(Refused) as refused:
        one.restoreObject(name, "k", 1)
    assert (refused.value.status, refused.value.code) == (409, "RestoreAlreadyInProgress")


def test_buckets(sdk: Sdk, obs: Emulator) -> None:
    bucket = f"made-by-{sdk.client.signature}"
    sdk.createBucket(bucket)
    sdk.createBucket(bucket)
    assert sdk.headBucket(bucket).status == 200
    assert sdk.getBucketLocation(bucket).body.location == "cn-north-4"
    assert sdk.getBucketMetadata(bucket).body.storageClass == "STANDARD"
    sdk.putContent(bucket, "k", "12345")
    info = sdk.getBucketStorageInfo(bucket).body
    assert (info.size, info.objectNumber) == (5, 1)
    assert bucket in [each.name for each in sdk.listBuckets().body.buckets]
    sdk.deleteObject(bucket, "k")
    assert sdk.deleteBucket(bucket).status == 204
    with pytest.raises(Refused) as refused:
        sdk.headBucket(bucket)
    assert refused.value.status == 404
    with pytest.raises(Refused) as refused:
        sdk.createBucket("a..b")
    assert (refused.value.status, refused.value.code) == (400, "InvalidBucketName")
    header = CreateBucketHeader(storageClass="WARM")
    sdk.createBucket(bucket, header=header)
    sdk.putContent(bucket, "k", "x")
    warm = "WARM" if sdk.client.signature == "obs" else "STANDARD_IA"
    assert sdk.getObjectMetadata(bucket, "k").body.storageClass == warm
    sdk.deleteObject(bucket, "k")
    sdk.deleteBucket(bucket)
    probe = requests.head(f"{obs.url}/?apiversion", timeout=60)
    assert (probe.status_code, probe.headers["x-obs-api"]) == (200, "3.0")


def test_boto3_speaks_to_it_too(obs: Emulator, name: str) -> None:
    s3 = s3_client(obs.url)
    s3.put_object(Bucket=name, Key="k", Body=b"hello", Metadata={"a": "1"}, Tagging="t=1")
    found = s3.get_object(Bucket=name, Key="k")
    assert (found["Body"].read(), found["Metadata"]) == (b"hello", {"a": "1"})
    assert tags_of(s3, name, "k") == {"t": "1"}
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=name)["Contents"]] == ["k"]
    s3.close()
