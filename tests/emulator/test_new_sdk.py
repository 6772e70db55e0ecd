"""Every operation through alibabacloud-oss-v2, with both signature versions."""

import base64
import hashlib
import io
import random

import alibabacloud_oss_v2 as v2
import pytest
import requests

from tests.emulator.emulation import v2_client
from tests.emulator.test_objects import crc_of


@pytest.fixture(params=["v1", "v4"])
def client(request: pytest.FixtureRequest, emulator) -> v2.Client:
    return v2_client(emulator, version=request.param)


def test_objects(client, name):
    data = random.Random(1).randbytes(100_000)
    md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    put = client.put_object(
        v2.PutObjectRequest(
            bucket=name,
            key="a b/中+.bin",
            body=data,
            metadata={"who": "me"},
            tagging="k=v",
            content_md5=md5,
            content_type="x/y",
        )
    )
    assert (put.hash_crc64, put.content_md5) == (str(crc_of(data)), md5)
    got = client.get_object(v2.GetObjectRequest(bucket=name, key="a b/中+.bin"))
    assert got.body.content == data
    assert (got.metadata, got.tagging_count, got.object_type) == ({"who": "me"}, 1, "Normal")
    head = client.head_object(v2.HeadObjectRequest(bucket=name, key="a b/中+.bin"))
    assert (head.content_length, head.content_type) == (len(data), "x/y")
    meta = client.get_object_meta(v2.GetObjectMetaRequest(bucket=name, key="a b/中+.bin"))
    assert meta.content_length == len(data)
    part = client.get_object(
        v2.GetObjectRequest(
            bucket=name, key="a b/中+.bin", range_header="bytes=5-9", range_behavior="standard"
        )
    )
    assert (part.body.content, part.content_range) == (data[5:10], f"bytes 5-9/{len(data)}")
    client.delete_object(v2.DeleteObjectRequest(bucket=name, key="a b/中+.bin"))
    assert not client.is_object_exist(name, "a b/中+.bin")


def test_errors(client, name):
    for call in (
        lambda: client.get_object(v2.GetObjectRequest(bucket=name, key="none")),
        lambda: client.head_object(v2.HeadObjectRequest(bucket=name, key="none")),
    ):
        with pytest.raises(v2.exceptions.OperationError) as caught:
            call()
        error = caught.value.unwrap()
        assert (error.status_code, error.code, error.ec) == (404, "NoSuchKey", "0026-00000001")


def test_copies_and_tags(client, name):
    client.put_object(v2.PutObjectRequest(bucket=name, key="s c", body=b"x", tagging="k=v"))
    client.copy_object(
        v2.CopyObjectRequest(bucket=name, key="d", source_bucket=name, source_key="s c")
    )
    tags = client.get_object_tagging(v2.GetObjectTaggingRequest(bucket=name, key="d"))
    assert [(tag.key, tag.value) for tag in tags.tag_set.tags] == [("k", "v")]
    client.delete_object_tagging(v2.DeleteObjectTaggingRequest(bucket=name, key="d"))
    tags = client.get_object_tagging(v2.GetObjectTaggingRequest(bucket=name, key="d"))
    assert not tags.tag_set.tags


def test_appending(client, name):
    append = v2.AppendObjectRequest(bucket=name, key="log", position=0, body=b"one")
    assert client.append_object(append).next_position == 3
    with pytest.raises(v2.exceptions.OperationError) as caught:
        client.append_object(append)
    assert caught.value.unwrap().code == "PositionNotEqualToLength"


def test_multipart(client, name):
    data = random.Random(2).randbytes(250_000)
    upload = client.initiate_multipart_upload(
        v2.InitiateMultipartUploadRequest(bucket=name, key="m p", tagging="a=1")
    ).upload_id
    parts = []
    for number, at in enumerate(range(0, len(data), 125_000), 1):
        result = client.upload_part(
            v2.UploadPartRequest(
                bucket=name,
                key="m p",
                upload_id=upload,
                part_number=number,
                body=data[at : at + 125_000],
            )
        )
        parts.append(v2.UploadPart(part_number=number, etag=result.etag))
    listed = client.list_parts(v2.ListPartsRequest(bucket=name, key="m p", upload_id=upload))
    assert [part.part_number for part in listed.parts] == [1, 2]
    uploads = client.list_multipart_uploads(v2.ListMultipartUploadsRequest(bucket=name))
    assert [item.upload_id for item in uploads.uploads] == [upload]
    client.complete_multipart_upload(
        v2.CompleteMultipartUploadRequest(
            bucket=name,
            key="m p",
            upload_id=upload,
            complete_multipart_upload=v2.CompleteMultipartUpload(parts=parts),
        )
    )
    got = client.get_object(v2.GetObjectRequest(bucket=name, key="m p"))
    assert (got.body.content, got.object_type, got.tagging_count) == (data, "Multipart", 1)


def test_transfer_managers(client, name, tmp_path):
    data = random.Random(3).randbytes(1_000_000)
    uploader = client.uploader(part_size=200_000)
    uploader.upload_from(v2.PutObjectRequest(bucket=name, key="u"), io.BytesIO(data))
    copier = client.copier(part_size=300_000, multipart_copy_threshold=500_000)
    copier.copy(v2.CopyObjectRequest(bucket=name, key="c", source_bucket=name, source_key="u"))
    target = tmp_path / "file"
    downloader = client.downloader(part_size=300_000)
    downloader.download_file(v2.GetObjectRequest(bucket=name, key="c"), str(target))
    assert target.read_bytes() == data


def test_deleting_many(client, name):
    for key in ("a", "b&c"):
        client.put_object(v2.PutObjectRequest(bucket=name, key=key, body=b""))
    result = client.delete_multiple_objects(
        v2.DeleteMultipleObjectsRequest(
            bucket=name,
            encoding_type="url",
            objects=[v2.DeleteObject(key="a"), v2.DeleteObject(key="b&c")],
        )
    )
    assert [item.key for item in result.deleted_objects] == ["a", "b&c"]
    assert not client.list_objects_v2(v2.ListObjectsV2Request(bucket=name)).contents


def test_presigned(client, name):
    client.put_object(v2.PutObjectRequest(bucket=name, key="k y", body=b"x"))
    url = client.presign(v2.GetObjectRequest(bucket=name, key="k y")).url
    assert requests.get(url, timeout=60).content == b"x"
    assert requests.get(url + "&tagging", timeout=60).status_code == 403


def test_links(client, name):
    client.put_symlink(v2.PutSymlinkRequest(bucket=name, key="l", symlink_target="dir/t"))
    assert client.get_symlink(v2.GetSymlinkRequest(bucket=name, key="l")).target == "dir/t"


def test_buckets(client):
    client.put_bucket(v2.PutBucketRequest(bucket="by-new-sdk", acl="public-read"))
    assert client.get_bucket_acl(v2.GetBucketAclRequest(bucket="by-new-sdk")).acl == "public-read"
    found = client.list_buckets(v2.ListBucketsRequest(prefix="by-new-"))
    assert [bucket.name for bucket in found.buckets] == ["by-new-sdk"]
    client.delete_bucket(v2.DeleteBucketRequest(bucket="by-new-sdk"))
    assert not client.is_bucket_exist("by-new-sdk")
