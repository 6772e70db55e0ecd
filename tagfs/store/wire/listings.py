"""Pages of ListObjects, of both versions."""

from collections.abc import Callable, Mapping

from tagfs.errors import MalformedResponse
from tagfs.store.objects import ObjectInfo, ObjectType, Page
from tagfs.store.wire.headers import parse_type
from tagfs.store.wire.xml import is_no_path, key_decoder, parse_document, parse_number, parse_time


def parse_listing(
    body: bytes, *, plus_is_blank: bool = False, default_class: str = "Standard"
) -> Page:
    """Read one page of ListObjects, version 1 or 2.

    `default_class` is the storage class of objects that are listed without one.
    """
    root = parse_document(body, "ListBucketResult")
    encoded = (root.findtext("EncodingType") or "").lower() == "url"
    decode = key_decoder(plus_is_blank=plus_is_blank) if encoded else str
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
    if token is not None and is_no_path(token):
        raise MalformedResponse("a truncated listing that goes on after a key that is not UTF-8")
    return Page(tuple(objects), tuple(prefixes), token)


def _next_token(rest: Mapping[str, str], decode: Callable[[str], str]) -> str | None:
    """Return where the next page begins, None after the last, "" when that was not said."""
    if rest.get("IsTruncated", "").strip().lower() != "true":
        return None
    # A continuation token is opaque, a marker is a key and encoded like one.
    return rest.get("NextContinuationToken") or decode(rest.get("NextMarker", ""))


def _listed(fields: Mapping[str, str], decode: Callable[[str], str]) -> ObjectInfo:
    try:
        return ObjectInfo(
            key=decode(fields["Key"]),
            size=parse_number(fields["Size"]),
            etag=fields.get("ETag", "").strip('"'),
            last_modified_ns=parse_time(fields["LastModified"]),
            type=parse_type(fields["Type"]) if "Type" in fields else ObjectType.NORMAL,
            storage_class=fields["StorageClass"],
        )
    except KeyError as missing:
        raise MalformedResponse(f"a listed object without {missing}") from None
