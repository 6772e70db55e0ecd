"""Object and bucket tags by AWS rules, and what Ceph's gateways make of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.emulation import Emulator
from tests.emulator.s3.client import refusal, s3_client, tag_set, tags_of
from tests.waiting import next_second


@pytest.mark.parametrize(
    "tags",
    [
        {"team": "blue", "Größe": "ä 1", "e": ""},
        {"k" * 128: "v" * 256},
        {" +-=._:/@": "+-=._:/@ "},
        {f"k{number}": "v" for number in range(10)},
        {},
    ],
)
def test_object_tags(each: Any, name: str, tags: Mapping[str, str]) -> None:
    each.put_object(Bucket=name, Key="a b/é", Body=b"x", Tagging="old=1")
    before = each.head_object(Bucket=name, Key="a b/é")
    each.put_object_tagging(Bucket=name, Key="a b/é", Tagging=tag_set(tags))
    assert tags_of(each, name, "a b/é") == tags
    after = each.head_object(Bucket=name, Key="a b/é")
    assert after["LastModified"] == before["LastModified"]
    assert after.get("TagCount") == (len(tags) or None)
    answer = each.delete_object_tagging(Bucket=name, Key="a b/é")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags_of(each, name, "a b/é") == {}


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([(f"k{number}", "v") for number in range(11)], "BadRequest"),
        ([("k" * 129, "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("a,b", "v")], "InvalidTag"),
        ([("k", "a&b")], "InvalidTag"),
        ([("aws:k", "v")], "InvalidTag"),
        ([("k", "1"), ("k", "2")], "InvalidTag"),
    ],
)
def test_bad_object_tags(s3: Any, name: str, tags: list[tuple[str, str]], code: str) -> None:
    s3.put_object(Bucket=name, Key="k", Body=b"x", Tagging="old=1")
    pairs = [{"Key": key, "Value": value} for key, value in tags]
    with pytest.raises(ClientError) as refused:
        s3.put_object_tagging(Bucket=name, Key="k", Tagging={"TagSet": pairs})
    assert refusal(refused.value) == (400, code)
    assert tags_of(s3, name, "k") == {"old": "1"}


def test_tags_of_nothing(s3: Any, name: str) -> None:
    with pytest.raises(ClientError) as refused:
        s3.get_object_tagging(Bucket=name, Key="none")
    assert refusal(refused.value) == (404, "NoSuchKey")


def test_bucket_tags(each: Any, name: str) -> None:
    with pytest.raises(ClientError) as refused:
        each.get_bucket_tagging(Bucket=name)
    assert refusal(refused.value) == (404, "NoSuchTagSet")
    tags = {f"k{number}": "v" for number in range(50)}
    answer = each.put_bucket_tagging(Bucket=name, Tagging=tag_set(tags))
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    found = each.get_bucket_tagging(Bucket=name)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in found} == tags
    for bad in ({**tags, "more": "1"}, {"aws:x": "1"}, {"k": "v" * 257}):
        with pytest.raises(ClientError):
            each.put_bucket_tagging(Bucket=name, Tagging=tag_set(bad))
    each.delete_bucket_tagging(Bucket=name)
    with pytest.raises(ClientError):
        each.get_bucket_tagging(Bucket=name)


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("a=1&b=%C3%A9", {"a": "1", "b": "é"}),
        ("a+b=c%20d%2B", {"a b": "c d+"}),
        ("a&b=", {"a": "", "b": ""}),
        ("a=1&a=2", None),
        ("a=%26", None),
    ],
)
def test_the_tagging_header(
    s3: Any, name: str, header: str, tags: Mapping[str, str] | None
) -> None:
    if tags is None:
        with pytest.raises(ClientError):
            s3.put_object(Bucket=name, Key="k", Body=b"x", Tagging=header)
        return
    s3.put_object(Bucket=name, Key="k", Body=b"x", Tagging=header)
    assert tags_of(s3, name, "k") == tags


def every_way(s3: Any, bucket: str) -> dict[str, Mapping[str, str]]:
    """Return the tags of copies and of a multipart upload, by how they were made."""
    source = {"Bucket": bucket, "Key": "k"}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=source)
    s3.copy_object(
        Bucket=bucket, Key="tags", CopySource=source, TaggingDirective="REPLACE", Tagging="b=2"
    )
    s3.copy_object(Bucket=bucket, Key="meta", CopySource=source, MetadataDirective="REPLACE")
    s3.copy_object(
        Bucket=bucket,
        Key="both",
        CopySource=source,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        Tagging="b=2",
    )
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", Tagging="c=3")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    return {key: tags_of(s3, bucket, key) for key in ("plain", "tags", "meta", "both", "parts")}


def test_copies_and_uploads_carry_tags(s3: Any, name: str) -> None:
    assert every_way(s3, name) == {
        "plain": {"a": "1"},
        "tags": {"b": "2"},
        "meta": {"a": "1"},
        "both": {"b": "2"},
        "parts": {"c": "3"},
    }


CEPH: dict[str, dict[str, Any]] = {
    "rgw": {"untagged": None, "upload": None, "etag": False, "again": "NoSuchUpload", "none": 200},
    "rgw19": {"untagged": [], "upload": 1, "etag": True, "again": "", "none": 200},
    "rgw20": {"untagged": [], "upload": 1, "etag": True, "again": "", "none": 412},
}
"""Of each version: the tags of what has none, how many of an upload's are kept, whether its
completion tells an ETag, what a second one is, and what one is that is to replace nothing."""


@pytest.mark.parametrize("version", CEPH)
def test_what_ceph_does(tmp_path: Path, version: str) -> None:
    options = ["--service", "s3", "--bucket", "bkt", "--option", f"mimic={version}"]
    with Emulator(tmp_path / "d", *options) as running:
        s3, expected = s3_client(running.url), CEPH[version]
        s3.put_object(Bucket="bkt", Key="k", Body=b"x")
        s3.put_object_tagging(Bucket="bkt", Key="k", Tagging=tag_set({"aws:x,": "1"}))
        assert tags_of(s3, "bkt", "k") == {"aws:x,": "1"}
        own = {"Bucket": "bkt", "CopySource": "bkt/k", "Tagging": "b=2"}
        s3.copy_object(**own, Key="c", TaggingDirective="REPLACE")  # which nobody looks at
        assert tags_of(s3, "bkt", "c") == {"aws:x,": "1"}
        s3.copy_object(**own, Key="m", TaggingDirective="REPLACE", MetadataDirective="REPLACE")
        assert "TagCount" not in s3.head_object(Bucket="bkt", Key="m")
        answer = s3.get_object_tagging(Bucket="bkt", Key="m")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert answer.get("TagSet") == expected["untagged"]
        upload = s3.create_multipart_upload(Bucket="bkt", Key="p", Tagging="c=3")["UploadId"]
        part = s3.upload_part(Bucket="bkt", Key="p", UploadId=upload, PartNumber=1, Body=b"x")
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        completion = {"Bucket": "bkt", "Key": "p", "MultipartUpload": {"Parts": parts}}
        made = s3.complete_multipart_upload(**completion, UploadId=upload)
        assert bool(made.get("ETag")) == expected["etag"]
        before = s3.head_object(Bucket="bkt", Key="p")
        assert before.get("TagCount") == expected["upload"]
        assert (
            code_of(s3.complete_multipart_upload, **completion, UploadId=upload)
            == (expected["again"])
        )
        assert exclusive_upload(s3) == expected["none"]
        before = s3.head_object(Bucket="bkt", Key="p")
        next_second()
        s3.put_object_tagging(Bucket="bkt", Key="p", Tagging=tag_set({"a": "1"}))
        after = s3.head_object(Bucket="bkt", Key="p")
        assert after["ETag"] == before["ETag"]
        assert after["LastModified"] > before["LastModified"]
        s3.close()


def exclusive_upload(s3: Any) -> int:
    """Complete an upload that is to replace nothing where something is; return the status."""
    upload = s3.create_multipart_upload(Bucket="bkt", Key="p")["UploadId"]
    part = s3.upload_part(Bucket="bkt", Key="p", UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    named = {"Bucket": "bkt", "Key": "p", "UploadId": upload, "MultipartUpload": parts}
    try:
        s3.complete_multipart_upload(**named, IfNoneMatch="*")
    except ClientError as refused:
        return int(refused.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200


def code_of(call: Any, **words: Any) -> str:
    """Return the code of a refusal, or nothing."""
    try:
        call(**words)
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return ""


def test_a_service_that_does_not_count(tmp_path: Path) -> None:
    options = ["--service", "s3", "--bucket", "bkt", "--option", "tagging_count=off"]
    with Emulator(tmp_path / "d", *options) as running:
        s3 = s3_client(running.url)
        s3.put_object(Bucket="bkt", Key="k", Body=b"x", Tagging="a=1")
        assert "TagCount" not in s3.head_object(Bucket="bkt", Key="k")
        s3.close()
