"""Checksums of parts, as "Checking object integrity" of the S3 manual has them.

An upload that is begun with an algorithm wants the checksum of each part, with the part and again
in the end. That of a copied part is made up, from its CRC-64: to compute it all would have to be
read, and nobody compares it but the end of the upload.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from xml.etree import ElementTree

from fastcrc.crc32 import iscsi

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.storage.crc64 import Combiner
from tagfs.emulator.storage.records import Attributes, PartRecord, UploadRecord
from tagfs.emulator.xml_text import element, text_of

_PREFIX = "x-amz-checksum-"
_NAME = f"{_PREFIX}algorithm"
_TYPE = f"{_PREFIX}type"
_ALGORITHMS: Mapping[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda raw: zlib.crc32(raw).to_bytes(4),
    "CRC32C": lambda raw: iscsi(raw, 0).to_bytes(4),
    "SHA1": lambda raw: hashlib.sha1(raw).digest(),
    "SHA256": lambda raw: hashlib.sha256(raw).digest(),
}
_UNCHECKED = "CRC64NVME"
_WHOLE = {"CRC32": Combiner(0xEDB88320, 32), "CRC32C": Combiner(0x82F63B78, 32)}
"""Those of whose checksums that of the whole content can be made."""


def read_algorithm(context: Context) -> dict[str, str]:
    """Return what an upload keeps of the algorithm that it is begun with, and answers with.

    Raises:
        ServiceError: there is none of that name.
    """
    algorithm, kind = ((context.header(name) or "").upper() for name in (_NAME, _TYPE))
    if not algorithm or not context.dialect.part_checksums:
        return {}
    if algorithm not in _ALGORITHMS and algorithm != _UNCHECKED:
        raise ServiceError("InvalidRequest", "Checksum algorithm provided is unsupported.")
    allowed = ["COMPOSITE"] * (algorithm in _ALGORITHMS)
    allowed += ["FULL_OBJECT"] * (algorithm in _WHOLE or algorithm == _UNCHECKED)
    if (kind or allowed[0]) not in allowed:
        message = f"The {kind} checksum type cannot be used with the {algorithm} algorithm."
        raise ServiceError("InvalidRequest", message)
    return {} if algorithm == _UNCHECKED else {_NAME: algorithm, _TYPE: kind or allowed[0]}


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
    if not algorithm or not all(part.checksum for part in used):
        headers.pop(_TYPE, None)
        return headers
    name = f"{_PREFIX}{algorithm.lower()}"
    raw = [base64.b64decode(part.checksum) for part in used]
    if headers[_TYPE] == "FULL_OBJECT":
        headers[name] = _text(_whole(algorithm, raw, used))
    else:
        headers[name] = f"{_text(_ALGORITHMS[algorithm](b''.join(raw)))}-{len(used)}"
    return headers


def _whole(algorithm: str, raw: list[bytes], used: list[PartRecord]) -> bytes:
    combine, found = _WHOLE[algorithm], 0
    for checksum, part in zip(raw, used, strict=True):
        found = combine(found, int.from_bytes(checksum), part.size)
    return found.to_bytes(4)


def _text(checksum: bytes) -> str:
    return base64.b64encode(checksum).decode("ascii")


def completed_elements(headers: Mapping[str, str]) -> str:
    """Return what the answer to a completion tells of the checksum that is kept with the object."""
    names = {f"{_PREFIX}{name.lower()}": f"Checksum{name}" for name in (*_ALGORITHMS, _UNCHECKED)}
    names[_TYPE] = "ChecksumType"
    return "".join(element(names[name], text) for name, text in headers.items() if name in names)
