"""XML as object stores write and read it; nothing else of the project sees XML.

Pure functions: `parse_x` takes the bytes of an answer and returns a value or raises
`MalformedResponse`, whatever the bytes are; `render_x` returns the bytes of a request. Entities,
external documents and huge trees are off, and so are documents that declare a type.
Namespaces are ignored: services disagree about them.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

from lxml import etree

from tagfs.errors import InvalidRequest, MalformedResponse
from tagfs.store.acl import Grant, Policy
from tagfs.store.objects import ObjectInfo, ObjectType, Page, Part
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import parse_etag, parse_type

MAX_DOCUMENT: Final = 32 * 1024**2
"""Bytes; a page of 1000 percent-encoded keys of 1023 bytes is 4 MiB."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NAMESPACE = re.compile(rb"""^([^<]*(?:<\?[^>]*>)?\s*<[A-Za-z]+)\s+xmlns=(?:"[^"]*"|'[^']*')""")
_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error[\s>]")
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_GRANTEES = frozenset({"ID", "URI", "Canned", "EmailAddress"})
_DIGITS = re.compile("[0-9]{1,20}")
_SHOWN = 80  # characters of a document that an error message quotes


@dataclass(frozen=True, slots=True)
class ServiceError:
    """What a service says about a request that it refused.

    Attributes:
        code: the service's word, such as "NoSuchKey"; "" when the answer held none.
        endpoint: where the bucket really is, when the service tells.
    """

    code: str
    message: str = ""
    request_id: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Copied:
    """The answer to a copy of an object or a part; the time is None when it was not told."""

    etag: str
    last_modified_ns: int | None


@dataclass(frozen=True, slots=True)
class PartPage:
    """One answer to ListParts; `marker` is where the next begins, None after the last."""

    parts: tuple[Part, ...]
    marker: str | None


@dataclass(frozen=True, slots=True)
class BucketDescription:
    """What GetBucketInfo tells; empty text where it does not."""

    name: str
    location: str
    endpoint: str
    storage_class: str
    hierarchical: bool
    versioning: str


def parse_listing(
    body: bytes, *, plus_is_blank: bool = False, default_class: str = "Standard"
) -> Page:
    """Read one page of ListObjects, version 1 or 2.

    `default_class` is the storage class of objects that are listed without one.
    """
    root = _parse(body, "ListBucketResult")
    encoded = (root.findtext("EncodingType") or "").lower() == "url"
    decode = _decoder(plus_is_blank=plus_is_blank) if encoded else str
    objects: list[ObjectInfo] = []
    prefixes: list[str] = []
    rest: dict[str, str] = {}
    for element in root:
        tag = element.tag
        if tag == "Contents":
            fields = {child.tag: child.text or "" for child in element}
            fields["StorageClass"] = fields.get("StorageClass") or default_class
            objects.append(_listed(fields, decode))
        elif tag == "CommonPrefixes":
            prefixes.extend(decode(child.text or "") for child in element if child.tag == "Prefix")
        else:
            rest[tag] = element.text or ""
    token = _next_token(rest, decode)
    if token == "":
        # Services that give no marker (S3 without a delimiter) go on after the last entry.
        token = max([info.key for info in objects[-1:]] + prefixes[-1:], default="")
        if not token:
            raise MalformedResponse("a truncated listing that does not say where it goes on")
    return Page(tuple(objects), tuple(prefixes), token)


def _next_token(rest: Mapping[str, str], decode: Callable[[str], str]) -> str | None:
    """Return where the next page begins, None after the last, "" when that was not said."""
    if rest.get("IsTruncated", "").strip().lower() != "true":
        return None
    # A continuation token is opaque, a marker is a key and encoded like one.
    return rest.get("NextContinuationToken") or decode(rest.get("NextMarker", ""))


def _decoder(*, plus_is_blank: bool) -> Callable[[str], str]:
    def decode(text: str) -> str:
        if plus_is_blank:
            text = text.replace("+", " ")
        return decode_percent(text) if "%" in text else text

    return decode


def _listed(fields: Mapping[str, str], decode: Callable[[str], str]) -> ObjectInfo:
    try:
        return ObjectInfo(
            key=decode(fields["Key"]),
            size=_number(fields["Size"]),
            etag=fields.get("ETag", "").strip('"'),
            last_modified_ns=_time(fields["LastModified"]),
            type=parse_type(fields["Type"]) if "Type" in fields else ObjectType.NORMAL,
            storage_class=fields["StorageClass"],
        )
    except KeyError as missing:
        raise MalformedResponse(f"a listed object without {missing}") from None


