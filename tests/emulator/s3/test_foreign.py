"""Servers of others, as they were measured: the variants of `tagfs.emulator.s3.foreign`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.emulation import Emulator
from tests.emulator.s3.client import s3_client

Make = Callable[[str], Any]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return a client of a new emulator with a variant, which has a bucket "b"."""
    with ExitStack() as stack:

        def start(option: str) -> Any:
            options = ("--service", "s3", "--option", option, "--bucket", "bbb")
            running = stack.enter_context(
                Emulator(tmp_path / "data", *options, log=tmp_path / "log")
            )
            client = s3_client(running.url)
            stack.callback(client.close)
            return client

        yield start


def refused(call: Callable[..., Any], **words: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(Bucket="bbb", **words)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def keys(client: Any) -> list[str]:
    return [row["Key"] for row in client.list_objects_v2(Bucket="bbb").get("Contents", [])]


def delete(client: Any, *names: str) -> list[str]:
    listed = {"Objects": [{"Key": name} for name in names]}
    answer = client.delete_objects(Bucket="bbb", Delete=listed)
    return [row["Key"] for row in answer.get("Deleted", [])]


def test_seaweedfs(make: Make) -> None:
    client = make("directories=seaweedfs")
    client.put_object(Bucket="bbb", Key="d/", Metadata={"mode": "x"}, Tagging="a=b")
    client.put_object(Bucket="bbb", Key="d/f", Body=b"1", Metadata={"mode": "x"})
    found = client.head_object(Bucket="bbb", Key="d/")
    assert (found["Metadata"], found["ETag"]) == ({}, '"d41d8cd98f00b204e9800998ecf8427e"')
    assert client.get_object_tagging(Bucket="bbb", Key="d/")["TagSet"] == []
    assert client.head_object(Bucket="bbb", Key="d/f")["Metadata"] == {"mode": "x"}
    assert refused(client.copy_object, Key="e/", CopySource="bbb/d/") == (404, "NoSuchKey")
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    assert refused(client.put_object_tagging, Key="d/", Tagging=tags) == (500, "InternalError")
    assert delete(client, "d/", "d/f") == ["d/", "d/f"]
    assert keys(client) == ["d/"]
    assert delete(client, "d/") == ["d/"]
    assert keys(client) == []


def test_minio(make: Make) -> None:
    client = make("directories=minio")
    assert "ETag" not in client.put_object(Bucket="bbb", Key="d/")
    assert "ETag" not in client.head_object(Bucket="bbb", Key="d/")
    assert refused(client.copy_object, Key="e/", CopySource="bbb/d/") == (500, "InternalError")
    own = {"CopySource": "bbb/d/", "MetadataDirective": "REPLACE", "Metadata": {"a": "b"}}
    client.copy_object(Bucket="bbb", Key="d/", **own)
    assert client.head_object(Bucket="bbb", Key="d/")["Metadata"] == {"a": "b"}
    assert delete(client, "d/") == ["d/"]
    assert keys(client) == ["d/"]
    client.delete_object(Bucket="bbb", Key="d/")
    assert keys(client) == []


def test_no_tags(make: Make) -> None:
    client = make("tagging=none")
    assert client.get_object_tagging(Bucket="bbb", Key="none")["TagSet"] == []
    assert refused(client.put_object, Key="f", Tagging="a=b") == (501, "NotImplemented")
    client.put_object(Bucket="bbb", Key="f")
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    refusal = (501, "NotImplemented")
    assert refused(client.put_object_tagging, Key="f", Tagging=tags) == refusal
    assert refused(client.delete_object_tagging, Key="f") == refusal


def test_tags_in_headers_are_dropped(make: Make) -> None:
    client = make("tagging=no_delete")
    client.put_object(Bucket="bbb", Key="f", Tagging="a=b")
    assert client.get_object_tagging(Bucket="bbb", Key="f")["TagSet"] == []
    assert refused(client.delete_object_tagging, Key="f") == (501, "NotImplemented")


@pytest.mark.parametrize("etags", ["none", "other"])
def test_etags(make: Make, etags: str) -> None:
    client = make(f"etags={etags}")
    client.put_object(Bucket="bbb", Key="f", Body=b"1")
    reported = client.head_object(Bucket="bbb", Key="f").get("ETag")
    assert reported == (None if etags == "none" else '"b94857f6a905ccd028329b0a8324ac4c"')
    listed = client.list_objects_v2(Bucket="bbb")["Contents"][0].get("ETag")
    assert listed == reported


def test_no_metadata(make: Make) -> None:
    client = make("metadata=dropped")
    client.put_object(Bucket="bbb", Key="f", Metadata={"a": "b"})
    assert client.head_object(Bucket="bbb", Key="f")["Metadata"] == {}


def test_no_copies_of_parts(make: Make) -> None:
    client = make("part_copies=off")
    client.put_object(Bucket="bbb", Key="f", Body=b"1")
    upload = client.create_multipart_upload(Bucket="bbb", Key="g")["UploadId"]
    words = {"Key": "g", "UploadId": upload, "PartNumber": 1, "CopySource": "bbb/f"}
    assert refused(client.upload_part_copy, **words) == (501, "NotImplemented")


def test_seaweedfs_shows_a_directory_that_has_only_files(make: Make) -> None:
    client = make("directories=seaweedfs")
    client.put_object(Bucket="bbb", Key="d/f", Body=b"1")
    assert client.head_object(Bucket="bbb", Key="d/")["ETag"].endswith('-0"')
    assert keys(client) == ["d/f"]
    made = refused(client.put_object, Key="d/", IfNoneMatch="*")
    assert made == (412, "PreconditionFailed")
    client.put_object(Bucket="bbb", Key="d/")
    assert keys(client) == ["d/", "d/f"]


def test_markers_that_become_files(make: Make) -> None:
    client = make("directories=files")
    client.put_object(Bucket="bbb", Key="d/")
    assert keys(client) == ["d"]
    assert client.head_object(Bucket="bbb", Key="d/")["ContentLength"] == 0
    assert refused(client.put_object, Key="d/x", Body=b"1") == (500, "InternalError")
    client.delete_object(Bucket="bbb", Key="d/")
    client.put_object(Bucket="bbb", Key="d/x", Body=b"1")
    assert refused(client.put_object, Key="d/") == (500, "InternalError")
    assert keys(client) == ["d/x"]


def test_markers_that_are_refused(make: Make) -> None:
    client = make("directories=refused")
    assert refused(client.put_object, Key="d/") == (400, "InvalidArgument")
    client.put_object(Bucket="bbb", Key="d/x", Body=b"1")
    assert keys(client) == ["d/x"]
