"""ACLs, encryption and redirections of objects by boto3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.emulator.emulation import Emulator
from tests.emulator.s3.client import refusal, s3_client

EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"
STRANGER = "a" * 64


def grants(s3: Any, bucket: str, key: str) -> list[tuple[str, str]]:
    """Return who may do what, without the owner's full control."""
    answer = s3.get_object_acl(Bucket=bucket, Key=key)
    owner = (answer["Owner"]["ID"], "FULL_CONTROL")
    found = [
        (grant["Grantee"].get("ID") or grant["Grantee"]["URI"], grant["Permission"])
        for grant in answer["Grants"]
    ]
    return sorted(pair for pair in found if pair != owner)


def test_canned_acls(each: Any, name: str) -> None:
    each.put_object(Bucket=name, Key="k", ACL="public-read")
    assert grants(each, name, "k") == [(EVERYONE, "READ")]
    each.put_object(Bucket=name, Key="k")
    assert grants(each, name, "k") == []
    each.put_object_acl(Bucket=name, Key="k", ACL="public-read-write")
    assert grants(each, name, "k") == [(EVERYONE, "READ"), (EVERYONE, "WRITE")]
    with pytest.raises(ClientError) as caught:
        each.put_object_acl(Bucket=name, Key="k", ACL="public")
    assert refusal(caught.value) == (400, "InvalidArgument")


def test_grants_in_headers_and_documents(each: Any, name: str) -> None:
    each.put_object(Bucket=name, Key="k", GrantRead=f'id="{STRANGER}", uri="{EVERYONE}"')
    assert grants(each, name, "k") == [(STRANGER, "READ"), (EVERYONE, "READ")]
    answer = each.get_object_acl(Bucket=name, Key="k")
    policy = {"Owner": answer["Owner"], "Grants": answer["Grants"][:1]}
    each.put_object_acl(Bucket=name, Key="k", AccessControlPolicy=policy)
    assert grants(each, name, "k") == [(STRANGER, "READ")]
    with pytest.raises(ClientError) as caught:
        each.put_object(Bucket=name, Key="k", ACL="private", GrantRead=f"id={STRANGER}")
    assert refusal(caught.value) == (400, "InvalidRequest")


def test_acl_of_copies_and_uploads(each: Any, name: str) -> None:
    each.put_object(Bucket=name, Key="k", ACL="public-read")
    source = {"Bucket": name, "Key": "k"}
    each.copy_object(Bucket=name, Key="copy", CopySource=source)
    assert grants(each, name, "copy") == []
    each.copy_object(Bucket=name, Key="copy", CopySource=source, ACL="authenticated-read")
    assert [permission for _, permission in grants(each, name, "copy")] == ["READ"]
    upload = each.create_multipart_upload(Bucket=name, Key="parts", ACL="public-read")["UploadId"]
    ids = {"Bucket": name, "Key": "parts", "UploadId": upload}
    etag = each.upload_part(**ids, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    each.complete_multipart_upload(**ids, MultipartUpload=parts)
    assert grants(each, name, "parts") == [(EVERYONE, "READ")]


def test_anonymous_requests_read_by_grants(aws: Emulator, s3: Any, name: str) -> None:
    s3.put_object(Bucket=name, Key="open", Body=b"x", GrantRead=f"uri={EVERYONE}")
    s3.put_object(Bucket=name, Key="closed", Body=b"x", GrantRead=f"id={STRANGER}")
    assert requests.get(f"{aws.url}/{name}/open", timeout=60).content == b"x"
    assert requests.get(f"{aws.url}/{name}/closed", timeout=60).status_code == 403


def test_encryption_and_redirection_are_not_copied(each: Any, name: str) -> None:
    kept = {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "arn:aws:kms:us-east-1:1:key/k",
        "WebsiteRedirectLocation": "/elsewhere",
    }
    answer = each.put_object(Bucket=name, Key="k", Body=b"x", CacheControl="no-cache", **kept)
    assert answer["ETag"] != '"9dd4e461268c8034f5c8564e155c67a6"'
    head = each.head_object(Bucket=name, Key="k")
    assert {field: head.get(field) for field in kept} == kept
    source = {"Bucket": name, "Key": "k"}
    each.copy_object(Bucket=name, Key="copy", CopySource=source)
    head = each.head_object(Bucket=name, Key="copy")
    assert head["CacheControl"] == "no-cache"
    assert not kept.keys() & head.keys()
    each.copy_object(Bucket=name, Key="copy", CopySource=source, **kept)
    head = each.head_object(Bucket=name, Key="copy")
    assert {field: head.get(field) for field in kept} == kept
    with pytest.raises(ClientError) as caught:
        each.put_object(Bucket=name, Key="k", ServerSideEncryption="AES256", SSEKMSKeyId="x")
    assert refusal(caught.value) == (400, "InvalidArgument")


@pytest.fixture
def enforced(tmp_path: Path) -> Iterator[Any]:
    options = ("--service", "s3", "--bucket", "bkt", "--option", "acls=off")
    with Emulator(tmp_path / "d", *options) as running:
        client = s3_client(running.url)
        yield client
        client.close()


def test_without_acls(enforced: Any, s3: Any, name: str) -> None:
    enforced.put_object(Bucket="bkt", Key="k", ACL="bucket-owner-full-control")
    assert grants(enforced, "bkt", "k") == []
    for refused in ({"ACL": "public-read"}, {"GrantRead": f"id={STRANGER}"}):
        for call in (enforced.put_object, enforced.put_object_acl):
            with pytest.raises(ClientError) as caught:
                call(Bucket="bkt", Key="k", **refused)
            assert refusal(caught.value) == (400, "AccessControlListNotSupported")
    answer = enforced.get_bucket_ownership_controls(Bucket="bkt")
    [rule] = answer["OwnershipControls"]["Rules"]
    assert rule["ObjectOwnership"] == "BucketOwnerEnforced"
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_ownership_controls(Bucket=name)
    assert refusal(caught.value) == (404, "OwnershipControlsNotFoundError")
