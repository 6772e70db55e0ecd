"""What is on a service, as its vendor's SDK has it: the judge of all that a mount does.

One protocol for all services; what a service does not have natively is not in its judge's
`native`, and asking for it fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote

import boto3
import oss2
from botocore.config import Config
from botocore.exceptions import ClientError
from obs import (
    AppendObjectContent,
    CompleteMultipartUploadRequest,
    CompletePart,
    CopyObjectHeader,
    ObsClient,
    PutObjectHeader,
    Tag,
    TagInfo,
)

from tests.emulator.obs.client import Raw

KEY_ID, SECRET = "emulator", "emulator-secret"
REGIONS = {"oss": "cn-hangzhou", "obs": "cn-north-4", "s3": "us-east-1"}
Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An object as a HEAD reports it.

    Attributes:
        type: the service's word for how it came to be, "" where it reports none.
        modified: Last-Modified, as it is reported.
        meta: user metadata, names in lower case without prefix.
    """

    size: int
    etag: str
    modified: str
    type: str
    content_type: str
    meta: dict[str, str]


class Judge(Protocol):
    """A bucket through its vendor's SDK.

    Attributes:
        native: of "symlinks" and "append", what the service has.
    """

    native: frozenset[str]

    def put(
        self,
        key: str,
        data: bytes,
        tags: Tags | None = None,
        meta: Tags | None = None,
        content_type: str = "",
    ) -> None: ...
    def get(self, key: str) -> bytes: ...
    def head(self, key: str) -> Seen: ...
    def keys(self, prefix: str = "") -> list[str]: ...
    def delete(self, key: str) -> None: ...

    def tags(self, key: str) -> dict[str, str]: ...
    def set_tags(self, key: str, tags: Tags) -> None: ...
    def delete_tags(self, key: str) -> None: ...
    def bucket_tags(self) -> dict[str, str]: ...
    def set_bucket_tags(self, tags: Tags) -> None: ...
    def delete_bucket_tags(self) -> None: ...

    def copy(self, source: str, key: str, tags: Tags | None = None) -> None:
        """Copy with its tags, or with others."""
        ...

    def upload(self, key: str, parts: Sequence[bytes], tags: Tags) -> None:
        """Put an object together from parts."""
        ...

    def uploads(self) -> list[str]:
        """Return the keys of uploads that were begun and not ended."""
        ...

    def append(self, key: str, position: int, data: bytes, tags: Tags | None = None) -> None: ...
    def put_symlink(self, key: str, target: str, tags: Tags | None = None) -> None: ...
    def get_symlink(self, key: str) -> str: ...


def tagging(tags: Tags) -> str:
    """Write tags as a header carries them."""
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in tags.items())


