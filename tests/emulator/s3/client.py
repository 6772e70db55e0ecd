"""boto3 on an emulator."""

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emulator.emulation import KEY_ID, SECRET

REGION = "us-east-1"


def s3_client(url: str, **options: Any) -> Any:
    """Return a client that tries once."""
    style = {"addressing_style": "path"}
    config = Config(retries={"max_attempts": 1}, s3=style).merge(Config(**options))
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        region_name=REGION,
        config=config,
    )


def tag_set(tags: Mapping[str, str]) -> dict[str, list[dict[str, str]]]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_of(s3: Any, bucket: str, key: str) -> dict[str, str]:
    found = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def named_part(number: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part as the end of an upload names it, by the answer to its sending."""
    told = {name: answer[name] for name in ("ETag", "ChecksumCRC32") if name in answer}
    return {"PartNumber": number, **told}


def refusal(error: ClientError) -> tuple[int, str]:
    answer = error.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]
