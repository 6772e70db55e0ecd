"""Checksums of parts, as boto3 sends them: of an algorithm that was named, they are due."""

import base64
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.emulation import Emulator
from tests.emulator.s3.client import named_part, refusal, s3_client


def code_of(call: Any, **words: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**words)
    return refusal(caught.value)


def begin(s3: Any, name: str, **words: Any) -> dict[str, str]:
    upload = s3.create_multipart_upload(Bucket=name, Key="k", **words)
    return {"Bucket": name, "Key": "k", "UploadId": upload["UploadId"]}


def test_the_end_names_the_checksum_of_each_part(s3: Any, name: str) -> None:
    ids = begin(s3, name, ChecksumAlgorithm="CRC32")
    part = named_part(1, s3.upload_part(**ids, PartNumber=1, Body=b"x"))
    assert part["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"x").to_bytes(4)).decode()
    listed = s3.list_parts(**ids)["Parts"][0]
    assert listed["ChecksumCRC32"] == part["ChecksumCRC32"]
    without = {key: text for key, text in part.items() if key != "ChecksumCRC32"}
    complete = s3.complete_multipart_upload
    assert code_of(complete, **ids, MultipartUpload={"Parts": [without]})[1] == "InvalidRequest"
    other = {**part, "ChecksumCRC32": "AAAAAA=="}
    assert code_of(complete, **ids, MultipartUpload={"Parts": [other]})[1] == "InvalidPart"
    complete(**ids, MultipartUpload={"Parts": [part]})
    found = s3.head_object(Bucket=name, Key="k", ChecksumMode="ENABLED")
    assert found["ChecksumCRC32"].endswith("-1")


def test_a_part_has_the_algorithm_of_its_upload(aws: Emulator, s3: Any, name: str) -> None:
    send = s3.upload_part
    ids = begin(s3, name, ChecksumAlgorithm="SHA256")
    words = {**ids, "PartNumber": 1, "Body": b"x", "ChecksumAlgorithm": "CRC32"}
    assert code_of(send, **words) == (400, "InvalidRequest")
    send(**{**words, "ChecksumAlgorithm": "SHA256"})
    plain = s3_client(aws.url, request_checksum_calculation="when_required")
    assert code_of(plain.upload_part, **ids, PartNumber=1, Body=b"x") == (400, "InvalidRequest")


def test_an_upload_without_one_takes_parts_with_and_without(s3: Any, name: str) -> None:
    """As boto3 sends them, unless it is asked for an algorithm."""
    ids = begin(s3, name)
    part = s3.upload_part(**ids, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**ids, MultipartUpload=parts)
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
