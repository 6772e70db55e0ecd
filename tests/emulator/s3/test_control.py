"""Tags of a bucket by S3 Control, as boto3 asks for them, and what ABAC refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.emulated import Emulator, emulator
from tests.emulator.s3.client import refusal

KEYS = {
    "region_name": "us-east-1",
    "aws_access_key_id": "emulator",
    "aws_secret_access_key": "emulator-secret",
}
ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    directory: Path = tmp_path_factory.mktemp("abac")
    with emulator(directory, service="s3", options=["abac=on"], buckets=5) as one:
        yield one


@pytest.fixture
def control(running: Emulator) -> Any:
    client = boto3.client("s3control", endpoint_url=running.url, **KEYS)

    def lead_here(request: Any, **_: object) -> None:
        """The account is before the host, whatever that is: an address has no such name."""
        host = urlsplit(request.url).netloc
        request.headers["Host"] = host
        request.url = request.url.replace(f"//{host.partition('.')[0]}.", "//", 1)

    client.meta.events.register("before-send.s3-control", lead_here)
    return client


def test_tags_are_merged_and_removed_one_by_one(running: Emulator, control: Any) -> None:
    name = running.take()
    arn = f"arn:aws:s3:::{name}"
    for pairs in ({"a": "1", "b": "ä +"}, {"a": "2", "c d": ""}):
        tags = [{"Key": key, "Value": value} for key, value in pairs.items()]
        control.tag_resource(AccountId=ACCOUNT, ResourceArn=arn, Tags=tags)
    control.untag_resource(AccountId=ACCOUNT, ResourceArn=arn, TagKeys=["b", "missing"])
    told = control.list_tags_for_resource(AccountId=ACCOUNT, ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in told} == {"a": "2", "c d": ""}


def test_what_abac_refuses(running: Emulator, control: Any) -> None:
    name = running.take()
    s3 = boto3.client("s3", endpoint_url=running.url, **KEYS)
    assert s3.get_bucket_abac(Bucket=name)["AbacStatus"]["Status"] == "Enabled"
    with pytest.raises(ClientError) as raised:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    assert refusal(raised.value)[1] == "MethodNotAllowed"
    with pytest.raises(ClientError) as raised:
        control.list_tags_for_resource(AccountId="1" * 12, ResourceArn=f"arn:aws:s3:::{name}")
    assert refusal(raised.value)[1] == "AccessDenied"