class OssJudge:
    """OSS by oss2."""

    native = frozenset({"symlinks", "append"})

    def __init__(self, url: str, bucket: str) -> None:
        auth = oss2.AuthV4(KEY_ID, SECRET)
        self.sdk = oss2.Bucket(auth, url, bucket, region=REGIONS["oss"], enable_crc=True)

    def put(
        self,
        key: str,
        data: bytes,
        tags: Tags | None = None,
        meta: Tags | None = None,
        content_type: str = "",
    ) -> None:
        headers = {f"x-oss-meta-{name}": value for name, value in (meta or {}).items()}
        if content_type:
            headers["Content-Type"] = content_type
        self.sdk.put_object(key, data, headers={**headers, **self._tagging(tags)})

    def _tagging(self, tags: Tags | None) -> dict[str, str]:
        return {"x-oss-tagging": tagging(tags)} if tags else {}

    def get(self, key: str) -> bytes:
        data: bytes = self.sdk.get_object(key).read()
        return data

    def head(self, key: str) -> Seen:
        found = self.sdk.head_object(key)
        headers = {name.lower(): value for name, value in found.headers.items()}
        return Seen(
            size=found.content_length,
            etag=found.etag,
            modified=headers["last-modified"],
            type=found.object_type,
            content_type=found.content_type,
            meta=_meta(headers, "x-oss-meta-"),
        )

    def keys(self, prefix: str = "") -> list[str]:
        return [info.key for info in oss2.ObjectIterator(self.sdk, prefix=prefix)]

    def delete(self, key: str) -> None:
        self.sdk.delete_object(key)

    def tags(self, key: str) -> dict[str, str]:
        return dict(self.sdk.get_object_tagging(key).tag_set.tagging_rule)

    def set_tags(self, key: str, tags: Tags) -> None:
        self.sdk.put_object_tagging(key, _oss_tagging(tags))

    def delete_tags(self, key: str) -> None:
        self.sdk.delete_object_tagging(key)

    def bucket_tags(self) -> dict[str, str]:
        return dict(self.sdk.get_bucket_tagging().tag_set.tagging_rule)

    def set_bucket_tags(self, tags: Tags) -> None:
        self.sdk.put_bucket_tagging(_oss_tagging(tags))

    def delete_bucket_tags(self) -> None:
        self.sdk.delete_bucket_tagging()

    def copy(self, source: str, key: str, tags: Tags | None = None) -> None:
        directive = {"x-oss-tagging-directive": "Replace"} if tags else {}
        headers = {**directive, **self._tagging(tags)}
        self.sdk.copy_object(self.sdk.bucket_name, source, key, headers=headers)

    def upload(self, key: str, parts: Sequence[bytes], tags: Tags) -> None:
        upload = self.sdk.init_multipart_upload(key, headers=self._tagging(tags)).upload_id
        sent = [
            oss2.models.PartInfo(number, self.sdk.upload_part(key, upload, number, data).etag)
            for number, data in enumerate(parts, 1)
        ]
        self.sdk.complete_multipart_upload(key, upload, sent)

    def uploads(self) -> list[str]:
        return [upload.key for upload in oss2.MultipartUploadIterator(self.sdk)]

    def append(self, key: str, position: int, data: bytes, tags: Tags | None = None) -> None:
        self.sdk.append_object(key, position, data, headers=self._tagging(tags))

    def put_symlink(self, key: str, target: str, tags: Tags | None = None) -> None:
        self.sdk.put_symlink(target, key, headers=self._tagging(tags))

    def get_symlink(self, key: str) -> str:
        target: str = self.sdk.get_symlink(key).target_key
        return target


def _oss_tagging(tags: Tags) -> oss2.models.Tagging:
    rule = oss2.models.TaggingRule()
    for key, value in tags.items():
        rule.add(key, value)
    return oss2.models.Tagging(rule)