def parse_tag_set(body: bytes) -> TagSet:
    """Read the answer to GET ?tagging, of an object or a bucket."""
    root = _parse(body, "Tagging")
    pairs: dict[str, str] = {}
    for element in root.iterfind("TagSet/Tag"):
        fields = _fields(element)
        key = fields.get("Key")
        if not key or key in pairs:
            raise MalformedResponse(f"a tag set whose key is missing or comes twice: {key!r}")
        pairs[key] = fields.get("Value", "")
    return TagSet(pairs)


def render_tag_set(tags: Mapping[str, str]) -> bytes:
    """Write the body of PUT ?tagging."""
    return _render(
        "Tagging",
        "<TagSet>"
        + "".join(
            f"<Tag><Key>{_text(key)}</Key><Value>{_text(value)}</Value></Tag>"
            for key, value in tags.items()
        )
        + "</TagSet>",
    )


def parse_upload_id(body: bytes) -> str:
    """Read the answer to InitiateMultipartUpload."""
    # The latter is the word of rclone's server.
    root = _parse(body, "InitiateMultipartUploadResult", "InitiateMultipartUpload")
    return _required(root, "UploadId")


def parse_parts(body: bytes) -> PartPage:
    """Read one page of ListParts."""
    root = _parse(body, "ListPartsResult", "ListPartsResponse")  # the latter is moto's word
    parts = []
    for element in root.iterfind("Part"):
        fields = _fields(element)
        crc64 = fields.get("HashCrc64ecma")
        try:
            parts.append(
                Part(
                    number=_number(fields["PartNumber"]),
                    etag=parse_etag(fields["ETag"]),
                    size=_number(fields["Size"]),
                    crc64=_number(crc64) if crc64 else None,
                )
            )
        except KeyError as missing:
            raise MalformedResponse(f"a part without {missing}") from None
    fields = _fields(root)
    truncated = fields.get("IsTruncated", "").strip().lower() == "true"
    return PartPage(tuple(parts), fields.get("NextPartNumberMarker", "") if truncated else None)


def render_parts(parts: Iterable[Part]) -> bytes:
    """Write the body of CompleteMultipartUpload."""
    return _render(
        "CompleteMultipartUpload",
        "".join(
            f"<Part><PartNumber>{part.number}</PartNumber>"
            f"<ETag>{_text(chr(34) + part.etag + chr(34))}</ETag></Part>"
            for part in parts
        ),
    )


def parse_completed(body: bytes) -> str:
    """Read the answer to CompleteMultipartUpload: the object's ETag, "" if it is not told."""
    return parse_etag(_fields(_parse(body, "CompleteMultipartUploadResult")).get("ETag", ""))


def parse_copied(body: bytes) -> Copied:
    """Read the answer to CopyObject or UploadPartCopy; without that document nothing was copied.

    The ETag is "" where it is not told: rclone's server does not after a copy onto itself.
    """
    root = _parse(body, "CopyObjectResult", "CopyPartResult", "UploadPartCopyResult")
    etag = parse_etag(_fields(root).get("ETag", ""))
    text = _fields(root).get("LastModified", "")
    return Copied(etag, _time(text) if text else None)


def parse_error(body: bytes) -> ServiceError:
    """Read what a service answers when it refuses."""
    fields = _fields(_parse(body, "Error"))
    return ServiceError(
        fields.get("Code", ""),
        fields.get("Message", ""),
        fields.get("RequestId", ""),
        fields.get("Endpoint", ""),
    )


def has_error_root(body: bytes) -> bool:
    """Tell whether a document is an error; services send blanks before it while they work."""
    return _ERROR.match(body) is not None


def render_delete(keys: Iterable[str]) -> bytes:
    """Write the body of DeleteMultipleObjects, which shall tell failures only.

    Raises:
        InvalidRequest: a key that XML cannot carry; see `is_representable`.
    """
    return _render(
        "Delete",
        "<Quiet>true</Quiet>"
        + "".join(f"<Object><Key>{_text(key)}</Key></Object>" for key in keys),
    )


def parse_deleted(body: bytes, *, plus_is_blank: bool = False) -> dict[str, str]:
    """Read the answer to DeleteMultipleObjects: key -> reason, for those that failed."""
    if not body.strip():
        return {}  # OSS says nothing when there is nothing to say
    root = _parse(body, "DeleteResult")
    encoded = _fields(root).get("EncodingType", "").lower() == "url"
    decode = _decoder(plus_is_blank=plus_is_blank) if encoded else str
    failed: dict[str, str] = {}
    for element in root.iterfind("Error"):
        fields = _fields(element)
        failed[decode(fields.get("Key", ""))] = (
            f"{fields.get('Code', '')}: {fields.get('Message', '')}"
        )
    return failed


