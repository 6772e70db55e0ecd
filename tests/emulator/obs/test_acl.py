"""ACLs and encryption of objects by the vendor's SDK."""

import pytest
from obs import ACL, Grant, Grantee, Owner, Permission, PutObjectHeader, SseKmsHeader

from tests.emulator.obs.client import Raw, Refused, Sdk


def grants(sdk: Sdk, bucket: str, key: str) -> list[tuple[str, str]]:
    """Return who may do what, without the owner's full control."""
    acl = sdk.getObjectAcl(bucket, key).body
    found = [
        (str(grant.grantee.group or grant.grantee.grantee_id), str(grant.permission))
        for grant in acl.grants
    ]
    return sorted(pair for pair in found if pair != (acl.owner.owner_id, "FULL_CONTROL"))


def test_canned_acls(sdk: Sdk, name: str) -> None:
    sdk.putContent(name, "k", "x", headers=PutObjectHeader(acl="public-read"))
    [(who, permission)] = grants(sdk, name, "k")
    assert permission == "READ"
    assert who in {"Everyone", "http://acs.amazonaws.com/groups/global/AllUsers"}
    sdk.putContent(name, "k", "x")
    assert grants(sdk, name, "k") == []
    sdk.setObjectAcl(name, "k", aclControl="public-read-write")
    assert [permission for _, permission in grants(sdk, name, "k")] == ["READ", "WRITE"]


def test_grants(sdk: Sdk, raw: Raw, name: str) -> None:
    raw("PUT", "k", headers={"x-obs-grant-read": "id=stranger", "x-obs-grant-read-acp": "id=s2"})
    assert grants(sdk, name, "k") == [("s2", "READ_ACP"), ("stranger", "READ")]
    owner = sdk.getObjectAcl(name, "k").body.owner.owner_id
    reader = Grant(grantee=Grantee(grantee_id="third"), permission=Permission.READ)
    sdk.setObjectAcl(name, "k", ACL(owner=Owner(owner_id=owner), grants=[reader]))
    assert grants(sdk, name, "k") == [("third", "READ")]
    sdk.copyObject(name, "k", name, "copy")
    assert grants(sdk, name, "copy") == []
    assert raw("PUT", "k", headers={"x-obs-acl": "nobody"}).status_code == 400
    with pytest.raises(Refused) as refused:
        sdk.getObjectAcl(name, "none")
    assert refused.value.status == 404


def test_encryption(raw: Raw, sdk: Sdk, name: str) -> None:
    header = PutObjectHeader(sseHeader=SseKmsHeader(encryption="kms", key="key-1"))
    sdk.putContent(name, "k", "x", headers=header)
    head = raw("HEAD", "k").headers
    assert head["x-obs-server-side-encryption"] == "kms"
    assert head["x-obs-server-side-encryption-kms-key-id"] == "key-1"
    shown = sdk.getObjectMetadata(name, "k").body
    assert (shown.sseKms, shown.sseKmsKey) in {("kms", "key-1"), ("aws:kms", "key-1")}
    sdk.copyObject(name, "k", name, "copy")
    assert sdk.getObjectMetadata(name, "copy").body.sseKms is None
