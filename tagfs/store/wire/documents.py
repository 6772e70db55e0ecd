"""The other documents of a bucket: tag sets, deletions, ACLs, descriptions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tagfs.errors import MalformedResponse
from tagfs.store.acl import Grant, Policy
from tagfs.store.objects import NOTHING
from tagfs.store.tags import TagSet
from tagfs.store.wire.xml import (
    escape_text,
    fields_of,
    key_decoder,
    parse_document,
    render_document,
)

_GRANTEES: Final = frozenset({"ID", "URI", "Canned", "EmailAddress"})


@dataclass(frozen=True, slots=True)
class BucketDescription:
    """What GetBucketInfo tells; empty text where it does not."""

    name: str
    location: str
    endpoint: str
    storage_class: str
    hierarchical: bool
    versioning: str


def parse_tag_set(body: bytes) -> TagSet:
    """Read the answer to GET ?tagging, of an object or a bucket."""
    root = parse_document(body, "Tagging")
    pairs: dict[str, str] = {}
    for element in root.iterfind("TagSet/Tag"):
        fields = fields_of(element)
        key = fields.get("Key")
        if not key or key in pairs:
            raise MalformedResponse(f"a tag set whose key is missing or comes twice: {key!r}")
        pairs[key] = fields.get("Value", "")
    return TagSet(pairs)


def render_tag_set(tags: Mapping[str, str]) -> bytes:
    """Write the body of PUT ?tagging."""
    return render_document(
        "Tagging",
        "<TagSet>"
        + "".join(
            f"<Tag><Key>{escape_text(key)}</Key><Value>{escape_text(value)}</Value></Tag>"
            for key, value in tags.items()
        )
        + "</TagSet>",
    )


def parse_abac(body: bytes) -> bool:
    """Read the answer to GET ?abac of a bucket: whether tags decide who may do what."""
    return fields_of(parse_document(body, "AbacStatus")).get("Status") == "Enabled"


def parse_resource_tags(body: bytes) -> TagSet:
    """Read the answer to ListTagsForResource of S3 Control."""
    root = parse_document(body, "ListTagsForResourceResult", "ListTagsForResourceOutput")
    found = (fields_of(element) for element in root.iterfind("Tags/Tag"))
    return TagSet({fields.get("Key", ""): fields.get("Value", "") for fields in found})


def render_resource_tags(tags: Mapping[str, str]) -> bytes:
    """Write the body of TagResource of S3 Control."""
    pairs = "".join(
        f"<Tag><Key>{escape_text(key)}</Key><Value>{escape_text(value)}</Value></Tag>"
        for key, value in tags.items()
    )
    return (
        '<TagResourceRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/">'
        f"<Tags>{pairs}</Tags></TagResourceRequest>"
    ).encode()


def render_restore(days: int) -> bytes:
    """Write the body of POST ?restore, without a tier: the service's usual one."""
    return render_document("RestoreRequest", f"<Days>{days}</Days>")


def render_delete(keys: Iterable[str], etags: Mapping[str, str] = NOTHING) -> bytes:
    """Write the body of DeleteMultipleObjects, which shall tell failures only.

    `etags` are the versions that are to go, by key; whatever is at the others goes.

    Raises:
        InvalidRequest: a key that XML cannot carry; see `is_representable`.
    """
    return render_document(
        "Delete",
        "<Quiet>true</Quiet>"
        + "".join(
            f"<Object><Key>{escape_text(key)}</Key>{_condition(etags.get(key))}</Object>"
            for key in keys
        ),
    )


def _condition(etag: str | None) -> str:
    quoted = f'"{etag}"'
    return f"<ETag>{escape_text(quoted)}</ETag>" if etag else ""


def parse_deleted(body: bytes, *, plus_is_blank: bool = False) -> dict[str, str]:
    """Read the answer to DeleteMultipleObjects: key -> reason, for those that failed."""
    root = parse_document(body, "DeleteResult")
    encoded = fields_of(root).get("EncodingType", "").lower() == "url"
    decode = key_decoder(plus_is_blank=plus_is_blank) if encoded else str
    failed: dict[str, str] = {}
    for element in root.iterfind("Error"):
        fields = fields_of(element)
        failed[decode(fields.get("Key", ""))] = (
            f"{fields.get('Code', '')}: {fields.get('Message', '')}"
        )
    return failed


def parse_bucket_info(body: bytes) -> BucketDescription:
    """Read the answer to GetBucketInfo."""
    bucket = parse_document(body, "BucketInfo").find("Bucket")
    if bucket is None:
        raise MalformedResponse("bucket information without a bucket")
    fields = fields_of(bucket)
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
    root = parse_document(body, "AccessControlPolicy")
    listed = root.find("AccessControlList")
    if listed is None:
        raise MalformedResponse("an ACL without a list")
    grants, words = [], []
    for node in listed.iterfind("Grant"):
        grantee, permission = node.find("Grantee"), node.findtext("Permission")
        if not len(node):
            words.append(escape_text(node.text or ""))
            continue
        named = [] if grantee is None else [c for c in grantee if c.tag in _GRANTEES and c.text]
        if permission is None or not named:
            raise MalformedResponse("a grant without a grantee, or of nothing")
        grants.append(Grant(named[0].tag, named[0].text or "", permission))
    return Policy(root.findtext("Owner/ID") or "", tuple(grants), tuple(words))


def parse_ownership(body: bytes) -> str:
    """Read the answer to GetBucketOwnershipControls."""
    return parse_document(body, "OwnershipControls").findtext("Rule/ObjectOwnership") or ""
