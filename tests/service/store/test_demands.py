"""What a bucket may demand of every request: learnt from its refusals, or said by an option."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tagfs.errors import AccessDenied
from tagfs.store.client.client import Client
from tagfs.store.objects import BytesSource, NewObject
from tagfs.store.tags import TagSet
from tests.emulated import Emulator, emulator
from tests.emulator.s3.client import s3_client
from tests.service.store.service import Service

LARGE = BytesSource(b"large" * 2**19)
SMALL = BytesSource(b"small")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A bucket with Object Lock, whose policy wants signed content."""
    options = ["object_lock=on", "payloads=signed"]
    with emulator(tmp_path_factory.mktemp("s3"), 20, service="s3", options=options) as one:
        yield one


@pytest.fixture
def service(strict: Emulator) -> Iterator[Service]:
    one = Service(strict)
    yield one
    one.faults()
    one.client.close()


def upload_by_parts(client: Client) -> None:
    begun = client.start_upload("parts", NewObject())
    client.complete_upload(begun, [client.upload_part(begun, 1, LARGE)])


def copy_parts(client: Client) -> None:
    source = client.put("source", SMALL, NewObject())
    begun = client.start_upload("parts", NewObject())
    client.complete_upload(begun, [client.copy_part(begun, 1, source, 0, source.size)])


def delete_many(client: Client) -> None:
    client.put("gone", SMALL, NewObject())
    assert client.delete_many(["gone"]) == {}


def set_metadata(client: Client) -> None:
    made = client.put("k", SMALL, NewObject())
    client.set_metadata(made, {"a": "1"}, {})


def set_tags(client: Client) -> None:
    client.put("k", SMALL, NewObject())
    client.put_tags("k", TagSet({"a": "1"}))


# What is done, and the operations that it takes in a bucket that demands nothing.
WRITES: dict[str, tuple[Callable[[Client], Any], list[str]]] = {
    "empty": (lambda c: c.put("k", BytesSource(b""), NewObject(tags=TagSet({}))), ["PutObject"]),
    "small": (lambda c: c.put("k", SMALL, NewObject(tags=TagSet({}))), ["PutObject"]),
    "large": (lambda c: c.put("k", LARGE, NewObject(tags=TagSet({}))), ["PutObject"]),
    "parts": (upload_by_parts, ["UploadPart"]),
    "copied parts": (copy_parts, ["UploadPartCopy"]),
    "deletions": (delete_many, ["DeleteMultipleObjects"]),
    "tags": (set_tags, ["PutObjectTagging"]),
    "metadata": (set_metadata, ["CopyObject"]),
    "bucket tags": (
        lambda c: c.update_bucket_tags(lambda tags: TagSet({"a": f"{len(tags)}", "b": "1"})),
        ["PutBucketTags"],
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_everything_can_be_written(service: Service, name: str) -> None:
    """What is large costs one refusal for each demand, once for all."""
    write, expected = WRITES[name]
    write(service.client)
    first = service.asked()
    write(service.client)
    again = service.asked()
    for operation in expected:
        # Parts bring a checksum anyway; of copied ones, a trial of conditions.
        more = {"large": 2, "parts": 1, "copied parts": 1}
        assert first.count(operation) == 1 + more.get(name, 0), first
        assert again.count(operation) == 1, again


def test_boto3_agrees_that_the_bucket_is_strict(strict: Emulator) -> None:
    """The emulator refuses what AWS refuses: content without a checksum, or unsigned."""
    bucket = strict.take()
    plain = s3_client(strict.url, request_checksum_calculation="when_required")
    with pytest.raises(ClientError, match="HTTP header is required for Put Object"):
        plain.put_object(Bucket=bucket, Key="k", Body=b"x")
    plain.put_object(Bucket=bucket, Key="k", Body=b"x", ChecksumAlgorithm="SHA256")
    begun = plain.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    with pytest.raises(ClientError, match="HTTP header is required for Put Part"):
        plain.upload_part(Bucket=bucket, Key="k", UploadId=begun, PartNumber=1, Body=b"x")
    unsigned = s3_client(strict.url, s3={"payload_signing_enabled": False})
    unsigned.meta.events.register(
        "before-sign.s3.*",
        lambda request, **_: request.context.update(payload_signing_enabled=False),
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        unsigned.list_objects_v2(Bucket=bucket) and unsigned.put_object(
            Bucket=bucket, Key="k", Body=b"x", ContentMD5="nU5P2e7Y4LFTx6IrkJSKfg=="
        )


def test_what_was_written_is_what_was_sent(service: Service) -> None:
    boto = s3_client(service.emulator.url)
    service.client.put("k", LARGE, NewObject())
    assert boto.get_object(Bucket=service.name, Key="k")["Body"].read() == LARGE.data


def test_a_missing_right_stays_one(service: Service) -> None:
    """A refusal that is no demand is reported, after one try more at most."""
    service.faults("deny:op=PutObject")
    with pytest.raises(AccessDenied):
        service.client.put("k", LARGE, NewObject(tags=TagSet({})))
    assert service.asked().count("PutObject") <= 2