class ObsJudge:
    """OBS by esdk-obs-python; links, which that does not know, by requests of our own."""

    native = frozenset({"symlinks", "append"})

    def __init__(self, url: str, bucket: str) -> None:
        self.bucket = bucket
        service: Any = _Url(url)
        self._raw = Raw(service, bucket)
        self._client = ObsClient(
            KEY_ID,
            SECRET,
            server=url,
            signature="obs",
            path_style=True,
            is_signature_negotiation=False,
            max_retry_count=0,
        )

    def _call(self, method: str, *args: Any, **options: Any) -> Any:
        answer = getattr(self._client, method)(self.bucket, *args, **options)
        assert answer.status < 300, (method, args, answer.status, answer.errorCode)
        return answer

    def put(
        self,
        key: str,
        data: bytes,
        tags: Tags | None = None,
        meta: Tags | None = None,
        content_type: str = "",
    ) -> None:
        self._call(
            "putContent",
            key,
            data,
            metadata=dict(meta or {}),
            headers=PutObjectHeader(contentType=content_type or None),
        )
        if tags:
            self.set_tags(key, tags)

    def _tagging(self, tags: Tags | None) -> dict[str, str]:
        """Return the header as the SDK wants it: it encodes what it gets, but for some signs."""
        text = "&".join(f"{key}={value}" for key, value in (tags or {}).items())
        return {"x-obs-tagging": text} if tags else {}

    def get(self, key: str) -> bytes:
        data: bytes | None = self._call("getObject", key, loadStreamInMemory=True).body.buffer
        return data or b""

    def head(self, key: str) -> Seen:
        answer = self._call("getObjectMetadata", key)
        headers = {name.lower(): value for name, value in answer.header}
        reported = {"content-type", "content-length", "last-modified", "etag", "date", "connection"}
        return Seen(
            size=answer.body.contentLength,
            etag=answer.body.etag.strip('"'),
            modified=answer.body.lastModified,
            type="Appendable" if answer.body.isAppendable else "",
            content_type=answer.body.contentType,
            # The SDK takes the prefix off names, whatever they mean.
            meta={name: value for name, value in headers.items() if name not in reported},
        )

    def keys(self, prefix: str = "") -> list[str]:
        found: list[str] = []
        marker = None
        while True:
            body = self._call("listObjects", prefix=prefix, marker=marker, max_keys=1000).body
            found += [item.key for item in body.contents]
            if not body.is_truncated:
                return found
            marker = body.next_marker or found[-1]

    def delete(self, key: str) -> None:
        self._call("deleteObject", key)

    def tags(self, key: str) -> dict[str, str]:
        answer = self._client.getObjectTagging(self.bucket, key)
        if answer.errorCode == "NoSuchTagSet":
            return {}
        assert answer.status == 200, (key, answer.errorCode)
        return {tag.key: tag.value or "" for tag in answer.body.tags}

    def set_tags(self, key: str, tags: Tags) -> None:
        self._call("setObjectTagging", key, dict(tags))

    def delete_tags(self, key: str) -> None:
        self._call("deleteObjectTagging", key)

    def bucket_tags(self) -> dict[str, str]:
        answer = self._client.getBucketTagging(self.bucket)
        if answer.errorCode == "NoSuchTagSet":
            return {}
        return {tag.key: tag.value or "" for tag in answer.body.tagSet}

    def set_bucket_tags(self, tags: Tags) -> None:
        self._call("setBucketTagging", TagInfo([Tag(k, v) for k, v in tags.items()]))

    def delete_bucket_tags(self) -> None:
        self._call("deleteBucketTagging")

    def copy(self, source: str, key: str, tags: Tags | None = None) -> None:
        directive = {"x-obs-tagging-directive": "REPLACE" if tags else "COPY"}
        answer = self._client.copyObject(
            self.bucket,
            source,
            self.bucket,
            key,
            headers=CopyObjectHeader(),
            extensionHeaders={**directive, **self._tagging(tags)},
        )
        assert answer.status < 300, answer.errorCode

    def upload(self, key: str, parts: Sequence[bytes], tags: Tags) -> None:
        begun = self._call("initiateMultipartUpload", key, extensionHeaders=self._tagging(tags))
        upload = begun.body.uploadId
        sent = [
            CompletePart(number, self._call("uploadPart", key, number, upload, data).body.etag)
            for number, data in enumerate(parts, 1)
        ]
        self._call("completeMultipartUpload", key, upload, CompleteMultipartUploadRequest(sent))

    def uploads(self) -> list[str]:
        return [upload.key for upload in self._call("listMultipartUploads").body.upload]

    def append(self, key: str, position: int, data: bytes, tags: Tags | None = None) -> None:
        content = AppendObjectContent(content=data, position=position)
        self._call("appendObject", key, content, extensionHeaders=self._tagging(tags))

    def put_symlink(self, key: str, target: str, tags: Tags | None = None) -> None:
        target = target if target.isascii() else quote(target)
        headers = {"x-obs-symlink-target": target, **self._tagging(tags)}
        answer = self._raw("PUT", key, "symlink", headers=headers)
        assert answer.status_code == 200, answer.text

    def get_symlink(self, key: str) -> str:
        answer = self._raw("GET", key, "symlink")
        assert answer.status_code == 200, answer.text
        return unquote(answer.headers["x-obs-symlink-target"])


@dataclass(frozen=True)
class _Url:
    url: str


