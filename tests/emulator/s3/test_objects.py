"""Objects of S3 by boto3: put, get, head, copy, multipart, list, delete."""

import base64
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from fastcrc.crc32 import iscsi

from tests.emulator.emulation import Emulator
from tests.emulator.s3.client import refusal, s3_client

KEY = "dir//../a b+c~%中&<>.txt"
PART = 5 * 1024 * 1024


def code_of(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refusal(refused.value)


def test_put_get_and_head(each: Any, name: str) -> None:
    kept = {"ContentType": "text/x", "CacheControl": "no-cache", "ContentEncoding": "gzip"}
    made = each.put_object(Bucket=name, Key=KEY, Body=b"hello", Metadata={"A-b": "v  w"}, **kept)
    assert made["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    found = each.get_object(Bucket=name, Key=KEY)
    assert found["Body"].read() == b"hello"
    for shown in (found, each.head_object(Bucket=name, Key=KEY)):
        assert {key: shown[key] for key in kept} == kept
        assert (shown["Metadata"], shown["ContentLength"]) == ({"a-b": "v  w"}, 5)
        assert "StorageClass" not in shown
    assert code_of(each.get_object, Bucket=name, Key="none") == (404, "NoSuchKey")
    assert code_of(each.head_object, Bucket=name, Key="none") == (404, "404")
    assert code_of(each.get_object, Bucket="no-bucket", Key="k") == (404, "NoSuchBucket")


def test_big_bodies(s3: Any, name: str) -> None:
    data = bytes(range(256)) * 8192
    s3.put_object(Bucket=name, Key="big", Body=io.BytesIO(data))
    assert s3.get_object(Bucket=name, Key="big")["Body"].read() == data
    part = s3.get_object(Bucket=name, Key="big", Range="bytes=100000-200000")
    assert (part["Body"].read(), part["ContentRange"]) == (
        data[100_000:200_001],
        f"bytes 100000-200000/{len(data)}",
    )


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("CRC32", zlib.crc32(b"hello").to_bytes(4)),
        ("CRC32C", iscsi(b"hello").to_bytes(4)),
        ("SHA1", hashlib.sha1(b"hello").digest()),
        ("SHA256", hashlib.sha256(b"hello").digest()),
    ],
)
def test_checksums(s3: Any, name: str, algorithm: str, value: bytes) -> None:
    put = {"Bucket": name, "Key": "k", "Body": b"hello"}
    s3.put_object(**put, **{f"Checksum{algorithm}": base64.b64encode(value).decode()})
    wrong = {f"Checksum{algorithm}": base64.b64encode(value[::-1]).decode()}
    assert code_of(s3.put_object, **put, **wrong) == (400, "BadDigest")
    md5 = {"ContentMD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    assert code_of(s3.put_object, Bucket=name, Key="k", Body=b"x", **md5) == (400, "BadDigest")
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"hello"


def test_ranges_and_conditions(s3: Any, name: str) -> None:
    etag = s3.put_object(Bucket=name, Key="k", Body=b"0123456789")["ETag"]

    def ranged(text: str) -> bytes:
        content: bytes = s3.get_object(Bucket=name, Key="k", Range=text)["Body"].read()
        return content

    assert ranged("bytes=2-4") == b"234"
    assert ranged("bytes=8-99") == ranged("bytes=-2") == b"89"
    assert ranged("bytes=5-2") == b"0123456789"
    get = {"Bucket": name, "Key": "k"}
    assert code_of(s3.get_object, **get, Range="bytes=10-") == (416, "InvalidRange")
    assert s3.get_object(**get, IfMatch=etag)["Body"].read() == b"0123456789"
    assert code_of(s3.get_object, **get, IfMatch='"x"') == (412, "PreconditionFailed")
    assert code_of(s3.get_object, **get, IfNoneMatch=etag) == (304, "304")


def test_conditional_writes(s3: Any, name: str) -> None:
    put = {"Bucket": name, "Key": "k", "Body": b"x"}
    assert code_of(s3.put_object, **put, IfMatch='"x"') == (404, "NoSuchKey")
    etag = s3.put_object(**put, IfNoneMatch="*")["ETag"]
    assert code_of(s3.put_object, **put, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert code_of(s3.put_object, **put, IfMatch='"x"') == (412, "PreconditionFailed")
    s3.put_object(**put, IfMatch=etag)


def test_copies(each: Any, name: str) -> None:
    source = {"Bucket": name, "Key": KEY}
    each.put_object(Bucket=name, Key=KEY, Body=b"hello", Metadata={"a": "1"}, ContentType="t/t")
    copied = each.copy_object(Bucket=name, Key="copy", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    shown = each.head_object(Bucket=name, Key="copy")
    assert (shown["Metadata"], shown["ContentType"]) == ({"a": "1"}, "t/t")
    replaced = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}, "ContentType": "u/u"}
    each.copy_object(Bucket=name, Key=KEY, CopySource=source, **replaced)
    shown = each.head_object(Bucket=name, Key=KEY)
    assert (shown["Metadata"], shown["ContentType"]) == ({"b": "2"}, "u/u")
    idle = {"Bucket": name, "Key": KEY, "CopySource": source}
    assert code_of(each.copy_object, **idle) == (400, "InvalidRequest")
    to = {"Bucket": name, "Key": "c", "CopySource": source}
    assert code_of(each.copy_object, **to, CopySourceIfMatch='"x"')[0] == 412
    missing = {"Bucket": name, "Key": "none"}
    assert code_of(each.copy_object, Bucket=name, Key="c", CopySource=missing)[1] == "NoSuchKey"


def test_multipart(each: Any, name: str) -> None:
    where = {"Bucket": name, "Key": "m"}
    each.put_object(Bucket=name, Key="source", Body=b"0123456789")
    upload = each.create_multipart_upload(**where, Metadata={"a": "1"}, ContentType="t/t")
    ours = {**where, "UploadId": upload["UploadId"]}
    one = each.upload_part(**ours, PartNumber=1, Body=b"a" * PART)["ETag"]
    two = each.upload_part(**ours, PartNumber=2, Body=b"b")["ETag"]
    three = each.upload_part_copy(
        **ours,
        PartNumber=3,
        CopySource={"Bucket": name, "Key": "source"},
        CopySourceRange="bytes=2-4",
    )["CopyPartResult"]["ETag"]
    listed = each.list_parts(**ours, MaxParts=2)
    assert [part["Size"] for part in listed["Parts"]] == [PART, 1]
    assert listed["IsTruncated"]
    assert [each["Key"] for each in each.list_multipart_uploads(Bucket=name)["Uploads"]] == ["m"]

    def parts(*named: tuple[int, str]) -> dict[str, Any]:
        pairs = [{"PartNumber": number, "ETag": etag} for number, etag in named]
        return {**ours, "MultipartUpload": {"Parts": pairs}}

    complete = each.complete_multipart_upload
    assert code_of(complete, **parts((2, two), (1, one)))[1] == "InvalidPartOrder"
    assert code_of(complete, **parts((1, two)))[1] == "InvalidPart"
    assert code_of(complete, **parts((1, one), (2, two), (3, three)))[1] == "EntityTooSmall"
    etag = complete(**parts((1, one), (3, three)))["ETag"]
    digests = hashlib.md5(b"a" * PART).digest() + hashlib.md5(b"234").digest()
    assert etag == f'"{hashlib.md5(digests).hexdigest()}-2"'
    found = each.get_object(**where)
    assert found["Body"].read() == b"a" * PART + b"234"
    assert (found["Metadata"], found["ContentType"]) == ({"a": "1"}, "t/t")
    assert code_of(each.abort_multipart_upload, **ours)[1] == "NoSuchUpload"


def test_listing(each: Any, name: str) -> None:
    keys = ["a", "b/1", "b/2", "c d/é&<+%", "z"]
    for key in keys:
        each.put_object(Bucket=name, Key=key, Body=key.encode())
    for lister in (each.list_objects, each.list_objects_v2):
        page = lister(Bucket=name)
        assert [item["Key"] for item in page["Contents"]] == keys
        assert (page["MaxKeys"], page["IsTruncated"]) == (1000, False)
        page = lister(Bucket=name, Delimiter="/")
        assert [item["Key"] for item in page["Contents"]] == ["a", "z"]
        assert [item["Prefix"] for item in page["CommonPrefixes"]] == ["b/", "c d/"]
        pages = each.get_paginator(lister.__name__).paginate(
            Bucket=name, PaginationConfig={"PageSize": 2}
        )
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    page = each.list_objects_v2(Bucket=name, StartAfter="b/1", Prefix="b/", FetchOwner=True)
    assert [(item["Key"], "Owner" in item) for item in page["Contents"]] == [("b/2", True)]
    assert page["KeyCount"] == 1
    assert each.list_objects_v2(Bucket=name, MaxKeys=0)["KeyCount"] == 0
    assert "NextMarker" not in each.list_objects(Bucket=name, MaxKeys=1)
    assert each.list_objects(Bucket=name, MaxKeys=2, Delimiter="/")["NextMarker"] == "b/"


def test_deleting(each: Any, name: str) -> None:
    for key in ("a", "b c", "d"):
        each.put_object(Bucket=name, Key=key, Body=b"x")
    each.delete_object(Bucket=name, Key="a")
    each.delete_object(Bucket=name, Key="a")
    named = [{"Key": "b c"}, {"Key": "none"}]
    gone = each.delete_objects(Bucket=name, Delete={"Objects": named})["Deleted"]
    assert [item["Key"] for item in gone] == ["b c", "none"]
    assert "Deleted" not in each.delete_objects(
        Bucket=name, Delete={"Objects": named, "Quiet": True}
    )
    assert code_of(each.delete_bucket, Bucket=name) == (409, "BucketNotEmpty")
    each.delete_object(Bucket=name, Key="d")
    each.delete_bucket(Bucket=name)
    assert code_of(each.head_bucket, Bucket=name) == (404, "404")


def test_buckets(each: Any, name: str) -> None:
    each.create_bucket(Bucket=name)
    assert name in [bucket["Name"] for bucket in each.list_buckets()["Buckets"]]
    assert each.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert each.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert "Status" not in each.get_bucket_versioning(Bucket=name)
    assert each.get_bucket_acl(Bucket=name)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert code_of(each.get_bucket_lifecycle_configuration, Bucket=name)[0] == 501


def test_archived_objects(s3: Any, name: str) -> None:
    where = {"Bucket": name, "Key": "k"}
    s3.put_object(**where, Body=b"x", StorageClass="GLACIER")
    assert s3.head_object(**where)["StorageClass"] == "GLACIER"
    assert code_of(s3.get_object, **where) == (403, "InvalidObjectState")
    s3.restore_object(**where, RestoreRequest={"Days": 1})
    assert 'ongoing-request="true"' in s3.head_object(**where)["Restore"]
    odd = {"Bucket": name, "Key": "o", "Body": b"x", "StorageClass": "NO_SUCH"}
    assert code_of(s3.put_object, **odd) == (400, "InvalidStorageClass")


def test_limits(s3: Any, name: str) -> None:
    s3.put_object(Bucket=name, Key="k" * 1024, Body=b"")
    assert code_of(s3.put_object, Bucket=name, Key="é" * 513)[1] == "KeyTooLongError"
    meta = {"k": "v" * 2048}
    assert code_of(s3.put_object, Bucket=name, Key="k", Metadata=meta)[1] == "MetadataTooLarge"


def test_missing_integrity_headers(s3: Any, name: str) -> None:
    s3.put_object(Bucket=name, Key="k", Body=b"")
    url = s3.generate_presigned_url(
        "put_object_tagging", {"Bucket": name, "Key": "k", "Tagging": {"TagSet": []}}
    )
    body = b"<Tagging><TagSet/></Tagging>"
    answer = requests.put(url, data=body, timeout=60)
    assert (answer.status_code, "<Code>InvalidRequest<" in answer.text) == (400, True)


def test_the_request_log(aws: Emulator, s3: Any, name: str) -> None:
    """Operations have the same names on every service."""
    before = len(aws.requests())
    source = {"Bucket": name, "Key": "k"}
    s3.put_object(Bucket=name, Key="k", Body=b"12345")
    s3.get_object_tagging(Bucket=name, Key="k")
    s3.copy_object(Bucket=name, Key="c", CopySource=source)
    upload = s3.create_multipart_upload(Bucket=name, Key="m")["UploadId"]
    ours = {"Bucket": name, "Key": "m", "UploadId": upload}
    s3.upload_part_copy(**ours, PartNumber=1, CopySource=source)
    s3.abort_multipart_upload(**ours)
    s3.list_objects_v2(Bucket=name)
    s3.get_bucket_location(Bucket=name)
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}]})
    lines = aws.requests()[before:]
    assert [(line["operation"], line["subresource"], line["key"]) for line in lines] == [
        ("PutObject", None, "k"),
        ("GetObjectTagging", "tagging", "k"),
        ("CopyObject", "copy", "c"),
        ("InitiateMultipartUpload", "uploads", "m"),
        ("UploadPartCopy", "partNumber", "m"),
        ("AbortMultipartUpload", "uploadId", "m"),
        ("ListObjectsV2", "list", None),
        ("GetBucketLocation", "location", None),
        ("DeleteMultipleObjects", "delete", None),
    ]
    assert [line.get("copy") for line in lines[2:5]] == [None, None, True]
    assert lines[0]["bytes_in"] == 5


