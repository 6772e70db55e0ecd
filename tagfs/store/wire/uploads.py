"""Documents of multipart uploads and of copies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tagfs.errors import MalformedResponse
from tagfs.store.objects import Part
from tagfs.store.wire.headers import parse_etag
from tagfs.store.wire.xml import (
    escape_text,
    fields_of,
    parse_document,
    parse_number,
    parse_time,
    render_document,
    required_field,
)

_CHECKSUM: Final = "ChecksumCRC32"


@dataclass(frozen=True, slots=True)
class Copied:
    """The answer to a copy of an object or a part; the time is None when it was not sent."""

    etag: str
    last_modified_ns: int | None
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class PartPage:
    """One answer to ListParts; `marker` is where the next begins, None after the last."""

    parts: tuple[Part, ...]
    marker: str | None


def parse_upload_id(body: bytes) -> str:
    """Read the answer to InitiateMultipartUpload."""
    # The latter is the word of rclone's server.
    root = parse_document(body, "InitiateMultipartUploadResult", "InitiateMultipartUpload")
    return required_field(root, "UploadId")


def parse_parts(body: bytes) -> PartPage:
    """Read one page of ListParts."""
    root = parse_document(body, "ListPartsResult", "ListPartsResponse")  # the latter is moto's word
    parts = []
    for element in root.iterfind("Part"):
        fields = fields_of(element)
        crc64 = fields.get("HashCrc64ecma")
        try:
            parts.append(
                Part(
                    number=parse_number(fields["PartNumber"]),
                    etag=parse_etag(fields["ETag"]),
                    size=parse_number(fields["Size"]),
                    crc64=parse_number(crc64) if crc64 else None,
                    checksum=fields.get(_CHECKSUM, ""),
                )
            )
        except KeyError as missing:
            raise MalformedResponse(f"a part without {missing}") from None
    fields = fields_of(root)
    truncated = fields.get("IsTruncated", "").strip().lower() == "true"
    return PartPage(tuple(parts), fields.get("NextPartNumberMarker", "") if truncated else None)


def render_parts(parts: Iterable[Part]) -> bytes:
    """Write the body of CompleteMultipartUpload."""
    return render_document(
        "CompleteMultipartUpload",
        "".join(
            f"<Part><PartNumber>{part.number}</PartNumber>"
            f"<ETag>{escape_text(chr(34) + part.etag + chr(34))}</ETag>{_checksum(part)}</Part>"
            for part in parts
        ),
    )


def _checksum(part: Part) -> str:
    text = escape_text(part.checksum)
    return f"<{_CHECKSUM}>{text}</{_CHECKSUM}>" if text else ""


def parse_completed(body: bytes) -> str:
    """Read the answer to CompleteMultipartUpload: the object's ETag, "" if it is not sent."""
    return parse_etag(
        fields_of(parse_document(body, "CompleteMultipartUploadResult")).get("ETag", "")
    )


def parse_copied(body: bytes) -> Copied:
    """Read the answer to CopyObject or UploadPartCopy; without that document nothing was copied.

    The ETag is "" where it is not sent: rclone's server does not after a copy onto itself.
    """
    root = parse_document(body, "CopyObjectResult", "CopyPartResult", "UploadPartCopyResult")
    etag = parse_etag(fields_of(root).get("ETag", ""))
    text = fields_of(root).get("LastModified", "")
    checksum = fields_of(root).get(_CHECKSUM, "")
    return Copied(etag, parse_time(text) if text else None, checksum)
