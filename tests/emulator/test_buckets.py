"""Buckets as a whole."""

import alibabacloud_oss_v2 as v2
import oss2
import pytest
import requests

from tests.emulator.emulation import REGION, oss2_bucket, v1_auth, v2_client


def test_bucket_info_and_stat(bucket, name):
    info = bucket.get_bucket_info()
    assert (info.name, info.location, info.storage_class) == (name, f"oss-{REGION}", "Standard")
    assert info.acl.grant == "private"
    bucket.put_object("k", b"abc")
    stat = bucket.get_bucket_stat()
    assert (stat.object_count, stat.storage_size_in_bytes) == (1, 3)
    assert bucket.get_bucket_location().location == f"oss-{REGION}"


def test_the_new_sdk_reads_them(emulator, name):
    client = v2_client(emulator)
    info = client.get_bucket_info(v2.GetBucketInfoRequest(bucket=name)).bucket_info
    assert (info.name, info.location) == (name, f"oss-{REGION}")
    assert client.get_bucket_stat(v2.GetBucketStatRequest(bucket=name)).object_count == 0
    assert client.is_bucket_exist(name)
    assert not client.is_bucket_exist("no-such-bucket")
    location = client.get_bucket_location(v2.GetBucketLocationRequest(bucket=name))
    assert location.location == f"oss-{REGION}"


def test_acl(bucket):
    assert bucket.get_bucket_acl().acl == "private"
    bucket.put_bucket_acl("public-read")
    assert bucket.get_bucket_acl().acl == "public-read"


def test_making_and_removing(emulator):
    bucket = oss2_bucket(emulator, "made-here")
    bucket.create_bucket()
    bucket.create_bucket()
    bucket.put_object("k", b"")
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        bucket.delete_bucket()
    bucket.delete_object("k")
    upload = bucket.init_multipart_upload("k").upload_id
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        bucket.delete_bucket()
    bucket.abort_multipart_upload("k", upload)
    bucket.delete_bucket()
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        bucket.get_bucket_info()


def test_names_are_checked(emulator):
    client = v2_client(emulator)
    for name in ("ab", "-ab", "x" * 64):
        bucket = oss2_bucket(emulator, "abc")
        bucket.bucket_name = name
        with pytest.raises(oss2.exceptions.OssError) as caught:
            bucket.create_bucket()
        assert caught.value.code == "InvalidBucketName"
    assert client


def test_buckets_are_listed(emulator):
    for name in ("listed-a", "listed-b", "listed-c"):
        oss2_bucket(emulator, name).create_bucket()
    tagged = oss2.models.TaggingRule()
    tagged.add("team", "blue")
    oss2_bucket(emulator, "listed-b").put_bucket_tagging(oss2.models.Tagging(tagged))
    service = oss2.Service(v1_auth(), emulator.url)
    names = [bucket.name for bucket in oss2.BucketIterator(service, prefix="listed-", max_keys=2)]
    assert names == ["listed-a", "listed-b", "listed-c"]
    params = {"tag-key": "team", "tag-value": "blue"}
    assert [bucket.name for bucket in service.list_buckets(params=params).buckets] == ["listed-b"]
    signed_v4 = oss2.Service(
        oss2.AuthV4("emulator", "emulator-secret"), emulator.url, region=REGION
    )
    assert len(signed_v4.list_buckets(prefix="listed-").buckets) == 3


def test_what_is_not_emulated_is_refused_and_does_nothing_else(bucket):
    bucket.put_object("k", b"")
    for call in (bucket.delete_bucket_lifecycle, bucket.delete_bucket_cors):
        with pytest.raises(oss2.exceptions.OssError) as caught:
            call()
        assert (caught.value.status, caught.value.code) == (400, "NotImplemented")
    url = bucket.sign_url("PUT", "k", 60, params={"x-oss-process": "x"})
    assert requests.put(url, data=b"no", timeout=60).status_code == 400
    assert bucket.get_object("k").read() == b""


def test_unknown_methods_are_refused(bucket):
    url = bucket.sign_url("PATCH", "k", 60)
    answer = requests.patch(url, timeout=60)
    assert (answer.status_code, "<Code>MethodNotAllowed<" in answer.text) == (405, True)