def test_generated_objects(tmp_path: Path) -> None:
    options = ["--service", "s3", "--bucket", "bkt", "--generate", "d/{:04d}:1500"]
    with Emulator(tmp_path / "d", *options) as running:
        s3 = s3_client(running.url)
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="bkt"))
        assert [len(page["Contents"]) for page in pages] == [1000, 500]
        empty = hashlib.md5(b"").hexdigest()
        assert {item["ETag"] for page in pages for item in page["Contents"]} == {f'"{empty}"'}
        s3.close()


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "?max-keys=" + "9" * 5000, {}),
        ("GET", "?max-keys=x", {}),
        ("GET", "?continuation-token=%ff&list-type=2", {}),
        ("GET", "?encoding-type=odd", {}),
        ("GET", "/k", {"Range": f"bytes={'9' * 5000}-"}),
        ("PUT", "/k?partNumber=%C2%B2&uploadId=x", {}),
        ("PUT", "/%ff", {}),
        ("PUT", "/k", {"x-amz-tagging": b"a=\xff"}),
        ("PUT", "/k", {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}),
        ("POST", "?delete", {}),
        ("PUT", "?tagging", {}),
        ("PUT", "/k", {"x-amz-copy-source": "%ff"}),
        ("PUT", "/k", {"x-amz-copy-source": "none/k"}),
        ("PUT", "/k?acl", {}),
        ("GET", "?lifecycle", {}),
        ("PATCH", "/k", {}),
    ],
)
def test_oddities_are_refused_not_bugs(
    open_doors: str, method: str, target: str, headers: dict[str, Any]
) -> None:
    answer = requests.request(method, open_doors + target, headers=headers, data=b"-5", timeout=60)
    assert answer.status_code != 500
    if method != "GET" or "max-keys=9" not in target:
        assert answer.status_code >= 400


@pytest.fixture(scope="module")
def open_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket that nobody needs to sign for."""
    directory = tmp_path_factory.mktemp("open")
    options = ["--service", "s3", "--bucket", "bkt", "--no-verify"]
    with Emulator(directory / "d", *options) as running:
        yield f"{running.url}/bkt"


def test_deletes_that_are_denied(aws: Emulator, s3: Any, name: str) -> None:
    """AWS says so for each key, in an answer of 200."""
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    aws.faults(f"deny_delete:bucket={name}")
    try:
        reported = s3.delete_objects(
            Bucket=name, Delete={"Objects": [{"Key": "k"}, {"Key": "none"}]}
        )
        assert [(e["Key"], e["Code"]) for e in reported["Errors"]] == [
            ("k", "AccessDenied"),
            ("none", "AccessDenied"),
        ]
        assert "Deleted" not in reported
        assert code_of(s3.delete_object, Bucket=name, Key="k") == (403, "AccessDenied")
    finally:
        aws.faults()
    assert s3.head_object(Bucket=name, Key="k")["ContentLength"] == 1
