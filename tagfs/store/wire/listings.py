"""Pages of ListObjects, of both versions."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tagfs.errors import MalformedResponse
from tagfs.store.objects import ObjectInfo, ObjectType, Page
from tagfs.store.tags import TagSet
from tagfs.store.wire.headers import parse_type
from tagfs.store.wire.listed_details import ListingForm
from tagfs.store.wire.xml import (
    fields_of,
    key_decoder,
    marker_decoder,
    parse_document,
    parse_number,
    parse_time,
)

if TYPE_CHECKING:
    from tagfs.store.dialects.dialect import Dialect

Details = tuple["Dialect", ListingForm]


def parse_listing(
    body: bytes,
    *,
    plus_is_blank: bool = False,
    default_class: str = "Standard",
    trusts_marker: bool = True,
    details: Details | None = None,
) -> Page:
    """Read one page of ListObjects, version 1 or 2.

    `default_class` is the storage class of objects that are listed without one. Without
    `trusts_marker` the next page begins after the last entry, whatever the answer says. `details`
    says how what is listed of an object besides is read, where that was asked for.
    """
    root = parse_document(body, "ListBucketResult")
    encoded = (root.findtext("EncodingType") or "").lower() == "url"
    decode = key_decoder(plus_is_blank=plus_is_blank) if encoded else str
    place = marker_decoder(plus_is_blank=plus_is_blank) if encoded else str
    contents = root.findall("Contents")
    entries = [fields_of(element) for element in contents]
    objects = [_listed(fields, decode, default_class) for fields in entries]
    tags: dict[str, TagSet] = {}
    if details is not None:
        dialect, form = details
        if form.proof and root.find(form.proof) is None:
            raise MalformedResponse(f"a listing without {form.proof} is not what was asked for")
        for number, element in enumerate(contents):
            objects[number], own = form.read(dialect, objects[number], element)
            tags |= {} if own is None else {objects[number].key: own}
    prefixes = [element.text or "" for element in root.iterfind("CommonPrefixes/Prefix")]
    token = _next_token(fields_of(root), place, trusts_marker=trusts_marker)
    if token == "":
        # Services that give no marker (S3 without a delimiter) go on after the last entry.
        last = [fields.get("Key", "") for fields in entries[-1:]] + prefixes[-1:]
        token = max(map(place, last), key=_in_bytes, default="")
        if not token:
            raise MalformedResponse("a truncated listing that does not say where it goes on")
    return Page(tuple(objects), tuple(map(decode, prefixes)), token, tags)


def _in_bytes(key: str) -> bytes:
    return key.encode(errors="surrogateescape")


def _next_token(
    rest: Mapping[str, str], place: Callable[[str], str], *, trusts_marker: bool
) -> str | None:
    """Return where the next page begins, None after the last, "" when that was not said."""
    if rest.get("IsTruncated", "").strip().lower() != "true":
        return None
    # A continuation token is opaque, a marker is a key and encoded like one.
    if token := rest.get("NextContinuationToken"):
        return token
    return place(rest.get("NextMarker", "")) if trusts_marker else ""


def _listed(
    fields: Mapping[str, str], decode: Callable[[str], str], default_class: str
) -> ObjectInfo:
    try:
        return ObjectInfo(
            key=decode(fields["Key"]),
            size=parse_number(fields["Size"]),
            etag=fields.get("ETag", "").strip('"'),
            last_modified_ns=parse_time(fields["LastModified"]),
            type=parse_type(fields["Type"]) if "Type" in fields else ObjectType.NORMAL,
            storage_class=fields.get("StorageClass") or default_class,
        )
    except KeyError as missing:
        raise MalformedResponse(f"a listed object without {missing}") from None
