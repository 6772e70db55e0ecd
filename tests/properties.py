"""Objects that have everything an object can have, by the vendor's SDK; and what is left of it."""

from typing import Any, Protocol

from tests.judges import Judge, ObsJudge, OssJudge

STANDARD = {
    "content-type": "text/x-chosen",
    "cache-control": "max-age=9",
    "content-disposition": "attachment",
    "content-encoding": "identity",
    "content-language": "de",
    "expires": "Wed, 21 Oct 2037 07:28:00 GMT",
}
EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"

KEY_ID = {
    "oss": "key-1",
    "obs": "region:account:key/one",
    "s3": "arn:aws:kms:us-east-1:123456789012:key/one",
}
OWN = {
    "oss": {
        "x-oss-storage-class": "IA",
        "x-oss-server-side-encryption": "KMS",
        "x-oss-server-side-encryption-key-id": KEY_ID["oss"],
    },
    "obs": {
        "x-obs-storage-class": "WARM",
        "x-obs-server-side-encryption": "kms",
        "x-obs-server-side-encryption-kms-key-id": KEY_ID["obs"],
        "x-obs-website-redirect-location": "/else",
    },
    "s3": {
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": KEY_ID["s3"],
        "x-amz-website-redirect-location": "/else",
    },
}
"""Headers of the services' own that objects keep."""

PREFIX = {"oss": "x-oss-", "obs": "x-obs-", "s3": "x-amz-"}
META = {"note": "kept", "made-by": "an SDK"}


def everything(kind: str) -> dict[str, str]:
    """Return all that an object is made with: headers as the service shows them again."""
    meta = {f"{PREFIX[kind]}meta-{name}": text for name, text in META.items()}
    return {**STANDARD, **OWN[kind], **meta}


class JudgedBucket(Protocol):
    """A bucket of a service, and its judge: a mount's, or any."""

    @property
    def kind(self) -> str: ...

    judge: Judge
    bucket: str


class Properties:
    """Makes and judges such objects in one bucket."""

    def __init__(self, mount: JudgedBucket) -> None:
        self.kind = mount.kind
        self.judge: Judge = mount.judge
        self.bucket = mount.bucket

    def put(self, key: str, data: bytes, headers: dict[str, str]) -> None:
        """Put an object with these headers, ACL included."""
        judge: Any = self.judge
        if isinstance(judge, OssJudge):
            judge.sdk.put_object(key, data, headers=headers)
        elif isinstance(judge, ObsJudge):
            answer = judge._raw("PUT", key, headers=_as_raw(headers), body=data)
            assert answer.status_code == 200, answer.text
        else:
            arguments = {"Bucket": self.bucket, "Key": key, "Body": data, **_as_boto3(headers)}
            judge._client.put_object(**arguments)

    def append(self, key: str, data: bytes, headers: dict[str, str]) -> None:
        """Make an appendable object with these headers."""
        judge: Any = self.judge
        if isinstance(judge, OssJudge):
            judge.sdk.append_object(key, 0, data, headers=headers)
        else:
            answer = judge._raw(
                "POST", key, "append&position=0", headers=_as_raw(headers), body=data
            )
            assert answer.status_code == 200, answer.text

    def seen(self, key: str) -> dict[str, str]:
        """Return the headers that HEAD shows."""
        judge: Any = self.judge
        if isinstance(judge, OssJudge):
            headers = judge.sdk.head_object(key).headers
        elif isinstance(judge, ObsJudge):
            headers = judge._raw("HEAD", key).headers
        else:
            answer = judge._client.head_object(Bucket=self.bucket, Key=key)
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
        return {name.lower(): text for name, text in headers.items()}

    def lost(self, key: str, wanted: dict[str, str]) -> dict[str, tuple[str, str | None]]:
        """Return what of `wanted` an object does not have (any more), and what it has instead."""
        seen = self.seen(key)
        return {
            name: (text, seen.get(name)) for name, text in wanted.items() if seen.get(name) != text
        }

    def acl(self, key: str) -> list[tuple[str, str]] | str:
        """Return the object's ACL: OSS's word, or who may do what besides its owner."""
        judge: Any = self.judge
        if isinstance(judge, OssJudge):
            word: str = judge.sdk.get_object_acl(key).acl
            return word
        if isinstance(judge, ObsJudge):
            body = judge._call("getObjectAcl", key).body
            found = [
                (str(each.grantee.group or each.grantee.grantee_id), str(each.permission))
                for each in body.grants
            ]
            owner = str(body.owner.owner_id)
        else:
            body = judge._client.get_object_acl(Bucket=self.bucket, Key=key)
            found = [
                (grant["Grantee"].get("ID") or grant["Grantee"]["URI"], grant["Permission"])
                for grant in body["Grants"]
            ]
            owner = body["Owner"]["ID"]
        return sorted(set(found) - {(owner, "FULL_CONTROL")})


_BOTO3 = {
    "content-type": "ContentType",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "expires": "Expires",
    "x-amz-storage-class": "StorageClass",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
    "x-amz-acl": "ACL",
    "x-amz-grant-read": "GrantRead",
    "x-amz-grant-full-control": "GrantFullControl",
}


def _as_boto3(headers: dict[str, str]) -> dict[str, Any]:
    meta = {k[11:]: text for k, text in headers.items() if k.startswith("x-amz-meta-")}
    named = {_BOTO3[k]: text for k, text in headers.items() if not k.startswith("x-amz-meta-")}
    return {**named, "Metadata": meta}


def _as_raw(headers: dict[str, str]) -> dict[str, str]:
    kind = headers.get("content-type", "")
    return {**{k: v for k, v in headers.items() if k != "content-type"}, "Content-Type": kind}


ACL = {"oss": "x-oss-object-acl", "obs": "x-obs-acl", "s3": "x-amz-acl"}
STRANGER = "0" * 63 + "1"


def granted(kind: str) -> dict[str, str]:
    """Return headers that give an object an ACL which no word says; OSS has but words."""
    if kind == "oss":
        return {ACL[kind]: "private"}
    owner = "0123456789abcdef0123456789abcdef"
    return {
        f"{PREFIX[kind]}grant-read": f"id={STRANGER}",
        f"{PREFIX[kind]}grant-full-control": f"id={owner}",
    }