class S3Judge:
    """S3, and what is compatible with it, by boto3."""

    native: frozenset[str] = frozenset()

    def __init__(self, url: str, bucket: str) -> None:
        self.bucket = bucket
        self._client = s3_client(url)

    def put(
        self,
        key: str,
        data: bytes,
        tags: Tags | None = None,
        meta: Tags | None = None,
        content_type: str = "",
    ) -> None:
        more: dict[str, Any] = {"Tagging": tagging(tags)} if tags else {}
        if content_type:
            more["ContentType"] = content_type
        self._client.put_object(
            Bucket=self.bucket, Key=key, Body=data, Metadata=dict(meta or {}), **more
        )

    def get(self, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return data

    def head(self, key: str) -> Seen:
        found = self._client.head_object(Bucket=self.bucket, Key=key)
        return Seen(
            size=found["ContentLength"],
            etag=found["ETag"].strip('"'),
            modified=str(found["LastModified"]),
            type="",
            content_type=found["ContentType"],
            meta={name.lower(): value for name, value in found["Metadata"].items()},
        )

    def keys(self, prefix: str = "") -> list[str]:
        paginator = self._client.get_paginator("list_objects_v2")
        pages = paginator.paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.bucket, Key=key)

    def tags(self, key: str) -> dict[str, str]:
        found = self._client.get_object_tagging(Bucket=self.bucket, Key=key)
        # Ceph RGW answers with nothing at all where there are none.
        return {tag["Key"]: tag["Value"] for tag in found.get("TagSet", ())}

    def set_tags(self, key: str, tags: Tags) -> None:
        self._client.put_object_tagging(Bucket=self.bucket, Key=key, Tagging=_s3_tagging(tags))

    def delete_tags(self, key: str) -> None:
        self._client.delete_object_tagging(Bucket=self.bucket, Key=key)

    def bucket_tags(self) -> dict[str, str]:
        try:
            found = self._client.get_bucket_tagging(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchTagSet":
                raise
            return {}
        return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}

    def set_bucket_tags(self, tags: Tags) -> None:
        self._client.put_bucket_tagging(Bucket=self.bucket, Tagging=_s3_tagging(tags))

    def delete_bucket_tags(self) -> None:
        self._client.delete_bucket_tagging(Bucket=self.bucket)

    def copy(self, source: str, key: str, tags: Tags | None = None) -> None:
        more = {"TaggingDirective": "REPLACE", "Tagging": tagging(tags)} if tags else {}
        origin = {"Bucket": self.bucket, "Key": source}
        self._client.copy_object(Bucket=self.bucket, Key=key, CopySource=origin, **more)

    def upload(self, key: str, parts: Sequence[bytes], tags: Tags) -> None:
        what = {"Bucket": self.bucket, "Key": key}
        begun = self._client.create_multipart_upload(**what, Tagging=tagging(tags))
        what["UploadId"] = begun["UploadId"]
        sent = [
            {
                "PartNumber": number,
                "ETag": self._client.upload_part(**what, PartNumber=number, Body=data)["ETag"],
            }
            for number, data in enumerate(parts, 1)
        ]
        self._client.complete_multipart_upload(**what, MultipartUpload={"Parts": sent})

    def uploads(self) -> list[str]:
        found = self._client.list_multipart_uploads(Bucket=self.bucket)
        return [upload["Key"] for upload in found.get("Uploads", ())]

    def append(self, key: str, position: int, data: bytes, tags: Tags | None = None) -> None:
        raise NotImplementedError("S3 has no append")

    def put_symlink(self, key: str, target: str, tags: Tags | None = None) -> None:
        raise NotImplementedError("S3 has no links")

    def get_symlink(self, key: str) -> str:
        raise NotImplementedError("S3 has no links")


def s3_client(url: str) -> Any:
    """Return a client of any S3 that tries once."""
    config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        region_name=REGIONS["s3"],
        config=config,
    )


def _s3_tagging(tags: Tags) -> dict[str, list[dict[str, str]]]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _meta(headers: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in headers.items()
        if name.startswith(prefix)
    }


_JUDGES: dict[str, type[OssJudge] | type[ObsJudge] | type[S3Judge]] = {
    "oss": OssJudge,
    "obs": ObsJudge,
    "s3": S3Judge,
}


def judge_of(service: str, url: str, bucket: str) -> Judge:
    """Return the judge of a bucket."""
    return _JUDGES[service](url, bucket)
