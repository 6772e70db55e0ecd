"""Pages of ListObjectVersions."""

from collections.abc import Callable, Mapping

from tagfs.errors import MalformedResponse
from tagfs.store.object_versions import ObjectVersion, VersionPage
from tagfs.store.objects import ObjectInfo, ObjectType
from tagfs.store.wire.headers import parse_type
from tagfs.store.wire.xml import (
    fields_of,
    key_decoder,
    marker_decoder,
    parse_document,
    parse_number,
    parse_time,
)

_MARKER = "DeleteMarker"


def parse_versions(
    body: bytes, *, plus_is_blank: bool = False, default_class: str = "Standard"
) -> VersionPage:
    """Read one page of ListObjectVersions, in the order in which it is written.

    `default_class` is the storage class of versions that are listed without one.
    """
    root = parse_document(body, "ListVersionsResult", "ListBucketVersionsResult")
    encoded = (root.findtext("EncodingType") or "").lower() == "url"
    decode = key_decoder(plus_is_blank=plus_is_blank) if encoded else str
    versions: list[ObjectVersion] = []
    prefixes: list[str] = []
    rest: dict[str, str] = {}
    for element in root:
        if element.tag in ("Version", _MARKER):
            fields = {**fields_of(element)}
            fields["StorageClass"] = fields.get("StorageClass") or default_class
            versions.append(_version(fields, decode, is_marker=element.tag == _MARKER))
        elif element.tag == "CommonPrefixes":
            prefixes.extend(decode(child.text or "") for child in element if child.tag == "Prefix")
        else:
            rest[element.tag] = element.text or ""
    place = marker_decoder(plus_is_blank=plus_is_blank) if encoded else str
    return VersionPage(tuple(versions), tuple(prefixes), _token(rest, place))


def _token(rest: Mapping[str, str], place: Callable[[str], str]) -> tuple[str, str] | None:
    if rest.get("IsTruncated", "").strip().lower() != "true":
        return None
    key = place(rest.get("NextKeyMarker", ""))
    if not key:
        raise MalformedResponse("a truncated listing that does not say where it goes on")
    return key, rest.get("NextVersionIdMarker", "")


def _version(
    fields: Mapping[str, str], decode: Callable[[str], str], *, is_marker: bool
) -> ObjectVersion:
    try:
        return ObjectVersion(
            info=ObjectInfo(
                key=decode(fields["Key"]),
                size=0 if is_marker else parse_number(fields["Size"]),
                etag=fields.get("ETag", "").strip('"'),
                last_modified_ns=parse_time(fields["LastModified"]),
                type=parse_type(fields["Type"]) if "Type" in fields else ObjectType.NORMAL,
                storage_class=fields["StorageClass"],
            ),
            version_id=fields["VersionId"] or "null",
            is_latest=fields.get("IsLatest", "").strip().lower() == "true",
            is_marker=is_marker,
        )
    except KeyError as missing:
        raise MalformedResponse(f"a version without {missing}") from None
