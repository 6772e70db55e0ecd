"""Buckets that keep versions, as the vendors' SDKs see them."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import oss2
import pytest
from botocore.exceptions import ClientError
from obs import GetObjectRequest, ObsClient

from tests.emulator.emulation import KEY_ID, SECRET, Emulator, oss2_bucket
from tests.emulator.s3.client import s3_client, tag_set


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Emulator]]:
    with ExitStack() as stack:
        yield {
            service: stack.enter_context(
                Emulator(tmp_path_factory.mktemp(service) / "d", "--service", service)
            )
            for service in ("oss", "obs", "s3")
        }


@pytest.fixture
def s3(services: dict[str, Emulator]) -> Iterator[Any]:
    client = s3_client(services["s3"].url)
    yield client
    client.close()


def versioned(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    set_status(s3, name, "Enabled")
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"


def set_status(s3: Any, name: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})


def shown(answer: dict[str, Any]) -> list[tuple[str, str, bool]]:
    versions = [(v["Key"], v["VersionId"], v["IsLatest"]) for v in answer.get("Versions", [])]
    markers = [(v["Key"], v["VersionId"], v["IsLatest"]) for v in answer.get("DeleteMarkers", [])]
    return versions + markers


def test_versions_of_an_object(s3: Any) -> None:
    name = "life"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"before")
    set_status(s3, name, "Enabled")
    one = s3.put_object(Bucket=name, Key="k", Body=b"one", Tagging="n=1")["VersionId"]
    two = s3.put_object(Bucket=name, Key="k", Body=b"two")["VersionId"]
    gone = s3.delete_object(Bucket=name, Key="k")
    assert gone["DeleteMarker"] is True
    assert shown(s3.list_object_versions(Bucket=name)) == [
        ("k", two, False),
        ("k", one, False),
        ("k", "null", False),
        ("k", gone["VersionId"], True),
    ]
    assert "Contents" not in s3.list_objects_v2(Bucket=name)
    read = s3.get_object(Bucket=name, Key="k", VersionId=one)
    assert (read["Body"].read(), read["VersionId"], read["TagCount"]) == (b"one", one, 1)
    tags = s3.get_object_tagging(Bucket=name, Key="k", VersionId=one)
    assert tags["TagSet"] == [{"Key": "n", "Value": "1"}]
    s3.put_object_tagging(Bucket=name, Key="k", VersionId=two, Tagging=tag_set({"n": "2"}))
    assert s3.head_object(Bucket=name, Key="k", VersionId=two)["TagCount"] == 1
    with pytest.raises(ClientError) as missing:
        s3.head_object(Bucket=name, Key="k")
    headers = missing.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-delete-marker"] == "true"
    with pytest.raises(ClientError) as marker:
        s3.get_object(Bucket=name, Key="k", VersionId=gone["VersionId"])
    assert marker.value.response["Error"]["Code"] == "MethodNotAllowed"
    with pytest.raises(ClientError) as unknown:
        s3.get_object(Bucket=name, Key="k", VersionId="x" * 32)
    assert unknown.value.response["Error"]["Code"] == "NoSuchVersion"
    # The marker deleted, the object is there as it was; and so on, down to nothing.
    undone = s3.delete_object(Bucket=name, Key="k", VersionId=gone["VersionId"])
    assert undone["DeleteMarker"] is True
    assert s3.get_object(Bucket=name, Key="k")["VersionId"] == two
    s3.delete_object(Bucket=name, Key="k", VersionId=two)
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"one"
    with pytest.raises(ClientError) as full:
        s3.delete_bucket(Bucket=name)
    assert full.value.response["Error"]["Code"] == "BucketNotEmpty"


def test_copies_uploads_and_suspended_versioning(s3: Any) -> None:
    name = "ways"
    versioned(s3, name)
    first = s3.put_object(Bucket=name, Key="k", Body=b"first", Tagging="a=1")["VersionId"]
    s3.put_object(Bucket=name, Key="k", Body=b"second")
    source = {"Bucket": name, "Key": "k", "VersionId": first}
    copied = s3.copy_object(Bucket=name, Key="k", CopySource=source)
    assert copied["CopySourceVersionId"] == first
    now = s3.get_object(Bucket=name, Key="k")
    assert (now["VersionId"], now["TagCount"]) == (copied["VersionId"], 1)
    upload = s3.create_multipart_upload(Bucket=name, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=name, Key="k", UploadId=upload, PartNumber=1, Body=b"parts")
    done = s3.complete_multipart_upload(
        Bucket=name,
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert s3.head_object(Bucket=name, Key="k")["VersionId"] == done["VersionId"]
    set_status(s3, name, "Suspended")
    s3.put_object(Bucket=name, Key="k", Body=b"null")
    s3.put_object(Bucket=name, Key="k", Body=b"null again")
    versions = s3.list_object_versions(Bucket=name)["Versions"]
    assert [v["VersionId"] == "null" for v in versions] == [True, False, False, False, False]
    assert s3.delete_object(Bucket=name, Key="k")["VersionId"] == "null"
    markers = s3.list_object_versions(Bucket=name)["DeleteMarkers"]
    assert [v["VersionId"] for v in markers] == ["null"]


def test_pages_of_versions(s3: Any) -> None:
    name = "pages"
    versioned(s3, name)
    for key in ("a", "d/1", "d/2", "z"):
        for content in (b"1", b"2"):
            s3.put_object(Bucket=name, Key=key, Body=content)
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "d/1"}, {"Key": "z"}]})
    pages = s3.get_paginator("list_object_versions").paginate
    whole = [row for page in pages(Bucket=name) for row in shown(page)]
    assert len(whole) == 10
    assert sorted(whole) == sorted(
        row for page in pages(Bucket=name, PaginationConfig={"PageSize": 1}) for row in shown(page)
    )
    found = list(pages(Bucket=name, Delimiter="/", PaginationConfig={"PageSize": 2}))
    assert [p["Prefix"] for page in found for p in page.get("CommonPrefixes", [])] == ["d/"]
    assert [row[0] for page in found for row in shown(page)] == ["a", "a", "z", "z", "z"]


def test_versions_of_oss(services: dict[str, Emulator]) -> None:
    bucket = oss2_bucket(services["oss"], "life")
    bucket.create_bucket()
    bucket.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))
    assert bucket.get_bucket_versioning().status == "Enabled"
    headers = {"x-oss-tagging": "n=1", "x-oss-forbid-overwrite": "true"}
    one = bucket.put_object("k", b"one", headers=headers).versionid
    two = bucket.put_object("k", b"two", headers=headers).versionid  # which is ignored then
    link = bucket.put_symlink("k", "link")
    gone = bucket.delete_object("k")
    assert (gone.delete_marker, bool(gone.versionid)) == (True, True)
    found = bucket.list_object_versions()
    assert [(v.versionid, v.type) for v in found.versions] == [
        (two, "Normal"),
        (one, "Normal"),
        (link.versionid, "Symlink"),
    ]
    assert [(v.versionid, v.is_latest) for v in found.delete_marker] == [(gone.versionid, True)]
    params = {"versionId": one}
    assert bucket.get_object("k", params=params).read() == b"one"
    assert bucket.head_object("k", params=params).headers["x-oss-tagging-count"] == "1"
    assert bucket.get_object_tagging("k", params=params).tag_set.tagging_rule == {"n": "1"}
    assert bucket.get_symlink("link", params={"versionId": link.versionid}).target_key == "k"
    bucket.delete_object("link", params={"versionId": gone.versionid})
    assert bucket.get_symlink("link").target_key == "k"


def test_versions_of_obs(services: dict[str, Emulator]) -> None:
    client = ObsClient(KEY_ID, SECRET, server=services["obs"].url, max_retry_count=0)
    client.createBucket("life")
    assert client.setBucketVersioning("life", "Enabled").status == 200
    assert client.getBucketVersioning("life").body == "Enabled"
    one = client.putContent("life", "k", "one").body.versionId
    client.putContent("life", "k", "two")
    gone = client.deleteObject("life", "k").body
    assert gone.deleteMarker
    found = client.listVersions("life").body
    assert [v.versionId == one for v in found.versions] == [False, True]
    assert [v.versionId for v in found.markers] == [gone.versionId]
    request = GetObjectRequest(versionId=one)
    answer = client.getObject("life", "k", getObjectRequest=request, loadStreamInMemory=True)
    assert answer.body.buffer == b"one"
    assert client.deleteObject("life", "k", gone.versionId).status == 204
    assert client.getObjectMetadata("life", "k").status == 200
    client.close()
