"""Checksums of parts, as "Checking object integrity" of the S3 manual has them.

An upload that is begun with an algorithm wants the checksum of each part, with the part and again
in the end. That of a copied part is made up, from its CRC-64: to compute it all would have to be
read, and nobody compares it but the end of the upload.
"""

import base64
import zlib
from xml.etree import ElementTree

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.storage.records import Attributes, PartRecord, UploadRecord
from tagfs.emulator.xml_text import element, text_of

_PREFIX = "x-amz-checksum-"
_NAME = f"{_PREFIX}algorithm"
_ALGORITHMS = frozenset({"CRC32", "CRC32C", "SHA1", "SHA256"})
_UNCHECKED = "CRC64NVME"


def read_algorithm(context: Context) -> dict[str, str]:
    """Return what an upload keeps of the algorithm that it is begun with, and answers with.

    Raises:
        ServiceError: there is none of that name.
    """
    algorithm = (context.header(_NAME) or "").upper()
    if algorithm in {"", _UNCHECKED} or not context.dialect.part_checksums:
        return {}
    if algorithm not in _ALGORITHMS:
        raise ServiceError("InvalidRequest", "Checksum algorithm provided is unsupported.")
    return {_NAME: algorithm}


def algorithm_of(upload: UploadRecord) -> str:
    """Return the algorithm that an upload was begun with; "" if with none."""
    return upload.attributes.headers.get(_NAME, "")


def checksum_of(context: Context, upload: UploadRecord, given: dict[str, str]) -> str:
    """Return the checksum that came with a part, which held.

    Raises:
        ServiceError: the upload's algorithm is another.
    """
    expected = algorithm_of(upload).lower()
    if not expected or not context.dialect.part_checksums:
        return ""
    names = {name.removeprefix(_PREFIX) for name in given if name.startswith(_PREFIX)}
    if names != {expected}:
        raise ServiceError(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {expected}, "
            f"actual checksum Type: {min(names, default='null')}",
        )
    return given[f"{_PREFIX}{expected}"]


def of_copy(context: Context, upload: UploadRecord, crc: int) -> str:
    """Return the checksum of a part that was copied, whose CRC-64 is given."""
    if algorithm_of(upload) != "CRC32" or not context.dialect.copied_checksums:
        return ""
    return base64.b64encode((crc & 0xFFFFFFFF).to_bytes(4)).decode("ascii")


def check_named(upload: UploadRecord, part: PartRecord, node: ElementTree.Element) -> None:
    """Compare what the end of an upload says of a part's checksum.

    Raises:
        ServiceError: it says nothing, or something else.
    """
    algorithm = algorithm_of(upload)
    if not algorithm or not part.checksum:
        return
    said = text_of(node, f"Checksum{algorithm}")
    if said is None:
        raise ServiceError(
            "InvalidRequest",
            f"The upload was created using a {algorithm.lower()} checksum. The complete request "
            "must include the checksum for each part. It was missing for part "
            f"{part.number} in the request.",
        )
    if said != part.checksum:
        raise ServiceError("InvalidPart", extra={"PartNumber": str(part.number)})


def part_element(upload: UploadRecord, part: PartRecord) -> str:
    """Return what a list of parts tells of one's checksum."""
    algorithm = algorithm_of(upload)
    return element(f"Checksum{algorithm}", part.checksum) if algorithm and part.checksum else ""


def joined(attributes: Attributes, used: list[PartRecord]) -> dict[str, str]:
    """Return the headers of an object made of parts: a checksum of theirs, where all have one."""
    headers = dict(attributes.headers)
    algorithm = headers.pop(_NAME, "")
    if algorithm == "CRC32" and all(part.checksum for part in used):
        raw = b"".join(base64.b64decode(part.checksum) for part in used)
        crc = base64.b64encode(zlib.crc32(raw).to_bytes(4)).decode("ascii")
        headers[f"{_PREFIX}crc32"] = f"{crc}-{len(used)}"
    return headers
