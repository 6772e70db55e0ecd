"""What services answer."""

import http.client
import io
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from tagfs.errors import TagfsError
from tagfs.store.acl import acl_of
from tagfs.store.dialects.obs import OBS
from tagfs.store.dialects.oss import OSS
from tagfs.store.dialects.s3 import S3
from tagfs.store.http.error_response import parse_response
from tagfs.store.http.messages import Request
from tagfs.store.http.response_parser import FastHTTPResponse
from tagfs.store.wire import annotations, documents, listings, meta_query, uploads, xml
from tagfs.store.wire.headers import encode_metadata, parse_object
from tagfs.store.wire.version_listings import parse_versions

HTTP = (http.client.HTTPException, TagfsError)
DIALECTS = (OSS, OBS, S3)


class Socket:
    """Only read from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def fields_of(data: bytes) -> dict[str, str]:
    """Return the headers of an answer, as the reader of heads has them."""
    response = FastHTTPResponse(cast("socket.socket", Socket(data)), method="GET")
    response.begin()
    assert 100 <= response.status <= 999
    assert response.length is None or response.length >= 0
    return response.fields


def head(data: bytes) -> None:
    for method in ("GET", "HEAD"):
        response = FastHTTPResponse(cast("socket.socket", Socket(data)), method=method)
        response.begin()
        assert 100 <= response.status <= 999
        assert response.length is None or response.length >= 0


HEADS = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: "0"\r\n\r\nabc',
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 206 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 204 \r\nconnection: close\r\nx-oss-meta-a: \xe4\xb8\xad\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: " + b"7" * 5000 + b"\r\n\r\n",
    b"HTTP/1.1 \xb2\xb3\xb9 OK\r\n\r\n",
    b"HTTP/1.1 000 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000 + b"\r\n\r\n",
)

_PARSERS: dict[str, tuple[Callable[[bytes], Any], ...]] = {
    "ListBucketResult": (
        listings.parse_listing,
        partial(listings.parse_listing, plus_is_blank=True, trusts_marker=False),
    ),
    "ListVersionsResult": (parse_versions, partial(parse_versions, plus_is_blank=True)),
    "Tagging": (documents.parse_tag_set,),
    "AbacStatus": (documents.parse_abac,),
    "ListTagsForResourceResult": (documents.parse_resource_tags,),
    "DeleteResult": (documents.parse_deleted, partial(documents.parse_deleted, plus_is_blank=True)),
    "BucketInfo": (documents.parse_bucket_info,),
    "AccessControlPolicy": (lambda body: acl_of(documents.parse_policy(body), body),),
    "OwnershipControls": (documents.parse_ownership,),
    "InitiateMultipartUploadResult": (uploads.parse_upload_id,),
    "ListPartsResult": (uploads.parse_parts,),
    "CompleteMultipartUploadResult": (uploads.parse_completed,),
    "CopyObjectResult": (uploads.parse_copied,),
    "ListObjectAnnotationsOutput": (annotations.parse_annotations,),
    "MetaQuery": (meta_query.parse_results,),
    "MetaQueryStatus": (meta_query.parse_state,),
    "Error": (xml.parse_error,),
}
"""Who reads a document, by its root."""


def document(data: bytes) -> None:
    """All readers get all documents: each says itself that one is not for it."""
    root = xml.find_root(data)
    for parse in _PARSERS.get(root or "", ()):
        found = parse(data)
        if root == "Tagging":
            _is_read_again(found)
    for parse in (documents.parse_tag_set, listings.parse_listing, xml.parse_error):
        parse(data)


def _is_read_again(found: Any) -> None:
    if all(xml.is_representable(key + text) for key, text in found.items()):
        assert documents.parse_tag_set(documents.render_tag_set(found)) == found


DOCUMENTS = (
    b"",
    b"<?xml version='1.0' encoding='nonsense'?><Error/>",
    b"<?xml version='1.0' encoding='utf-16'?><Error/>",
    "<Error><Code>x</Code></Error>".encode("utf-16"),
    b"<a:Error/>",
    b"<Error xmlns='x'/>",
    b"<:9or xmlns='x'/>",
    b"<Error><a:b xmlns:a='x'/></Error>",
    b"<Error xmlns='x'><:9or/></Error>",
    b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    b"<?xml version='1.0'?>\n<Error><Code>NoSuchKey</Code><Message>m</Message><RequestId>r"
    b"</RequestId><Endpoint>e</Endpoint><Region>r</Region></Error>",
    b"<ListBucketResult xmlns='http://d'><Name>b</Name><EncodingType>url</EncodingType>"
    b"<IsTruncated>true</IsTruncated><NextMarker>d%2Fx</NextMarker><Contents><Key>a%20b+%FF</Key>"
    b'<LastModified>2024-01-02T03:04:05.678Z</LastModified><ETag>"5B3C"</ETag>'
    b"<Type>Symlink</Type><Size>12</Size><StorageClass>IA</StorageClass></Contents>"
    b"<CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes></ListBucketResult>",
    b"<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
    b"<NextVersionIdMarker>v</NextVersionIdMarker><Version><Key>k</Key><VersionId>v</VersionId>"
    b"<IsLatest>true</IsLatest><LastModified>2024-01-02T03:04:05Z</LastModified><ETag>e</ETag>"
    b"<Size>1</Size></Version><DeleteMarker><Key>k</Key><VersionId>w</VersionId><IsLatest>false"
    b"</IsLatest><LastModified>2024-01-02T03:04:05Z</LastModified></DeleteMarker>"
    b"</ListVersionsResult>",
    b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
    b"<Tagging><TagSet><Tag><Key>a</Key><Value>&#13;</Value></Tag><Tag><Key>b</Key></Tag>"
    b"</TagSet></Tagging>",
    b"<AbacStatus><Status>Enabled</Status></AbacStatus>",
    b"<ListTagsForResourceResult><Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags>"
    b"</ListTagsForResourceResult>",
    b"<DeleteResult><EncodingType>url</EncodingType><Error><Key>b%2Fc</Key><Code>AccessDenied"
    b"</Code><Message>no</Message></Error></DeleteResult>",
    b"<BucketInfo><Bucket><Name>b</Name><Location>l</Location></Bucket></BucketInfo>",
    b"<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant>private</Grant>"
    b"</AccessControlList></AccessControlPolicy>",
    b"<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee><ID>o</ID>"
    b"</Grantee><Permission>FULL_CONTROL</Permission></Grant><Grant><Grantee><URI>http://acs."
    b"amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>"
    b"</AccessControlList></AccessControlPolicy>",
    b"<OwnershipControls><Rule><ObjectOwnership>x</ObjectOwnership></Rule></OwnershipControls>",
    b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
    b"<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>5"
    b'</NextPartNumberMarker><Part><PartNumber>5</PartNumber><ETag>"E"</ETag><Size>7</Size>'
    b"<HashCrc64ecma>99</HashCrc64ecma></Part></ListPartsResult>",
    b'<CompleteMultipartUploadResult><ETag>"e-2"</ETag></CompleteMultipartUploadResult>',
    b"<CopyObjectResult><ETag>e</ETag><LastModified>2024-01-02T03:04:05Z</LastModified>"
    b"</CopyObjectResult>",
    b"<ListObjectAnnotationsOutput><Annotations><AnnotationEntry><AnnotationName>n"
    b"</AnnotationName><Size>3</Size></AnnotationEntry></Annotations><NextContinuationToken>t"
    b"</NextContinuationToken></ListObjectAnnotationsOutput>",
    b"<MetaQuery><NextToken>t</NextToken><Files><File><Filename>f</Filename><Size>1</Size>"
    b'<FileModifiedTime>2021-06-29T14:50:13.011643661+08:00</FileModifiedTime><ETag>"e"</ETag>'
    b"<OSSTagging><Tagging><Key>a</Key><Value>b</Value></Tagging></OSSTagging></File></Files>"
    b"</MetaQuery>",
    b"<MetaQueryStatus><State>Running</State><Phase>FullScanning</Phase></MetaQueryStatus>",
    b"<a>" * 3000,
)


def error(data: bytes) -> None:
    """An answer that refuses is an error with a code and a line to show, whatever it says."""
    fields = {"x-oss-request-id": "r", "x-oss-err": data.decode("latin-1")}
    for dialect in DIALECTS:
        request = Request(operation="GetObject", method="GET", key="k")
        for status, body in ((404, data), (503, b""), (200, data)):
            answer = parse_response(dialect, request, status, fields, body)
            if answer.error is not None:
                assert answer.error.message is not None
                assert len(answer.error.message) <= max(len(data), 200)


def found_object(data: bytes) -> None:
    """Headers make an object; its metadata is read as it is written."""
    fields = fields_of(data)
    for dialect in DIALECTS:
        info = parse_object(dialect, "k", fields)
        assert info.size >= 0
        assert info.detail is not None
        for name, text in info.detail.metadata.items():
            encode_metadata(dialect, name, text)


OBJECTS = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: "0"\r\nLast-Modified: Tue, 02 Jan 2024 03:04:05'
    b" GMT\r\nx-oss-object-type: Normal\r\nx-oss-hash-crc64ecma: 9\r\nx-oss-tagging-count: 2\r\n"
    b"x-oss-meta-mode: 33188\r\nx-obs-meta-a: %E4%B8\r\nx-amz-meta-b: =?UTF-8?Q?=C3=A4?=\r\n"
    b'x-amz-restore: ongoing-request="false", expiry-date="x"\r\nx-oss-storage-class: Archive\r\n'
    b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nLast-Modified: Tue, 02 Jan 0000 99:04:05 GMT\r\n"
    b"x-amz-meta-b: =?UTF-8?B?w6Q=?= =?x?Q?=?=\r\n\r\n",
)
