"""The variants that know less: what tagfs must not fall for is there to be fallen for."""

import pytest

from tagfs.errors import Unsupported
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import NO_TAGS, TagSet
from tests.emulated import emulator
from tests.emulator.s3.client import s3_client


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    options = ["subresources=ignored", "ranges=200"]
    with emulator(tmp_path_factory.mktemp("s3"), 5, service="s3", options=options) as one:
        yield one


def test_tagging_is_the_object_itself(running):
    boto, bucket = s3_client(running.url), running.take()
    boto.put_object(Bucket=bucket, Key="k", Body=b"precious")
    boto.put_object_tagging(
        Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]}
    )
    assert b"<Tagging" in boto.get_object(Bucket=bucket, Key="k")["Body"].read()
    boto.delete_object_tagging(Bucket=bucket, Key="k")
    assert "Contents" not in boto.list_objects_v2(Bucket=bucket)


def test_a_part_comes_with_200(running):
    boto, bucket = s3_client(running.url), running.take()
    boto.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    part = boto.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (part["Body"].read(), part["ContentRange"]) == (b"234", "bytes 2-4/10")


def test_our_client_is_not_taken_in(running):
    client = running.open()
    client.put("k", BytesSource(b"0123456789"), NewObject())
    for tags in (TagSet({"a": "1"}), NO_TAGS):
        with pytest.raises(Unsupported):
            client.put_tags("k", tags)
    assert client.get("k", 2, 3).data == b"234"
    assert client.get("k").data == b"0123456789"
    client.close()