def parse_bucket_info(body: bytes) -> BucketDescription:
    """Read the answer to GetBucketInfo."""
    bucket = _parse(body, "BucketInfo").find("Bucket")
    if bucket is None:
        raise MalformedResponse("bucket information without a bucket")
    fields = _fields(bucket)
    return BucketDescription(
        name=fields.get("Name", ""),
        location=fields.get("Location", ""),
        endpoint=fields.get("ExtranetEndpoint", ""),
        storage_class=fields.get("StorageClass", ""),
        hierarchical=fields.get("HierarchicalNamespace", "") == "Enabled",
        versioning=fields.get("Versioning", ""),
    )


def parse_policy(body: bytes) -> Policy:
    """Read the answer to GetObjectAcl: OSS has a word in a Grant, the others who may do what."""
    root = _parse(body, "AccessControlPolicy")
    listed = root.find("AccessControlList")
    if listed is None:
        raise MalformedResponse("an ACL without a list")
    grants, words = [], []
    for node in listed.iterfind("Grant"):
        grantee, permission = node.find("Grantee"), node.findtext("Permission")
        if not len(node):
            words.append(_text(node.text or ""))
            continue
        named = [] if grantee is None else [c for c in grantee if c.tag in _GRANTEES and c.text]
        if permission is None or not named:
            raise MalformedResponse("a grant without a grantee, or of nothing")
        grants.append(Grant(named[0].tag, named[0].text or "", permission))
    return Policy(root.findtext("Owner/ID") or "", tuple(grants), tuple(words))


def parse_ownership(body: bytes) -> str:
    """Read the answer to GetBucketOwnershipControls."""
    return _parse(body, "OwnershipControls").findtext("Rule/ObjectOwnership") or ""


def find_root(body: bytes) -> str | None:
    """Return the name of a document's root, without its namespace; None if it is no document."""
    try:
        root = etree.fromstring(body.lstrip(), _parser())
    except (etree.LxmlError, ValueError, LookupError):
        return None
    return etree.QName(root).localname


def is_representable(text: str) -> bool:
    """Tell whether XML 1.0 can carry `text` at all."""
    return _ILLEGAL.search(text) is None


def decode_percent(text: str) -> str:
    """Decode percent-encoded UTF-8: a key in a listing, a link's target in a header.

    Raises:
        MalformedResponse
    """
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise MalformedResponse(f"not percent-encoded UTF-8: {text!r}") from None


_local = threading.local()


def _parser() -> etree.XMLParser:
    """Return this thread's parser: lxml lets threads wait for one another on a shared one."""
    parser: etree.XMLParser | None = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
    return parser


def _parse(body: bytes, *roots: str) -> etree._Element:
    if len(body) > MAX_DOCUMENT:
        raise MalformedResponse(f"a document of {len(body)} bytes")
    try:
        root = etree.fromstring(_NAMESPACE.sub(rb"\1", body.lstrip(), count=1), _parser())
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise MalformedResponse(f"not XML ({error}): {body[:_SHOWN]!r}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise MalformedResponse("a document with a document type")
    if root.tag.startswith("{"):  # a namespace that does not come first
        for element in root.iter():
            element.tag = etree.QName(element).localname
    if root.tag not in roots:
        raise MalformedResponse(f"<{root.tag}> where <{roots[0]}> was due")
    return root


def _fields(element: etree._Element) -> dict[str, str]:
    return {child.tag: child.text or "" for child in element}


def _required(element: etree._Element, name: str) -> str:
    text = _fields(element).get(name)
    if not text:
        raise MalformedResponse(f"<{element.tag}> without <{name}>")
    return text


def _number(text: str) -> int:
    if not _DIGITS.fullmatch(text.strip()):
        raise MalformedResponse(f"not a number: {text!r}")
    return int(text)


def _time(text: str) -> int:
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND * 1000
    except (ValueError, TypeError, OverflowError):  # TypeError: no time zone
        raise MalformedResponse(f"not a time: {text!r}") from None


def _text(text: str) -> str:
    if not is_representable(text):
        raise InvalidRequest(f"XML cannot carry {text!r}")
    # A parser turns a bare carriage return into a line feed.
    return escape(text, {"\r": "&#13;"})


def _render(root: str, inner: str) -> bytes:
    return _DECLARATION + f"<{root}>{inner}</{root}>".encode()
