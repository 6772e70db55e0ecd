"""Uploads whose parts come in order, as OSS has them: their objects have an MD5."""

import hashlib

from tagfs.emulator.engine.context import Context
from tagfs.emulator.engine.errors import ServiceError
from tagfs.emulator.engine.uncopied import HIDDEN
from tagfs.emulator.storage.records import Extent, PartRecord, UploadRecord

_NAME = f"{HIDDEN}sequential"


def read_sequential(context: Context) -> dict[str, str]:
    """Return what an upload keeps of having been begun so."""
    asked = context.dialect.sequential_uploads and "sequential" in context.request.query
    return {_NAME: "true"} if asked else {}


def refuse_gap(context: Context, upload: UploadRecord, number: int) -> None:
    """Refuse a part that is not the next one, nor one that is there.

    Raises:
        ServiceError: it is neither.
    """
    if _NAME not in upload.attributes.headers:
        return
    if number > len(context.storage.uploads.parts(upload.id)) + 1:
        raise ServiceError("PartNotSequential")


def md5_of_parts(context: Context, upload: UploadRecord, used: list[PartRecord]) -> str:
    """Return the MD5 of the whole; "" where nobody can know it without reading all of it."""
    if _NAME not in upload.attributes.headers:
        return ""
    extents: tuple[Extent, ...] = tuple(extent for part in used for extent in part.extents)
    content, digest = context.storage.contents.open(extents), hashlib.md5()
    try:
        for chunk in content.read(0, sum(part.size for part in used)):
            digest.update(chunk)
    finally:
        content.close()
    return digest.hexdigest()
