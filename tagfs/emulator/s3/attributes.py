"""GetObjectAttributes: what HEAD tells, and the sizes of the parts, as one document."""

from tagfs.emulator.engine.attributes import STANDARD, shown_class, version_header
from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.part_checksums import completed_elements
from tagfs.emulator.engine.part_reads import sizes_of
from tagfs.emulator.messages import Reply
from tagfs.emulator.storage.records import ObjectRecord
from tagfs.emulator.time_formats import MILLISECONDS, http_date
from tagfs.emulator.xml_text import element, group

_MOST = 1000
_KNOWN = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


async def GetObjectAttributes(context: Context) -> Reply:
    """Show the attributes that are asked for."""
    asked = {word.strip() for word in (context.own("object-attributes") or "").split(",")}
    if not asked <= {*_KNOWN} or not asked:
        raise ServiceError("InvalidArgument", "Invalid attribute name specified.")
    record = context.demand()
    shown = {
        "ETag": element("ETag", record.etag),
        "Checksum": _checksum(record),
        "ObjectParts": _parts(context, record),
        "StorageClass": element(
            "StorageClass", shown_class(context, record.attributes.storage_class or STANDARD)
        ),
        "ObjectSize": element("ObjectSize", record.size),
    }
    reply = context.document(
        "GetObjectAttributesResponse", *(shown[name] for name in _KNOWN if name in asked)
    )
    reply.headers["Last-Modified"] = http_date(record.mtime_ms // MILLISECONDS)
    reply.headers |= version_header(context, record)
    return reply


def _checksum(record: ObjectRecord) -> str:
    found = completed_elements(record.attributes.headers)
    return group("Checksum", found) if found else ""


def _parts(context: Context, record: ObjectRecord) -> str:
    """Return a page of the parts; AWS names each one only where it keeps a checksum of it."""
    sizes = sizes_of(record)
    if not sizes:
        return ""
    limit, after = (_header(context, name) for name in ("max-parts", "part-number-marker"))
    return group(
        "ObjectParts",
        element("IsTruncated", "false"),
        element("MaxParts", _MOST if limit is None else limit),
        element("PartNumberMarker", after or 0),
        element("PartsCount", len(sizes)),
    )


def _header(context: Context, name: str) -> int | None:
    text = context.own(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise ServiceError("InvalidArgument", f"Invalid {name}")
    return int(text)
